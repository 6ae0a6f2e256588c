"""A real pretrained network from a local file."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from learning.backbones.load import load_backbone
from learning.backbones.networks import load_network
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig
from learning.systems import upe
from learning.training.loop import LoopConfig
from tests.learning.factories import make_dataset
from variants.progress import silent


@pytest.fixture(scope="module")
def choice(shared_data):
    file = shared_data / "weights" / "squeezenet1_1_features.npz"
    if not file.is_file():
        pytest.skip("needs squeezenet1_1_features.npz in the shared data folder")
    return f"torchvision:squeezenet1_1={file}"


def photo(path):
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def test_it_loads_with_all_its_parameters(choice):
    network = load_network(choice)
    assert sum(parameter.numel() for parameter in network.parameters()) == 722_496
    assert not any(parameter.requires_grad for parameter in network.parameters())
    backbone = load_backbone(choice)
    assert (backbone.dim, backbone.image_size) == (512, 224)


def test_it_sees_what_is_in_a_photo_and_not_its_size(choice, shared_data):
    backbone = load_backbone(choice)
    one, other = (photo(path) for path in sorted((shared_data / "photos" / "kodak").glob("*.png"))[:2])
    half = torch.nn.functional.interpolate(one, scale_factor=0.5, mode="bilinear", antialias=True)
    features = torch.cat([backbone(image) for image in (one, half, other)])
    alike = torch.nn.functional.cosine_similarity(features[:1], features[1:])
    assert alike[0] > 0.95
    assert alike[1] < 0.8


def test_a_learner_trains_with_it(choice, tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "data", n_raters=8, n_answers=14, n_scenes=3))
    config = dataclasses.replace(
        upe.tiny(),
        backbone=choice,
        views=dataclasses.replace(upe.tiny().views, count=1, size=8),
        episodes=EpisodeConfig(raters=8, targets=2, min_references=2, max_references=6),
        loop=LoopConfig(steps=30, learning_rate=5e-3, warmup=0, log_every=1),
    )
    system = upe.fit(dataset, config, tmp_path / "run", silent)
    losses = [row["loss_ranking"] for row in curves(tmp_path / "run")]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    again = upe.load(tmp_path / "run")
    image = dataset.image(dataset.image_ids[0], 32)
    profile = system.adapt([upe.system.ReferencePair(preferred=image, rejected=image**2)])
    np.testing.assert_array_equal(again.render([image], profile)[0], system.render([image], profile)[0])


def curves(folder):
    import pyarrow.parquet as pq

    return pq.read_table(folder / "curves.parquet").to_pylist()
