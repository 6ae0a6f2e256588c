import dataclasses
import json

import numpy as np
import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from learning.backbones import WeightsMissing
from learning.data.dataset import PreferenceDataset
from learning.systems import deep_photo
from learning.systems.deep_photo import DeepPhoto, SegmentError
from learning.systems.deep_photo.config import Config, IterationConfig, LossConfig
from learning.systems.deep_photo.features import load_features, new_features
from learning.systems.deep_photo.losses import masked_grams, total_variation
from learning.systems.deep_photo.optimise import minimise
from learning.systems.deep_photo.segments import Segmenter, fitted_labels, paired, soft_masks
from learning.systems.interface import ColorMapper, PhotoReader, ReferencePair, Scorer
from learning.systems.load import load_run
from learning.training.run_folder import RunError
from learning.training.settings import from_json, to_json
from tests.learning.factories import make_dataset
from variants.progress import silent

TINY = deep_photo.PRESETS["tiny"]()
QUICK = ("reinhard", "monge_kantorovich", "sliced_ot")
STAND_IN = "torchvision:squeezenet1_1"


def photo(seed=0, size=(24, 32)):
    """Smooth random colours."""
    coarse = np.random.default_rng(seed).uniform(0.1, 0.9, (5, 5, 3)).astype(np.float32)
    tensor = torch.from_numpy(coarse).permute(2, 0, 1)[None]
    up = torch.nn.functional.interpolate(tensor, size, mode="bilinear", align_corners=True)
    return np.ascontiguousarray(up[0].permute(1, 2, 0).numpy())


def system_of(method="monge_kantorovich", steps=4, **settings):
    """With features of random weights where the method needs some."""
    defaults = {"loop": IterationConfig(steps=steps, at_once=2), "edit_size": 24, "style_size": 24}
    settings = defaults | {"affine_filter": False} | settings
    needs = method in ("lut_lbfgs", "optimise")
    config = dataclasses.replace(
        TINY, method=method, backbone=STAND_IN if needs else "", lut_edit_size=24, **settings
    )
    return DeepPhoto(config, new_features(STAND_IN, 0) if needs else None)


def halves(size=(24, 32)):
    labels = np.zeros(size, int)
    labels[:, size[1] // 2 :] = 1
    return labels


def test_it_is_a_system_in_all_that_it_says():
    system = system_of()
    assert isinstance(system, ColorMapper)
    assert isinstance(system, PhotoReader)
    assert not isinstance(system, Scorer)


@pytest.mark.parametrize("method", QUICK)
def test_the_photo_takes_the_colours_of_the_style(method):
    system = system_of(method)
    style = 0.5 * photo(1) + np.array([0.4, 0.2, 0.0], np.float32)
    result = system.render([photo()], system.adapt_to_photos([style]))[0]
    np.testing.assert_allclose(result.mean((0, 1)), style.mean((0, 1)), atol=0.04)
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("method", [*QUICK, "lut_lbfgs", "optimise"])
def test_a_picture_as_its_own_reference_stays_nearly_as_it_is(method):
    system = system_of(method)
    result = system.render([photo()], system.adapt_to_photos([photo()]))[0]
    assert np.abs(result - photo()).mean() < 0.02


@pytest.mark.parametrize("method", ["monge_kantorovich", "lut_lbfgs"])
def test_the_baked_lut_is_the_edit(method):
    system = system_of(method)
    profile = system.adapt_to_photos([photo(1)])
    table = system.bake(photo(), profile, size=33, strength=0.8)
    assert table.shape == (33, 33, 33, 3)
    from learning.renderers.lifting import apply_lut

    edited = system.render([photo()], profile, strength=0.8)[0]
    assert np.abs(apply_lut(photo(), table) - edited).mean() < 2e-3


def test_pixels_by_themselves_fit_no_lut():
    system = system_of("optimise")
    with pytest.raises(ValueError, match="edits each place differently"):
        system.bake(photo(), system.adapt_to_photos([photo(1)]))


@pytest.mark.parametrize("method", QUICK[:2])
def test_grey_references_make_grey_and_are_never_no_number(method):
    system = system_of(method)
    grey = photo(1).mean(axis=2, keepdims=True).repeat(3, axis=2)
    for reference in (grey, np.full((9, 9, 3), 0.5, np.float32), np.zeros((1, 1, 3), np.float32)):
        result = system.render([photo()], system.adapt_to_photos([reference]))[0]
        assert np.isfinite(result).all()
        assert (result.max(axis=2) - result.min(axis=2)).mean() < 0.02
    assert np.isfinite(system.render([grey], system.adapt_to_photos([photo()]))[0]).all()


def test_the_colour_of_a_frame_is_no_style():
    system = system_of()
    framed = np.full((32, 40, 3), [1.0, 0.0, 0.8], np.float32)
    framed[4:28, 4:36] = photo(1)
    plain, with_frame = (
        system.render([photo()], system.adapt_to_photos([reference]))[0] for reference in (photo(1), framed)
    )
    np.testing.assert_allclose(with_frame, plain, atol=1e-6)


def test_fifty_references_are_thinned_and_two_that_contradict_are_both_heard():
    system = system_of(max_photos=8)
    assert system.adapt_to_photos([photo(s) for s in range(50)])["photos"].shape == (8, 24, 24, 3)
    bright, dark = 0.5 + 0.5 * photo(1), 0.5 * photo(1)
    means = [
        system.render([photo()], system.adapt_to_photos(styles))[0].mean()
        for styles in ([dark], [dark, bright], [bright])
    ]
    assert means[0] < means[1] < means[2]


def test_the_nearest_liked_photo_is_the_one_of_the_same_layout_whatever_its_tone():
    system = system_of(style="nearest")
    alike = (0.3 + 0.4 * photo(0)) ** 1.5
    profile = system.adapt_to_photos([photo(7), alike.astype(np.float32), photo(8)])
    alone = system.adapt_to_photos([alike.astype(np.float32)])
    np.testing.assert_array_equal(system.render([photo()], profile)[0], system.render([photo()], alone)[0])


def test_a_rater_is_what_they_preferred_and_raters_mix():
    system = system_of(max_photos=2)
    pairs = [ReferencePair(preferred=photo(s), rejected=photo(s + 10)) for s in range(2)]
    liked = system.adapt_to_photos([pair.preferred for pair in pairs])
    np.testing.assert_array_equal(system.adapt(pairs)["photos"], liked["photos"])
    other = system.adapt_to_photos([photo(5), photo(6)])
    mean = system.mean_profile([liked, other])
    np.testing.assert_array_equal(mean["photos"], [liked["photos"][0], other["photos"][1]])
    for nothing in (system.adapt, system.adapt_to_photos, system.mean_profile):
        with pytest.raises(ValueError, match="is empty"):
            nothing([])


def test_the_guide_says_what_is_done_and_strength_how_far():
    system = system_of()
    profile = system.adapt_to_photos([photo(1)])
    whole = system.render([photo()], profile)[0]
    part = system.render([photo()[4:12, 5:20]], profile, guides=[photo()])[0]
    np.testing.assert_allclose(part, whole[4:12, 5:20], atol=1e-6)
    half = system.render([photo()], profile, strength=0.5)[0]
    np.testing.assert_allclose(half, (photo() + whole) / 2, atol=1e-6)
    np.testing.assert_array_equal(system.render([photo()], profile, strength=0.0)[0], photo())


def test_a_segment_hears_of_its_own_style_alone():
    """The style's left half changes; the photo's right half does not, away from the edge."""
    system = system_of()
    image, style = photo(0, (60, 80)), photo(1, (24, 24))
    other = style.copy()
    other[:, :12] *= 0.3
    results = [
        system.transfer(image, system.adapt_to_photos([s], [halves((24, 24))]), labels=halves((60, 80))).image
        for s in (style, other)
    ]
    change = np.abs(results[0] - results[1]).max(axis=(0, 2))
    assert change[:30].max() > 0.1
    np.testing.assert_array_equal(change[50:], 0)


def test_segments_of_the_photo_alone_take_the_nearest_style_or_are_refused():
    image, style = np.full((8, 8, 3), 0.2, np.float32), np.full((8, 8, 3), 0.9, np.float32)
    style[:, 4:] = 0.25
    labels, style_labels = np.full((8, 8), 7), halves((8, 8))
    pairing = paired(image, labels, [style], [style_labels], "remap")
    assert pairing.classes == (1,)
    assert "segment 7 is in the photo alone; it took the style of segment 1" in pairing.notes[0]
    with pytest.raises(SegmentError, match="segments 7 are in the photo alone; the liked photos have 0, 1"):
        paired(image, labels, [style], [style_labels], "refuse")


def test_masks_of_another_size_are_resized_with_a_note_and_of_another_shape_refused():
    system = system_of()
    profile = system.adapt_to_photos([photo(1)], [halves()])
    result = system.transfer(photo(), profile, labels=halves((12, 16)))
    assert result.notes == ("the mask of the photo was resized from 16×12 to 32×24",)
    np.testing.assert_allclose(
        result.image, system.transfer(photo(), profile, labels=halves()).image, atol=1e-6
    )
    with pytest.raises(SegmentError, match="it has another shape"):
        system.transfer(photo(), profile, labels=halves((32, 24)))
    with pytest.raises(SegmentError, match="not whole"):
        fitted_labels(np.full((4, 4), 0.5), (4, 4), "the photo")
    with pytest.raises(SegmentError, match=r"it must be \(height, width\)"):
        fitted_labels(np.zeros((4, 4, 3)), (4, 4), "the photo")


def test_masks_without_partners_in_the_liked_photos_are_told():
    system = system_of()
    result = system.transfer(photo(), system.adapt_to_photos([photo(1)]), labels=halves())
    assert result.notes == ("the liked photos have no segments, so the photo's are not looked at",)


def test_soft_masks_sum_to_1_and_are_hard_away_from_the_edge():
    masks = soft_masks(photo(0, (60, 80)), halves((60, 80)), (0, 1))
    np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-5)
    assert (masks[0, :, :30] == 1).all()
    assert (masks[1, :, 50:] == 1).all()


def test_a_segmented_photo_fits_no_lut(tmp_path):
    system = segmenting(tmp_path)
    profile = system.adapt_to_photos([photo(1)])
    assert profile["labels"].shape == (1, 24, 24)
    profile["labels"][:, :, 12:] = 1
    profile["labels"][:, :, :12] = 0
    system._segmenter = lambda image: halves(image.shape[:2])
    with pytest.raises(ValueError, match="has 2 segments"):
        system.bake(photo(), profile)


def segmenting(folder):
    """With a segmentation network of the real architecture, tiny and random, loaded from disk."""
    config = SegformerConfig(
        num_labels=3,
        hidden_sizes=[8, 8, 8, 8],
        num_attention_heads=[1, 1, 1, 1],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        SegformerForSemanticSegmentation(config).save_pretrained(folder / "segformer")
    return DeepPhoto.of(dataclasses.replace(TINY, style_size=24, segmentation=str(folder / "segformer")))


def test_a_model_segments_photos_from_disk(tmp_path):
    system = segmenting(tmp_path)
    assert system._segmenter(photo()).shape == (24, 32)
    assert np.isfinite(system.render([photo()], system.adapt_to_photos([photo(1)]))[0]).all()


def test_a_segmentation_model_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsMissing, match=r"hf download .*leave `segmentation` empty"):
        Segmenter(str(tmp_path))


def test_masked_grams_by_hand():
    """Two pixels, of which the mask keeps the first: F = (1, 2), so the Gram is [[1, 2], [2, 4]] / (C · 1)."""
    features = torch.tensor([[[[1.0, 5.0]], [[2.0, 7.0]]]])
    grams = masked_grams(features, torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]]))
    assert grams[0].tolist() == [[0.5, 1.0], [1.0, 2.0]]
    assert grams[1].tolist() == [[12.5, 17.5], [17.5, 24.5]]


def test_total_variation_by_hand():
    image = torch.tensor([[[[0.0, 1.0], [3.0, 3.0]]]])
    assert total_variation(image).item() == 9 + 4 + 1 + 0


def test_masks_follow_the_features_down():
    features = new_features("torchvision:vgg19", 0)
    masks = torch.zeros(1, 1, 32, 32)
    masks[..., 16:] = 1
    found = features.masks_of(masks, (32, 32))
    assert [tuple(m.shape[-2:]) for m in found] == [(32, 32), (16, 16), (8, 8), (4, 4), (2, 2)]
    assert all(m.mean().item() == pytest.approx(0.5, abs=1e-3) for m in found)
    maps, content = features(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert [m.shape[1] for m in maps] == [64, 128, 256, 512, 512]
    assert content.shape == (1, 512, 4, 4)


@pytest.mark.parametrize("method", ["lut_lbfgs", "optimise"])
def test_lbfgs_makes_the_loss_smaller_and_tells_of_it(method):
    system = system_of(method, steps=8)
    told = []
    result = system.transfer(
        photo(), system.adapt_to_photos([photo(1)]), report=lambda *row: told.append(row)
    )
    assert result.notes == ()
    assert result.losses[4] < 0.9 * result.losses[0]
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1] == (8 if method == "lut_lbfgs" else 16)
    assert np.abs(result.image - photo()).mean() > 1e-3
    assert result.image.shape == photo().shape


def test_the_published_balance_and_caffes_pixels_run():
    losses = LossConfig(balance="published", matting=1.0)
    system = system_of("optimise", steps=2, losses=losses)
    system._features.is_caffe = True
    result = system.transfer(photo(), system.adapt_to_photos([photo(1)], [halves()]), labels=halves())
    assert result.losses[1] < result.losses[0]


def test_a_larger_photo_gets_the_edit_of_the_small_one():
    system = system_of("optimise")
    profile = system.adapt_to_photos([photo(1)])
    small = system.render([photo()], profile)[0]
    large = system.render([photo(0, (72, 96))], profile, guides=[photo()])[0]
    assert large.shape == (72, 96, 3)
    assert np.abs(large[1::3, 1::3] - small).mean() < 0.03


def test_whatever_the_report_raises_stops_it():
    def stop(done, total, stage):
        raise KeyboardInterrupt

    system = system_of("lut_lbfgs")
    with pytest.raises(KeyboardInterrupt):
        system.transfer(photo(), system.adapt_to_photos([photo(1)]), report=stop)


def test_a_fit_that_diverges_stops_says_so_and_keeps_the_best():
    """A loss that turns into no number once the values have come near its end."""
    calls = []

    def loss(values):
        calls.append(1)
        distance = (values - 3.0).square().sum()
        return distance if len(calls) < 8 else distance * torch.nan

    outcome = minimise(torch.zeros(4), loss, IterationConfig(steps=50, at_once=1), silent, "fitting")
    assert "fitting: stopped after" in outcome.note
    assert "the best before" in outcome.note
    assert torch.isfinite(outcome.values).all()
    assert (outcome.values - 3).square().sum() <= 36
    assert len(calls) < 60


def test_a_loss_that_is_no_number_from_the_start_leaves_the_start():
    outcome = minimise(
        torch.ones(2), lambda v: v.sum() * torch.nan, IterationConfig(steps=5), silent, "fitting"
    )
    assert "no number from the start" in outcome.note
    assert outcome.values.tolist() == [1, 1]


def test_missing_weights_are_told_and_weights_of_a_file_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsMissing, match=r"learning\.fetch torchvision:vgg19"):
        DeepPhoto.of(deep_photo.PRESETS["paper"]())
    with pytest.raises(ValueError, match="the layers of content and style are known for torchvision:vgg19"):
        load_features("timm:resnet18")
    made = new_features(STAND_IN, 3)
    tensors = {f"features.{name}": value for name, value in made.layers.state_dict().items()}
    torch.save(tensors, tmp_path / "squeezenet.pth")
    config = dataclasses.replace(
        TINY, method="lut_lbfgs", backbone=f"{STAND_IN}={tmp_path / 'squeezenet.pth'}"
    )
    loaded = DeepPhoto.of(config)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loaded._features.to("cpu")(image)[1], made(image)[1])


@pytest.mark.slow
def test_a_real_network_brings_a_photo_nearer_to_its_style(shared_data):
    file = shared_data / "weights" / "squeezenet1_1_features.npz"
    config = dataclasses.replace(
        TINY,
        method="lut_lbfgs",
        backbone=f"{STAND_IN}={file}",
        lut_edit_size=48,
        style_size=48,
        loop=IterationConfig(steps=20),
    )
    system = DeepPhoto.of(config)
    style = photo(1) * np.array([1.0, 0.7, 0.4], np.float32)
    result = system.transfer(photo(), system.adapt_to_photos([style]))
    assert result.losses[-1] < 0.5 * result.losses[0]
    distances = [np.abs(i.mean((0, 1)) - style.mean((0, 1))).mean() for i in (photo(), result.image)]
    assert distances[1] < distances[0]


def test_a_run_folder_is_written_though_nothing_is_trained(tmp_path):
    dataset = PreferenceDataset.load(make_dataset(tmp_path / "dataset"))
    system = deep_photo.fit(dataset, TINY, tmp_path / "run", silent)
    loaded = load_run(tmp_path / "run")
    profile = system.adapt_to_photos([photo(1)])
    np.testing.assert_array_equal(loaded.render([photo()], profile)[0], system.render([photo()], profile)[0])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["dataset"]["training_judgments"] == 0
    assert from_json(Config, to_json(TINY)) == TINY
    assert from_json(Config, to_json(deep_photo.PRESETS["paper"]())) == deep_photo.PRESETS["paper"]()
    deep_photo.fit(dataset, TINY, tmp_path / "run", silent, resume=True)
    with pytest.raises(RunError, match="holds a run already"):
        deep_photo.fit(dataset, TINY, tmp_path / "run", silent)


def test_untrained_is_the_tiny_preset():
    assert deep_photo.untrained().config == TINY


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "magic"}, "it must be one of reinhard, monge_kantorovich"),
        ({"method": "optimise"}, "needs features: name a backbone"),
        ({"style": "mean"}, "it must be one of pooled, nearest"),
        ({"max_gain": 0.5}, "max_gain is 0.5"),
        ({"max_photos": 0}, "max_photos is 0"),
        ({"edit_size": 4}, "from 8 to 4096 pixels"),
        ({"directions": -1}, "directions is -1"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **settings)
    for wrong in ({"balance": "none"}, {"input": "bgr"}, {"style": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LossConfig(**wrong)
