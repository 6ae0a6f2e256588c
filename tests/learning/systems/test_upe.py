import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from learning.backbones.load import load_backbone
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig
from learning.data.views import ViewConfig
from learning.renderers.color_field import ColorFieldConfig
from learning.renderers.liif import LiifConfig
from learning.systems import PRESETS, SYSTEMS, make_config, system_module, upe
from learning.systems.interface import ColorMapper, ReferencePair, Scorer
from learning.systems.load import load_run
from learning.systems.upe import Config, Network, Reader, ReaderConfig, Upe, pair_token
from learning.training.loop import LoopConfig
from learning.training.objective import pairwise_loss
from learning.training.run_folder import RunError, read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import image_id, make_dataset
from variants.progress import silent

SMALL = dataclasses.replace(
    upe.tiny(),
    reader=ReaderConfig(
        token=16, hidden=16, heads=2, layers=1, embedding=8, log_length=True, unscaled=True, standardise=True
    ),
    decoder=ColorFieldConfig(width=16, condition=32),
    views=ViewConfig(count=3, size=8),
    episodes=EpisodeConfig(raters=8, targets=4, min_references=2, max_references=6),
    loop=LoopConfig(steps=150, learning_rate=5e-3, checkpoint_every=50, warmup=10),
)
LIIF = dataclasses.replace(
    upe.full(),
    backbone="tone_statistics",
    crops=None,
    reader=SMALL.reader,
    decoder=LiifConfig(channels=8, blocks=1, hidden=16, hidden_layers=2),
    target_views=ViewConfig(count=2, size=8, smallest_crop=0.25, largest_crop=0.5, jitter=0),
    episodes=SMALL.episodes,
    loop=LoopConfig(steps=3),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Raters with an even number like the brighter image, the others the darker one."""
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=14, n_answers=18)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    upe.fit(dataset, SMALL, folder, silent)
    return folder


def references(dataset, rater, n=8):
    return [
        ReferencePair(
            preferred=dataset.image(j.preferred_image, 256), rejected=dataset.image(j.rejected_image, 256)
        )
        for j in dataset.judgments_of(rater)[:n]
    ]


def random_features(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


def untrained(config=SMALL):
    """With a residual and a gate that do something."""
    torch.manual_seed(0)
    network = Network(44, config).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return network


def test_swapping_a_pair_turns_the_style_and_leaves_the_content():
    config = ReaderConfig()
    preferred, rejected = random_features(5, 44), random_features(2, 5, 44)[1]
    token, swapped = pair_token(preferred, rejected, config), pair_token(rejected, preferred, config)
    torch.testing.assert_close(swapped[:, :44], token[:, :44])
    torch.testing.assert_close(swapped[:, 44:], -token[:, 44:])
    torch.testing.assert_close(token[:, :44].norm(dim=1), torch.ones(5))
    torch.testing.assert_close(token[:, 44:].norm(dim=1), torch.ones(5))


@pytest.mark.parametrize("config", [ReaderConfig(), SMALL.reader])
def test_the_order_of_the_references_does_not_matter(config):
    torch.manual_seed(0)
    reader = Reader(44, config).eval()
    preferred, rejected = random_features(2, 3, 16, 44)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        reader(preferred[:, order], rejected[:, order]), reader(preferred, rejected), atol=1e-5, rtol=0
    )


def test_the_preferred_side_matters():
    torch.manual_seed(0)
    reader = Reader(44, ReaderConfig()).eval()
    preferred, rejected = random_features(2, 3, 16, 44)
    assert (reader(preferred, rejected) - reader(rejected, preferred)).abs().max() > 0.01


@pytest.mark.parametrize("config", [SMALL, LIIF])
def test_an_untrained_network_leaves_photos_as_they_are(config, dataset):
    torch.manual_seed(0)
    system = Upe(Network(44, config), _tone_statistics(), config)
    photo = dataset.image(image_id(0, 0), 32)
    profile = system.adapt(references(dataset, "rater3"))
    np.testing.assert_allclose(system.render([photo], profile)[0], photo, atol=1e-6)


@pytest.mark.parametrize("config", [SMALL, LIIF])
def test_overfitting_one_pair_approaches_the_preferred_image(config):
    torch.manual_seed(0)
    network = Network(44, config).train(False)
    pair = torch.rand((2, 1, 3, 8, 8), generator=torch.Generator().manual_seed(2))
    preferred, rejected = (0.5 * (pair[0] + 0.6)).clamp(0, 1), 0.5 * pair[0]
    embedding = torch.randn(1, config.reader.embedding)
    features = random_features(1, 44)
    optimizer = torch.optim.Adam(network.editor.parameters(), lr=1e-2)
    for _ in range(200):
        plan = network.editor.plan(embedding, features, rejected)
        output = network.editor(rejected, plan)
        loss = pairwise_loss(output, preferred, rejected, 1.5).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    distance, before = (output - preferred).abs().mean(), (rejected - preferred).abs().mean()
    assert distance < 0.1 * before


def test_it_learns_to_read_raters_whom_it_has_never_met(dataset, run):
    """On a scene that was never trained on: each rater gets the photo that they like, and keeps it."""
    system = upe.load(run)
    darkest, brightest = (dataset.image(image_id(3, r), 32) for r in (1, 2))
    likes_bright, likes_dark = (system.adapt(references(dataset, f"rater{r}")) for r in (0, 1))
    for profile, wanted, unwanted, direction in (
        (likes_bright, brightest, darkest, 1),
        (likes_dark, darkest, brightest, -1),
    ):
        edited, kept = (image.mean() for image in system.render([unwanted, wanted], profile))
        assert direction * (edited - unwanted.mean()) > 0.05
        assert abs(kept - wanted.mean()) < 0.01


def test_it_scores_what_a_rater_likes_higher(dataset, run):
    system = upe.load(run)
    images = [dataset.image(image_id(3, r), 32) for r in (1, 3, 0, 2)]  # from dark to bright
    likes_bright, likes_dark = (system.adapt(references(dataset, f"rater{r}")) for r in (0, 1))
    assert isinstance(system, Scorer)
    assert system.score(images, likes_bright)[3] > system.score(images, likes_bright)[0]
    assert system.score(images, likes_dark)[3] < system.score(images, likes_dark)[0]


def test_a_run_folder_holds_all_that_is_needed(dataset, run):
    names = {path.name for path in run.iterdir()}
    assert {"README.md", "config.json", "curves.parquet", "log.txt", "weights.safetensors"} <= names
    assert "checkpoint" not in names
    config = json.loads((run / "config.json").read_text())
    assert config["system"] == "upe"
    assert config["backbone"] == "tone_statistics"
    assert config["dataset"]["sha256"] == dataset.sha256
    assert config["dataset"]["training_raters"] == 12
    assert config["dataset"]["training_scenes"] == 3
    assert from_json(Config, config["settings"]) == SMALL
    card = (run / "README.md").read_text()
    assert "SIMULATED" in card
    assert dataset.sha256 in card
    assert "Not validated on people" in card
    assert {"loss", "loss_pairwise", "loss_gate", "loss_ranking"} <= set(
        pq.read_table(run / "curves.parquet").column_names
    )


def test_people_are_not_called_simulated(tmp_path):
    folder = make_dataset(tmp_path / "people", simulated=False)
    config = dataclasses.replace(SMALL, loop=LoopConfig(steps=2))
    upe.fit(PreferenceDataset.load(folder), config, tmp_path / "run", silent)
    card = (tmp_path / "run/README.md").read_text()
    assert "imulated" not in card.replace("SIMULATED", "simulated")
    assert "Not validated on people" in card


def test_a_loaded_run_renders_as_before(dataset, run, tmp_path):
    system = upe.load(run)
    system.save(tmp_path / "copy")
    copy = load_run(tmp_path / "copy")
    photo = dataset.image(image_id(0, 1), 32)
    profile = system.adapt(references(dataset, "rater0"))
    np.testing.assert_array_equal(system.render([photo], profile)[0], copy.render([photo], profile)[0])


def test_strength_goes_from_nothing_to_all(dataset, run):
    system = upe.load(run)
    photo = dataset.image(image_id(3, 0), 32)
    profile = system.adapt(references(dataset, "rater0"))
    none, half, full = (system.render([photo], profile, strength=s)[0] for s in (0, 0.5, 1))
    np.testing.assert_array_equal(none, photo)
    inside = (full > 0) & (full < 1)
    np.testing.assert_allclose(half[inside], ((photo + full) / 2)[inside], atol=1e-5)


def test_the_edit_is_computed_from_the_guide():
    system = Upe(untrained(), _tone_statistics(), SMALL)
    image, other = np.full((8, 8, 3), 0.3, np.float32), np.full((9, 5, 3), 0.8, np.float32)
    profile = {"embedding": np.ones(8, np.float32)}
    own, by_guide = (system.render([image], profile, guides)[0] for guides in (None, [other]))
    assert own.shape == by_guide.shape == image.shape
    assert np.abs(own - by_guide).max() > 1e-3
    np.testing.assert_array_equal(system.render([image], profile, [image])[0], own)


def test_any_size_is_edited_the_same(dataset, run):
    system = upe.load(run)
    photo = dataset.image(image_id(2, 0), 32)
    profile = system.adapt(references(dataset, "rater1"))
    doubled = photo.repeat(2, axis=0).repeat(2, axis=1)
    small = system.render([photo], profile)[0]
    large = system.render([doubled], profile, [photo])[0]
    np.testing.assert_allclose(large[::2, ::2], small, atol=1e-5)


def test_a_baked_edit_is_the_edit(dataset, run):
    system = upe.load(run)
    photo = dataset.image(image_id(2, 0), 32)
    profile = system.adapt(references(dataset, "rater0"))
    assert isinstance(system, ColorMapper)
    table = system.bake(photo, profile, size=9)
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0.5, 0.25, 1]]], np.float32)
    expected = system.render([corners], profile, [photo])[0][0]
    np.testing.assert_allclose([table[0, 0, 0], table[8, 0, 0], table[4, 2, 8]], expected, atol=1e-5)


def test_an_edit_that_depends_on_the_place_cannot_be_baked_or_scored():
    system = Upe(untrained(LIIF), _tone_statistics(), LIIF)
    photo = np.full((8, 8, 3), 0.5, np.float32)
    profile = {"embedding": np.ones(8, np.float32)}
    with pytest.raises(ValueError, match="no LUT can hold its edit"):
        system.bake(photo, profile)
    with pytest.raises(ValueError, match="has no gate"):
        system.score([photo], profile)


def test_the_mean_profile_is_the_mean():
    system = Upe(untrained(), _tone_statistics(), SMALL)
    profiles = [{"embedding": np.full(8, value, np.float32)} for value in (1, 2, 6)]
    np.testing.assert_array_equal(system.mean_profile(profiles)["embedding"], np.full(8, 3, np.float32))
    with pytest.raises(ValueError, match="at least one"):
        system.mean_profile([])


def test_a_rater_without_answers_cannot_be_read(run):
    with pytest.raises(ValueError, match="references is empty"):
        upe.load(run).adapt([])


def test_the_published_shape_trains_and_renders(dataset, tmp_path):
    system = upe.fit(dataset, LIIF, tmp_path / "run", silent)
    photo = dataset.image(image_id(3, 0), 32)
    rendered = upe.load(tmp_path / "run").render([photo], system.adapt(references(dataset, "rater0")))[0]
    assert rendered.shape == photo.shape
    assert np.abs(rendered - photo).max() > 1e-5


def test_training_that_was_stopped_goes_on_to_the_same_weights(dataset, run, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, stage):
        if stage == "training" and done == 70:
            raise Stopped

    with pytest.raises(Stopped):
        upe.fit(dataset, SMALL, tmp_path / "run", stop)
    with pytest.raises(RunError, match="the training has not ended: go on with --resume"):
        upe.load(tmp_path / "run")
    upe.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(folder, system="upe") for folder in (run, tmp_path / "run"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_a_finished_run_is_not_trained_again(dataset, run):
    before = (run / "weights.safetensors").stat().st_mtime_ns
    upe.fit(dataset, SMALL, run, _fail, resume=True)
    assert (run / "weights.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("make", list(upe.PRESETS.values()))
def test_presets_survive_json(make):
    config = make()
    assert from_json(Config, to_json(config)) == config


def test_the_table_of_names_is_true():
    for system in SYSTEMS:
        module = system_module(system)
        assert tuple(module.PRESETS) == PRESETS[system]
        assert all(make().preset == name for name, make in module.PRESETS.items())


def test_a_command_may_change_backbone_steps_and_seed():
    config = make_config("upe", "tiny", backbone="dinov2_small", steps=7, seed=3)
    assert (config.backbone, config.loop.steps, config.seed) == ("dinov2_small", 7, 3)
    assert dataclasses.replace(config, backbone="tone_statistics", seed=0, loop=upe.tiny().loop) == upe.tiny()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("exemplars", "tiny"), "there is no system 'exemplars'; there are: upe"),
        (("upe", "huge"), "upe has no preset 'huge'; it has: tiny, paper, full, plus"),
    ],
)
def test_unknown_names_are_refused_with_what_there_is(names, message):
    with pytest.raises(ValueError, match=message):
        make_config(*names)


def _tone_statistics():
    return load_backbone("tone_statistics")


def _fail(done, total, stage):
    raise AssertionError(f"{stage}: nothing was to be done")
