import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from learning import render
from learning.data.dataset import PreferenceDataset
from learning.systems import PRESETS, msm
from learning.systems.interface import ColorMapper, PhotoReader, ReferencePair
from learning.systems.load import load_run
from learning.systems.msm import Config, MaskedStyleModel, Network
from learning.systems.style_parts.attention import attention_picture
from learning.systems.style_parts.degrading import DegraderConfig, fit_degrader
from learning.systems.style_parts.editing import LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import as_square
from learning.systems.style_parts.liked import LikedReferenceSteps, degraded
from learning.systems.style_parts.liked_stages import sources
from learning.systems.style_parts.predictor import PredictorConfig
from learning.systems.style_parts.pseudo_users import RULES, apply_rule
from learning.training.loop import LoopConfig
from learning.training.run_folder import read_weights
from learning.training.settings import from_json, to_json
from tests.learning.factories import in_a_frame, make_dataset
from variants.progress import silent

SMALL = dataclasses.replace(
    msm.tiny(),
    edit_size=32,
    embed_size=32,
    encoder=EncoderConfig(width=4),
    enhancer_width=4,
    predictor=PredictorConfig(width=64, heads=2, layers=2, hidden=32),
    lifting=LiftingConfig(lut_size=5),
    batch=6,
    users=3,
    references=3,
    shares=(0.2, 0.2, 0.2, 0.4),
    loop=LoopConfig(steps=10, warmup=0),
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = make_dataset(tmp_path_factory.mktemp("data") / "brightness", n_raters=6, n_answers=12)
    return PreferenceDataset.load(folder)


@pytest.fixture(scope="module")
def run(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    msm.fit(dataset, SMALL, folder, silent)
    return folder


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    return [rng.random((20, 10 + n, 3), dtype=np.float32) * (1 - n / 10) for n in range(5)]


def untrained(config=SMALL):
    """With an enhancer and a degrading model that do something."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Network(config)
        for part in (network.enhancer, network.degrader):
            torch.nn.init.normal_(part.residual.weight, std=0.02)
        network.whitening.fit(torch.randn(64, config.encoder.embedding))
    return MaskedStyleModel(network, config)


def psnr(image, target):
    return -10 * np.log10(np.mean((np.asarray(image) - np.asarray(target)) ** 2))


def test_the_published_size():
    """90 million parameters without the degrading model; tokens of 1024 that need no map."""
    network = Network(msm.paper())
    own = sum(p.numel() for name, p in network.named_parameters() if not name.startswith("degrader"))
    assert own == pytest.approx(90e6, rel=0.01)
    assert isinstance(network.masked.token, torch.nn.Identity)
    styles, contents = torch.zeros(1, 2, 1, 512), torch.zeros(1, 2, 512)
    assert network.masked.tokens(styles, contents, contents[:, 0]).shape == (1, 3, 1024)
    assert network.masked.out.out_features == 512


def test_a_rule_is_learned_backwards_and_then_forwards():
    """Degrading takes a known rule back on a photo that was not trained on; an enhancer trained on what
    was degraded does the rule.
    """
    kept, *others = (
        photo[::8, ::8] / np.float32(255) for photo in (data.coffee(), data.astronaut(), data.chelsea())
    )
    config = DegraderConfig(
        size=32,
        width=4,
        batch=8,
        loop=LoopConfig(steps=50, learning_rate=8e-3, weight_decay=0.0, warmup=10),
    )
    degrader = fit_degrader(others, config, silent, rules=["gamma"])
    liked = apply_rule("gamma", kept)
    assert psnr(degrader.pseudo_original(liked), kept) > psnr(liked, kept) + 2

    pairs = [
        tuple(as_square(image, 32)[None].float() / 255 for image in (degrader.pseudo_original(photo), photo))
        for photo in (apply_rule("gamma", other) for other in others)
    ]
    before, after = (torch.cat(side) for side in zip(*pairs, strict=True))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        enhancer = Enhancer(4, 0)
    optimizer = torch.optim.Adam(enhancer.parameters(), lr=5e-3)
    for _ in range(30):
        loss = (enhancer(before) - after).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    small, aim = (as_square(image, 32)[None].float() / 255 for image in (kept, liked))
    with torch.no_grad():
        assert psnr(enhancer.eval()(small), aim) > psnr(small, aim) + 2


def test_degrading_is_done_at_the_size_it_was_trained_at():
    network = untrained()._network.degrader
    images = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    expected = (images + network.change(images)).clamp(0, 1)
    torch.testing.assert_close(degraded(images, network, 32), expected)
    small = degraded(images[..., ::2, ::2], network, 32)
    assert small.shape == (2, 3, 16, 16)


def test_of_a_rules_references_only_the_photo_itself_is_seen(dataset):
    source = sources(dataset, SMALL)[0]
    steps = LikedReferenceSteps(
        source, users=6, references=3, size=32, augmentation=SMALL.augmentation, seed=0
    )
    step = steps[5]
    assert step.pairs.retouched.shape == (24, 3, 32, 32)
    assert step.absent.tolist() == [[False] * 3] * 3 + [[True, True, False]] * 3
    retouched = step.pairs.retouched.unflatten(0, (6, 4))
    for rule in retouched[3:]:
        assert torch.equal(rule[2], rule[3])
    users = step.pairs.users.unflatten(0, (6, 4))
    assert (users == users[:, :1]).all()
    assert (users[:3] < source.n_raters).all()
    assert (users[3:] >= source.n_raters).all()
    assert source.n_users == source.n_raters + len(RULES)


def test_a_raters_last_reference_is_the_photo_itself_half_of_the_time(dataset):
    source = sources(dataset, dataclasses.replace(SMALL, rule_users=False))[0]
    steps = LikedReferenceSteps(
        source, users=8, references=3, size=32, augmentation=SMALL.augmentation, seed=0
    )
    same = [
        torch.equal(user[2], user[3])
        for step in range(8)
        for user in steps[step].pairs.retouched.unflatten(0, (8, 4))
    ]
    assert 0.3 < np.mean(same) < 0.7


def test_the_order_of_the_references_does_not_matter(photos):
    system = untrained()
    profile = system.adapt_to_photos(photos)
    assert profile["styles"].shape == profile["contents"].shape == (5, 32)
    turned = {name: values[::-1].copy() for name, values in profile.items()}
    one, other = (system.render(photos[:1], p)[0] for p in (profile, turned))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_attention_says_what_an_edit_drew_on(photos):
    system = untrained()
    profile = system.adapt_to_photos(photos)
    for method in ("flow", "rollout"):
        weights = system.attention(profile, photos[0], method=method)
        assert weights.shape == (5,)
        assert weights.sum() == pytest.approx(1, abs=1e-5)
    sheet = attention_picture(photos[0], system.render(photos[:1], profile)[0], photos, weights, side=24)
    assert sheet.ndim == 3
    with pytest.raises(ValueError, match="method is 'gradient'; it must be one of flow, rollout"):
        system.attention(profile, photos[0], method="gradient")


def test_the_weighted_average_has_no_attention(dataset, photos, tmp_path):
    config = dataclasses.replace(
        SMALL, predictor=PredictorConfig(kind="weighted_average"), loop=LoopConfig(steps=5, warmup=0)
    )
    msm.fit(dataset, config, tmp_path / "run", silent)
    system = load_run(tmp_path / "run")
    profile = system.adapt_to_photos(photos)
    assert np.isfinite(system.render(photos[:1], profile)[0]).all()
    with pytest.raises(ValueError, match="has no attention to follow"):
        system.attention(profile, photos[0])


def test_originals_at_hand_are_used_and_one_that_equals_its_photo_is_no_style(photos):
    system = untrained()
    same = system.adapt_to_retouched(photos[:2], photos[:2])
    np.testing.assert_allclose(same["styles"], 0, atol=1e-5)
    darker = system.adapt_to_retouched(photos[:2], [photo / 2 for photo in photos[:2]])
    assert np.abs(darker["styles"]).max() > 1e-3
    pairs = [
        ReferencePair(preferred=photos[0], rejected=photos[1], original=photos[0] / 2),
        ReferencePair(preferred=photos[1], rejected=photos[0]),
    ]
    of_answers = system.adapt(pairs)["styles"]
    np.testing.assert_allclose(of_answers[0], darker["styles"][0], atol=1e-5)
    np.testing.assert_allclose(of_answers[1], system.adapt_to_photos(photos[1:2])["styles"][0], atol=1e-5)
    with pytest.raises(ValueError, match="retouched is empty"):
        system.adapt_to_retouched([], [])


def test_photos_are_read_and_edited_whatever_they_are(photos):
    system = untrained()
    assert isinstance(system, PhotoReader)
    assert isinstance(system, ColorMapper)
    grey = np.full((5, 9, 3), 0.5, np.float32)
    for references in ([photos[0]], photos * 10, [grey], [np.zeros((1, 1, 3), np.float32)]):
        profile = system.adapt_to_photos(references)
        assert len(profile["styles"]) == len(references)
        rendered = system.render([photos[0], grey], profile)
        assert [image.shape for image in rendered] == [photos[0].shape, grey.shape]
        assert np.isfinite(rendered[0]).all()
    assert system.pseudo_original(photos[0]).shape == photos[0].shape
    pairs = [ReferencePair(preferred=photo, rejected=photo) for photo in photos]
    np.testing.assert_array_equal(system.adapt(pairs)["styles"], system.adapt_to_photos(photos)["styles"])
    with pytest.raises(ValueError, match="references is empty"):
        system.adapt([])
    with pytest.raises(ValueError, match="photos is empty"):
        system.adapt_to_photos([])


def test_a_frame_of_one_colour_does_not_count(photos):
    system = untrained()
    plain, framed = (system.adapt_to_photos(p)["styles"] for p in (photos, [in_a_frame(p) for p in photos]))
    np.testing.assert_array_equal(framed, plain)


def test_a_loaded_run_edits_as_before(run, photos, tmp_path):
    system = load_run(run)
    assert system.config == SMALL
    system.save(tmp_path / "copy")
    profile = system.adapt_to_photos(photos)
    expected = system.render(photos[:1], profile)[0]
    np.testing.assert_array_equal(load_run(tmp_path / "copy").render(photos[:1], profile)[0], expected)


def test_render_draws_which_answers_an_edit_drew_on(run, dataset, photos, tmp_path):
    photo = tmp_path / "in.png"
    Image.fromarray((photos[0] * 255).astype(np.uint8)).resize((48, 32)).save(photo)
    rater = dataset.training_raters()[0]
    asked = ["--run", str(run), "--dataset", str(dataset.folder), "--rater", rater, "--quiet"]
    sheet = tmp_path / "sheet.png"
    assert render.main([*asked, "--attention", str(sheet), str(photo), str(tmp_path / "out.png")]) == 0
    with Image.open(sheet) as drawn:
        assert drawn.height >= 160


def test_training_that_was_stopped_goes_on_to_the_same_weights(dataset, run, tmp_path):
    class Stopped(Exception):
        pass

    def stop(done, total, stage):
        if done == 8:
            raise Stopped

    with pytest.raises(Stopped):
        msm.fit(dataset, SMALL, tmp_path / "run", stop)
    msm.fit(dataset, SMALL, tmp_path / "run", silent, resume=True)
    whole, resumed = (read_weights(folder, system="msm") for folder in (run, tmp_path / "run"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


@pytest.mark.parametrize("make", list(msm.PRESETS.values()))
def test_presets_survive_json(make):
    assert from_json(Config, to_json(make())) == make()
    assert make().preset in PRESETS["msm"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"users": 0}, "users is 0; it must be 1 or more"),
        ({"references": 0}, "references is 0"),
        ({"shares": (0.5, 0.5)}, "one each for degrading, embedding, style, masked"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(msm.tiny(), **settings)
