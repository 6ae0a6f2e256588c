import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from learning.backbones import WeightsMissing
from learning.backbones.networks import new_network
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeConfig
from learning.systems import PRESETS, exemplar
from learning.systems.exemplar import Config, Exemplar, Network
from learning.systems.interface import ColorMapper, ReferencePair
from learning.systems.load import load_run
from learning.systems.style_parts.attention import attention_picture, attention_weights
from learning.systems.style_parts.editing import MOST_EXAMPLES, LiftingConfig
from learning.systems.style_parts.encoders import ContentEncoder, EncoderConfig, StyleEncoder, start_from
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import (
    Augmentation,
    Squares,
    framed,
    jittered,
    mean_in_linear_light,
    random_frames,
)
from learning.systems.style_parts.losses import edge_aware_variation, triplet_loss
from learning.systems.style_parts.predictor import MaskedStyle, PredictorConfig, weighted_average
from learning.systems.style_parts.whitening import Whitening
from learning.training.loop import LoopConfig
from learning.training.run_folder import RunError, read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import image_id, make_dataset
from variants.progress import silent
from variants.tone.color import linear_to_srgb, srgb_to_linear

SMALL = dataclasses.replace(
    exemplar.tiny(),
    edit_size=32,
    embed_size=32,
    encoder=EncoderConfig(width=4),
    enhancer_width=4,
    predictor=PredictorConfig(width=32, heads=2, layers=1, hidden=32),
    lifting=LiftingConfig(lut_size=5),
    batch=8,
    episodes=EpisodeConfig(raters=3, targets=2, min_references=3, max_references=5),
    loop=LoopConfig(steps=110, learning_rate=3e-3, warmup=5, weight_decay=0.0),
    shares=(0.05, 0.45, 0.5),
)
SHORT = dataclasses.replace(SMALL, shares=(0.3, 0.3, 0.4), loop=LoopConfig(steps=3, warmup=0))


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def noise(*shape, seed=3):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def photos(*shape, seed=5):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Raters with an even number like the brighter image, the others the darker one."""
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=10, n_answers=18)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    exemplar.fit(dataset, SMALL, folder, silent)
    return folder


def references(dataset, rater, n=8):
    return [
        ReferencePair(
            preferred=dataset.image(j.preferred_image, 64), rejected=dataset.image(j.rejected_image, 64)
        )
        for j in dataset.judgments_of(rater)[:n]
    ]


def untrained(config=SMALL, seed=0):
    """With an enhancer that does something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(config)
        torch.nn.init.normal_(network.enhancer.residual.weight, std=0.02)
    return Exemplar(network, config)


def test_the_published_sizes():
    """Style and content of 512 numbers, tokens of 1536 mapped to 1024; PieNet 28 M parameters."""
    network = Network(exemplar.paper())
    image = photos(1, 3, 64, 64)
    assert network.style.eval()(image).shape == network.content.eval()(image).shape == (1, 512)
    assert (network.masked.token.in_features, network.masked.token.out_features) == (1536, 1024)
    assert len(network.masked.transformer.layers) == 6
    assert count(network.style.resnet) == 11_176_512  # ResNet-18 without its classifier
    assert count(network.content) == 11_176_512 + 512 * 128
    assert count(network.style, network.enhancer) == pytest.approx(28e6, rel=0.02)
    # 90 M without the map of tokens and what it takes in beside masked style modeling.
    assert count(network) - count(network.masked.token) == pytest.approx(90e6, rel=0.02)


def test_styles_turn_their_sign_when_swapped():
    style = StyleEncoder(EncoderConfig(width=4)).eval()
    one, other = photos(2, 3, 3, 32, 32)
    torch.testing.assert_close(style.style(one, other), -style.style(other, one))
    torch.testing.assert_close(style.style(one, one), torch.zeros(3, 32))


def test_content_has_a_layout():
    """Mirroring the photo changes it; of 1 place alone it would be pooled away but for borders."""
    config = EncoderConfig(width=4)
    content = ContentEncoder(config).eval()
    image = photos(1, 3, 64, 64)
    image[..., :32] *= 0.1
    assert content(image).shape == (1, config.embedding)
    assert (content(image) - content(image.flip(3))).abs().max() > 1e-3


def test_encoders_start_from_a_resnet18_of_a_library(tmp_path):
    torch.save(new_network("timm:resnet18", seed=1).state_dict(), tmp_path / "resnet.pth")
    style = StyleEncoder(EncoderConfig())
    start_from(style, f"timm:resnet18={tmp_path / 'resnet.pth'}")
    expected = new_network("timm:resnet18", seed=1).state_dict()
    assert torch.equal(style.resnet.layer4[1].conv2.weight, expected["layer4.1.conv2.weight"])
    with pytest.raises(WeightsMissing, match="no ResNet-18 of this width"):
        start_from(StyleEncoder(EncoderConfig(width=8)), f"timm:resnet18={tmp_path / 'resnet.pth'}")


def test_an_enhancer_starts_as_the_identity_and_takes_any_size_from_32():
    enhancer = Enhancer(4, 8).eval()
    for size in (32, 48, 100):
        image = photos(2, 3, size, size)
        torch.testing.assert_close(enhancer(image, noise(2, 8)), image)
    assert torch.equal(Enhancer(4, 0).eval()(image), image)


def test_an_enhancer_follows_its_style():
    network = untrained()._network
    image = photos(1, 3, 32, 32)
    one, other = (network.enhancer(image, style) for style in noise(2, 1, 32))
    assert (one - other).abs().max() > 1e-4


def test_edge_aware_variation_by_hand():
    """One step of 1 in the change: on a flat photo it weighs 1, on the photo's own edge of 2 exp(-2)."""
    change = torch.zeros(1, 3, 2, 2)
    change[..., 1] = 1
    flat = torch.zeros(1, 3, 2, 2)
    assert edge_aware_variation(change, flat).item() == pytest.approx(1)
    edge = flat.clone()
    edge[..., 1] = 2
    assert edge_aware_variation(change, edge).item() == pytest.approx(np.exp(-2))
    assert edge_aware_variation(flat + 0.7, edge).item() == 0


def test_triplet_loss_by_hand():
    """Distances 1 and 3: satisfied by more than the margin of 0.2. Swapped: 2 + 0.2. Equal: 0.2."""
    user, near, far = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    assert triplet_loss(near, far, user) == 0
    assert triplet_loss(far, near, user).item() == pytest.approx(2.2)
    assert triplet_loss(near, near, user).item() == pytest.approx(0.2)


def test_whitening_there_and_back():
    whitening = Whitening(6)
    styles = noise(50, 6) @ noise(6, 6, seed=1) + 3
    whitening.fit(styles)
    white = whitening.whiten(styles)
    torch.testing.assert_close(white.T @ white / 49, torch.eye(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(whitening.restore(white), styles, atol=1e-4, rtol=0)


def test_few_styles_whiten_to_the_space_they_span():
    whitening = Whitening(6)
    whitening.fit(noise(3, 6))
    torch.testing.assert_close(
        whitening.restore(whitening.whiten(noise(3, 6))), noise(3, 6), atol=1e-4, rtol=0
    )
    assert torch.isfinite(whitening.whiten(noise(2, 6, seed=9))).all()


@pytest.mark.parametrize("styles", [1, 2])
def test_the_order_of_the_references_does_not_matter(styles):
    masked = MaskedStyle(8, styles, PredictorConfig(width=16, heads=2, layers=2, hidden=32)).eval()
    tokens, contents, query = noise(2, 7, styles, 8), noise(2, 7, 8, seed=1), noise(2, 8, seed=2)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = masked(tokens, contents, query)
        shuffled = masked(tokens[:, order], contents[:, order], query)
    torch.testing.assert_close(shuffled, expected, atol=1e-5, rtol=0)


def test_style_and_content_are_interleaved_and_the_last_token_is_masked():
    masked = MaskedStyle(8, 1, PredictorConfig(width=16, heads=2, layers=1, hidden=8))
    styles, contents, query = noise(1, 3, 1, 8), noise(1, 3, 8, seed=1), noise(1, 8, seed=2)
    tokens = masked.tokens(styles, contents, query)
    assert tokens.shape == (1, 4, 16)
    torch.testing.assert_close(tokens[0, :3, ::2], styles[0, :, 0])
    torch.testing.assert_close(tokens[0, :3, 1::2], contents[0])
    torch.testing.assert_close(tokens[0, 3, ::2].norm(), torch.tensor(1.0))
    torch.testing.assert_close(tokens[0, 3, 1::2], query[0])


def test_references_that_are_absent_are_not_seen():
    masked = MaskedStyle(8, 1, PredictorConfig(width=16, heads=2, layers=2, hidden=32)).eval()
    styles, contents, query = noise(1, 5, 1, 8), noise(1, 5, 8, seed=1), noise(1, 8, seed=2)
    absent = torch.tensor([[False, True, False, True, True]])
    with torch.no_grad():
        alone = masked(styles[:, [0, 2]], contents[:, [0, 2]], query)
        torch.testing.assert_close(masked(styles, contents, query, absent), alone, atol=1e-5, rtol=0)


def test_the_weighted_average_weighs_by_the_cosine():
    """Contents alike, at a right angle and opposite: weights 1, 0 and -1, over three."""
    styles = torch.tensor([[[1.0, 2.0], [50.0, 50.0], [4.0, 0.0]]])
    contents = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]]])
    average = weighted_average(styles, contents, torch.tensor([[5.0, 0.0]]))
    torch.testing.assert_close(average, torch.tensor([[-1.0, 2.0 / 3.0]]))


@pytest.mark.parametrize("method", ["flow", "rollout"])
def test_attention_of_one_layer_is_what_the_output_attends_to(method):
    attention = np.array([[[1, 0, 0], [0, 1, 0], [0.6, 0.2, 0.2]]], np.float32)
    np.testing.assert_allclose(attention_weights(attention, method=method), [0.75, 0.25], atol=1e-5)


def test_attention_is_that_of_the_transformer():
    masked = MaskedStyle(8, 1, PredictorConfig(width=16, heads=2, layers=2, hidden=32)).eval()
    styles, contents, query = noise(1, 5, 1, 8), noise(1, 5, 8, seed=1), noise(1, 8, seed=2)
    with torch.no_grad():
        attention = masked.attention(styles, contents, query)
    assert attention.shape == (2, 6, 6)
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 6))
    assert attention_weights(attention.numpy()).sum() == pytest.approx(1)


def test_an_attention_picture_shows_every_reference():
    references = [np.full((4, 6, 3), 0.5, np.float32)] * 7
    weights = np.linspace(0.1, 0.2, 7, dtype=np.float32)
    sheet = attention_picture(references[0], references[0], references, weights, side=20)
    assert sheet.shape == (3 * (20 + 6 + 18) + 6, 5 * 26 + 6, 3)
    with pytest.raises(ValueError, match="7 references and 6 weights"):
        attention_picture(references[0], references[0], references, weights[1:])


def test_versions_of_a_photo_are_cropped_alike_and_kept_once():
    made = []

    def make(key):
        made.append(key)
        return torch.full((3, 8, 8), key, dtype=torch.uint8)

    squares = Squares(make, max_bytes=3 * 64)
    squares([10, 10, 20])
    squares([10, 20])
    assert made == [10, 20, 20]  # the second did not fit
    frames = random_frames(6, Augmentation(), np.random.default_rng(0))
    image = photos(6, 3, 20, 20)
    torch.testing.assert_close(framed(image / 2, frames, 15), framed(image, frames, 15) / 2)
    still = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(framed(image[:1], still, 20), image[:1])


def test_jitter_changes_brightness_within_its_range():
    grey = torch.full((200, 3, 2, 2), 0.4)
    changed = jittered(grey, Augmentation(), np.random.default_rng(0), colours=False)
    assert (changed[:, :1] == changed).all()
    assert 0.2 <= changed.min() < 0.25
    assert 0.55 < changed.max() <= 0.6


def test_the_mean_of_a_pair_is_of_light():
    """Black and white: half the light is 0.735 in sRGB."""
    mean = mean_in_linear_light(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    torch.testing.assert_close(mean, torch.full((1, 3, 1, 1), 0.7354), atol=1e-4, rtol=0)


def test_it_learns_which_way_a_new_rater_goes(dataset, run):
    """On a scene that was never trained on, of raters whom it has never met."""
    system = exemplar.load(run)
    neutral = dataset.image(image_id(3, 0), 32)
    likes_bright, likes_dark = (system.adapt(references(dataset, f"rater{r}")) for r in (0, 1))
    bright, dark = (system.render([neutral], profile)[0].mean() for profile in (likes_bright, likes_dark))
    assert bright > dark + 0.01


@pytest.mark.parametrize(
    "change",
    [
        {"style": "triplet"},
        {"style": "triplet", "query": "original", "lifting": LiftingConfig(method="bilateral_grid")},
        {"query": "original", "predictor": PredictorConfig(kind="weighted_average")},
    ],
)
def test_every_form_trains_and_renders(dataset, tmp_path, change):
    config = dataclasses.replace(SHORT, **change)
    exemplar.fit(dataset, config, tmp_path / "run", silent)
    system = load_run(tmp_path / "run")
    assert system.config == config
    photo = dataset.image(image_id(3, 0), 32)
    rendered = system.render([photo], system.adapt(references(dataset, "rater0")))[0]
    assert rendered.shape == photo.shape
    assert np.isfinite(rendered).all()


def test_a_run_folder_holds_all_that_is_needed(dataset, run):
    assert {"README.md", "config.json", "curves.parquet", "weights.safetensors"} <= {
        p.name for p in run.iterdir()
    }
    assert not (run / "checkpoint").exists()
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert from_json(Config, settings) == SMALL
    curves = pq.read_table(run / "curves.parquet").to_pydict()
    assert sorted(set(curves["stage"])) == [1, 2, 3]
    assert curves["step"] == sorted(curves["step"])
    assert curves["step"][-1] == 110
    assert {"loss_triplet", "loss_pixel", "loss_embedding", "loss_variation", "loss_masked"} <= set(curves)


def test_training_that_was_stopped_goes_on_to_the_same_weights(dataset, tmp_path):
    """Stopped in the second of three stages."""

    class Stopped(Exception):
        pass

    def stop(done, total, stage):
        if done == 2:
            raise Stopped

    config = dataclasses.replace(SHORT, shares=(1 / 6, 2 / 6, 3 / 6), loop=LoopConfig(steps=6, warmup=0))
    exemplar.fit(dataset, config, tmp_path / "whole", silent)
    with pytest.raises(Stopped):
        exemplar.fit(dataset, config, tmp_path / "run", stop)
    with pytest.raises(RunError, match="the training has not ended: go on with --resume"):
        exemplar.load(tmp_path / "run")
    exemplar.fit(dataset, config, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(tmp_path / name, system="exemplar") for name in ("whole", "run"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (90, 33)])
def test_photos_of_any_size_are_edited(size):
    system = untrained()
    photo = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    pair = ReferencePair(preferred=photo, rejected=photo / 2)
    assert system.render([photo], system.adapt([pair]))[0].shape == photo.shape


def test_one_reference_fifty_grey_ones_and_the_photo_itself_are_read():
    system = untrained()
    photo = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    grey = np.full((9, 9, 3), 0.5, np.float32)
    for pairs in (
        [ReferencePair(preferred=photo, rejected=photo / 2)],
        [ReferencePair(preferred=photo, rejected=photo / 2)] * 50,
        [ReferencePair(preferred=grey, rejected=grey)],
    ):
        profile = system.adapt(pairs)
        assert profile["styles"].shape == (len(pairs), 1, 32)
        assert np.isfinite(system.render([photo], profile)[0]).all()
    with pytest.raises(ValueError, match="references is empty"):
        system.adapt([])


def test_the_scene_s_original_is_read_where_it_is_at_hand():
    """Else the mean of the pair in linear light stands for it."""
    system = untrained(dataclasses.replace(SMALL, style="triplet"))
    photo = np.random.default_rng(0).random((32, 32, 3), dtype=np.float32)
    mean = linear_to_srgb((srgb_to_linear(photo) + srgb_to_linear(photo / 2)) / 2)
    plain, own, same, averaged = (
        system.adapt([ReferencePair(preferred=photo, rejected=photo / 2, original=original)])
        for original in (None, photo / 3, photo, mean)
    )
    np.testing.assert_allclose(same["styles"][0, 0], 0, atol=1e-5)
    assert np.abs(own["styles"] - plain["styles"]).max() > 1e-3
    assert np.abs(own["contents"] - plain["contents"]).max() > 1e-3
    np.testing.assert_allclose(averaged["styles"], plain["styles"], atol=1e-5)


def test_strength_guide_and_lut_agree_with_the_rendering():
    system = untrained()
    photo = np.random.default_rng(0).random((20, 30, 3), dtype=np.float32)
    other = np.full((40, 20, 3), 0.7, np.float32)
    profile = system.adapt([ReferencePair(preferred=photo, rejected=photo / 2)])
    none, full = (system.render([photo], profile, strength=s)[0] for s in (0, 1))
    np.testing.assert_allclose(none, photo, atol=1e-6)
    assert np.abs(full - photo).max() > 1e-3
    assert np.abs(system.render([photo], profile, [other])[0] - full).max() > 1e-4
    assert isinstance(system, ColorMapper)
    corners = np.array([[[0, 0, 0], [1, 1, 1], [0.5, 0.25, 1]]], np.float32)
    table = system.bake(photo, profile, size=5)
    expected = system.render([corners], profile, [photo])[0][0]
    np.testing.assert_allclose([table[0, 0, 0], table[4, 4, 4], table[2, 1, 4]], expected, atol=1e-5)


def test_an_edit_lifted_by_a_grid_cannot_be_baked():
    config = dataclasses.replace(SMALL, lifting=LiftingConfig(method="bilateral_grid"))
    photo = np.full((8, 8, 3), 0.5, np.float32)
    with pytest.raises(ValueError, match="no LUT can hold its edit"):
        untrained(config).bake(photo, {})


def test_the_average_rater_is_all_raters_references():
    system = untrained()
    one, two = (
        {"styles": np.full((n, 1, 4), n, np.float32), "contents": np.full((n, 4), n, np.float32)}
        for n in (3, 2)
    )
    mean = system.mean_profile([one, two])
    assert mean["contents"][:, 0].tolist() == [3, 3, 3, 2, 2]
    many = system.mean_profile([one] * 400)
    assert len(many["styles"]) == len(many["contents"]) == MOST_EXAMPLES
    with pytest.raises(ValueError, match="at least one"):
        system.mean_profile([])


@pytest.mark.parametrize("make", list(exemplar.PRESETS.values()))
def test_presets_survive_json(make):
    assert from_json(Config, to_json(make())) == make()


def test_the_table_of_names_is_true():
    assert tuple(exemplar.PRESETS) == PRESETS["exemplar"]
    assert all(make().preset == name for name, make in exemplar.PRESETS.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style": "both"}, "style is 'both'; it must be one of triplet, preferred_minus_rejected"),
        ({"query": "photo"}, "query is 'photo'; it must be one of original, input"),
        ({"edit_size": 16}, "edit_size is 16; it must be from 32 to 2048 pixels"),
        ({"edit_size": 64, "embed_size": 128}, r"embed_size is 128; it must be at most edit_size \(64\)"),
        ({"neutral_share": 2}, "neutral_share is 2; it must be from 0 to 1"),
        ({"batch": 0}, "batch is 0"),
        ({"shares": (0.5, 0.5)}, "shares has 2 entries; there must be one each for embedding, style, masked"),
        ({"shares": (0.5, 0.6, -0.1)}, "all must be above 0 and their sum 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(exemplar.tiny(), **settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EncoderConfig(layout=3), "layout is 3; it must be one of 1, 2, 4, 8"),
        (lambda: EncoderConfig(width=1, layout=8), "cannot be shared among 64 places"),
        (lambda: PredictorConfig(kind="mean"), "kind is 'mean'"),
        (lambda: PredictorConfig(width=10, heads=4), "must be a multiple of heads"),
        (lambda: LiftingConfig(method="resize"), "method is 'resize'; it must be one of lut, bilateral_grid"),
        (lambda: LiftingConfig(lut_size=1), "lut_size is 1"),
        (lambda: Augmentation(smallest_crop=0), "smallest_crop is 0"),
        (lambda: Augmentation(brightness=1), "brightness is 1"),
    ],
)
def test_parts_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
