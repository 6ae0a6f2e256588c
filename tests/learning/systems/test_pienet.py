import dataclasses

import numpy as np
import pytest
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.systems import PRESETS, pienet
from learning.systems.interface import PhotoReader, ReferencePair
from learning.systems.load import load_run
from learning.systems.pienet import Config, Network, PieNet
from learning.systems.style_parts.editing import LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig
from learning.systems.style_parts.examples import dataset_squares, training_answers
from learning.systems.style_parts.pseudo_users import CLASSICAL, RULES, apply_rule
from learning.systems.style_parts.user_embedding import LikedData, UserEmbedding
from learning.training.loop import LoopConfig
from learning.training.run_folder import read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import image_id, in_a_frame, make_dataset
from variants.progress import silent

SMALL = dataclasses.replace(
    pienet.tiny(),
    edit_size=32,
    embed_size=32,
    encoder=EncoderConfig(width=4),
    enhancer_width=4,
    lifting=LiftingConfig(lut_size=5),
    batch=8,
    shares=(0.25, 0.25, 0.5),
    loop=LoopConfig(steps=8, warmup=0),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=6, n_answers=12)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    pienet.fit(dataset, SMALL, folder, silent)
    return folder


@pytest.fixture
def photo():
    return np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)


def untrained(config=SMALL):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(config)
        torch.nn.init.normal_(network.enhancer.residual.weight, std=0.02)
    return PieNet(network, config)


def test_the_published_size():
    """28 million parameters, a vector of 512."""
    network = Network(pienet.paper())
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(28e6, rel=0.02)
    assert network.encoder.resnet.layer4[1].conv2.out_channels == 512


def test_there_are_ten_classical_enhancers_and_fifteen_looks():
    assert len(CLASSICAL) == 10
    assert len(RULES) == 25


@pytest.mark.parametrize("name", list(RULES))
def test_every_rule_keeps_size_and_range_and_changes_the_photo(name):
    photo = np.random.default_rng(1).random((12, 17, 3), dtype=np.float32) * np.float32([0.9, 0.6, 0.4])
    treated = apply_rule(name, photo)
    assert treated.shape == photo.shape
    assert treated.dtype == np.float32
    assert 0 <= treated.min() <= treated.max() <= 1
    assert np.abs(treated - photo).mean() > 0.005
    assert np.isfinite(apply_rule(name, np.full((1, 2, 3), 0.5, np.float32))).all()
    assert np.isfinite(apply_rule(name, np.zeros((3, 3, 3), np.float32))).all()


def test_rules_by_hand():
    grey = np.full((2, 2, 3), 0.25, np.float32)
    np.testing.assert_allclose(apply_rule("gamma", grey), 0.25**0.7, atol=1e-6)
    tinted = grey * np.float32([2, 1, 0.5])
    np.testing.assert_allclose(apply_rule("grey_world", tinted), 0.25 * 3.5 / 3, atol=1e-6)
    ramp = np.linspace(0.2, 0.6, 101, dtype=np.float32)[:, None, None].repeat(3, axis=2)
    stretched = apply_rule("autocontrast", ramp)
    np.testing.assert_allclose(stretched[[0, 50, 100], 0, 0], [0, 0.5, 1], atol=0.01)


def test_an_unknown_rule_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="there is no rule 'sepia'; there are: gamma"):
        apply_rule("sepia", np.zeros((1, 1, 3), np.float32))


def test_liked_photos_gather_around_their_users(dataset):
    """Bright against dark: after a few steps most liked photos are nearer to their user than others."""
    answers = training_answers(dataset)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        embedding = UserEmbedding(6, EncoderConfig(width=4))
    data = LikedData(
        dataset,
        answers,
        dataset_squares(dataset, 43),
        batch=12,
        size=32,
        augmentation=SMALL.augmentation,
        seed=0,
    )
    assert data[3].liked.shape == (12, 3, 32, 32)
    assert torch.equal(data[3].liked, data[3].liked)
    optimizer = torch.optim.Adam(embedding.parameters(), lr=3e-3)
    first, last = [], []
    for step in range(40):
        loss = embedding.loss(data[step])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        (first if step < 10 else last if step >= 30 else []).append(loss.item())
    assert np.mean(last) < 0.8 * np.mean(first)


def test_a_vector_is_the_mean_of_the_photos_embeddings(photo):
    system = untrained()
    assert isinstance(system, PhotoReader)
    one, two, both = (system.adapt_to_photos(p)["vector"] for p in ([photo], [photo / 2], [photo, photo / 2]))
    assert one.shape == (32,)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(both, (one + two) / 2, atol=1e-6)
    np.testing.assert_allclose(system.adapt_to_photos([photo / 2, photo])["vector"], both, atol=1e-6)


def test_a_frame_of_one_colour_does_not_count(photo):
    plain, framed = (untrained().adapt_to_photos([p])["vector"] for p in (photo, in_a_frame(photo)))
    np.testing.assert_array_equal(framed, plain)


def test_answers_are_read_by_their_preferred_images(photo):
    system = untrained()
    pairs = [ReferencePair(preferred=photo, rejected=photo / 3)]
    np.testing.assert_array_equal(system.adapt(pairs)["vector"], system.adapt_to_photos([photo])["vector"])


def test_a_trained_run_is_whole_and_edits_photos_of_any_size(dataset, run, photo):
    system = load_run(run)
    assert system.config == SMALL
    assert not any(name.startswith("vectors") for name in read_weights(run, system="pienet"))
    for photos in ([photo], [photo] * 50, [np.full((5, 5, 3), 0.5, np.float32)]):
        rendered = system.render([photo, photo[:7]], system.adapt_to_photos(photos))
        assert [image.shape for image in rendered] == [photo.shape, (7, 30, 3)]
    assert np.abs(rendered[0] - photo).max() > 1e-5
    profiles = [system.adapt_to_photos([p]) for p in (photo, photo / 2)]
    np.testing.assert_allclose(
        system.mean_profile(profiles)["vector"], (profiles[0]["vector"] + profiles[1]["vector"]) / 2
    )
    assert "SIMULATED" in (run / "README.md").read_text()


def test_training_that_was_stopped_goes_on_to_the_same_weights(dataset, run, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, stage):
        if done == 6:
            raise Stopped

    with pytest.raises(Stopped):
        pienet.fit(dataset, SMALL, tmp_path / "run", stop)
    pienet.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(folder, system="pienet") for folder in (run, tmp_path / "run"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_nothing_cannot_be_read():
    with pytest.raises(ValueError, match="references is empty"):
        untrained().adapt([])
    with pytest.raises(ValueError, match="photos is empty"):
        untrained().adapt_to_photos([])


def test_a_dataset_without_answers_enough_is_refused(tmp_path):
    folder = make_dataset(tmp_path / "few", n_raters=3, n_answers=1, validation_raters=1)
    with pytest.raises(DatasetError, match="valid training raters has 2 answers on training scenes"):
        pienet.fit(PreferenceDataset.load(folder), SMALL, tmp_path / "run", silent)


def test_the_degraded_stand_in_for_originals_that_are_missing(dataset, photo):
    """The edit of a scene whose neutral rendition is there starts from it."""
    assert dataset.neutral_image_of("scene0") == image_id(0, 0)
    with_neutral, without = (
        pienet.sources(dataset, dataclasses.replace(SMALL, neutral_share=share))[0] for share in (1, 0)
    )
    rows = with_neutral.rows[:8]
    neutral = with_neutral.squares(with_neutral.neutral[dataset.judgments.preferred[rows]].tolist())
    for source, wanted in ((with_neutral, False), (without, True)):
        retouched, original, pseudo = source.of_rows(rows, np.random.default_rng(0))
        assert (pseudo == wanted).all()
        torch.testing.assert_close(original, retouched if wanted else neutral)


@pytest.mark.parametrize("make", list(pienet.PRESETS.values()))
def test_presets_survive_json(make):
    assert from_json(Config, to_json(make())) == make()
    assert make().preset in PRESETS["pienet"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vector_noise": -1}, "vector_noise is -1; it must be 0 or more"),
        ({"edit_size": 8}, "edit_size is 8; it must be from 32"),
        ({"embed_size": 4096}, "embed_size is 4096"),
        ({"embed_size": 96}, "must be at most edit_size"),
        ({"neutral_share": -0.1}, "neutral_share is -0.1"),
        ({"batch": 0}, "batch is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"shares": (1.0,)}, "one each for degrading, embedding, enhancer"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(pienet.tiny(), **settings)
