import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from variants.tone.color import hsv_to_rgb, luminance, rgb_to_hsv, srgb_to_linear
from variants.tone.concepts import CONCEPTS, gaussian_blur

NAMES = list(CONCEPTS)
COLOR_MAPS = [name for name, concept in CONCEPTS.items() if concept.is_color_map]


def adjust(name, image, strength):
    return CONCEPTS[name].adjust(image, strength)


def grey(*values):
    return np.array(values)[:, None, None].repeat(3, 2)


@pytest.fixture
def photo(rng):
    """Noise over all colours, black, white and a ramp."""
    image = rng.random((24, 20, 3))
    image[0], image[1], image[2] = 0, 1, np.linspace(0, 1, 20)[:, None]
    return image


@pytest.mark.parametrize("name", NAMES)
def test_strength_zero_changes_nothing(name, photo):
    """As a number, exactly; through the whole formula, as for a learnt strength, to 1e-6."""
    assert np.array_equal(adjust(name, photo, 0.0), photo)
    for kind in (torch.float64, torch.float32):
        learnt = adjust(name, torch.tensor(photo, dtype=kind), torch.tensor(0.0, dtype=kind))
        np.testing.assert_allclose(learnt.numpy(), photo, atol=1e-6)


@settings(max_examples=40)
@given(st.sampled_from(NAMES), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_results_stay_between_black_and_white(name, part, seed):
    concept = CONCEPTS[name]
    image = np.random.default_rng(seed).random((5, 4, 3), dtype=np.float32)
    image[0] = np.round(image[0])
    result = adjust(name, image, concept.low + part * (concept.high - concept.low))
    assert result.dtype == np.float32
    assert result.shape == image.shape
    assert np.isfinite(result).all()
    assert result.min() >= 0
    assert result.max() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", ["low", "high"])
def test_numpy_and_torch_agree(name, side, photo):
    strength = getattr(CONCEPTS[name], side)
    found = adjust(name, torch.tensor(photo), strength)
    np.testing.assert_allclose(found.numpy(), adjust(name, photo, strength), atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", [-0.4, 0.45])
def test_the_gradient_agrees_with_finite_differences(name, part, rng):
    """Away from strength 0, where some concepts have a bend, and from the edges of the gamut."""
    concept = CONCEPTS[name]
    strength = part * (concept.high if part > 0 else -concept.low)
    image = torch.tensor(rng.uniform(0.35, 0.65, (6, 5, 3)), requires_grad=True)
    learnt = torch.tensor(strength, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(concept.adjust, (image, learnt))
    assert torch.autograd.gradcheck(concept.weigh, image)
    slope = torch.autograd.grad(concept.adjust(image, learnt).sum(), learnt)[0]
    assert slope != 0 or name in ("sharpness", "saturation", "temperature", "tint", "contrast")


@pytest.mark.parametrize("name", NAMES)
def test_a_strength_that_is_learnt_moves_from_neutral(name, rng):
    """At 0 the gradient is the slope on one side; where a concept bends there, the other side has another."""
    image = torch.tensor(rng.uniform(0.2, 0.8, (128, 96, 3)))
    weights = torch.tensor(rng.uniform(size=image.shape)) * image

    def value(strength):
        return (weights * CONCEPTS[name].adjust(image, torch.as_tensor(strength, dtype=torch.float64))).sum()

    neutral, step = torch.tensor(0.0, dtype=torch.float64, requires_grad=True), 1e-6
    slope = torch.autograd.grad(value(neutral), neutral)[0]
    sides = [(value(side * step) - value(0)) / (side * step) for side in (-1, 1)]
    assert abs(slope) > 1e-3
    assert min(abs(slope - side) for side in sides) < 1e-3 * max(1, abs(slope))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_on_black_white_and_pure_colours(name):
    image = torch.tensor([[[0.0, 0, 0], [1, 1, 1], [1, 0, 0]], [[0, 0, 1], [0.5, 0.5, 0.5], [1, 1, 0]]])
    image.requires_grad_(True)
    for start in (CONCEPTS[name].low, 0.0, CONCEPTS[name].high):
        strength = torch.tensor(float(start), requires_grad=True)
        found = torch.autograd.grad((adjust(name, image, strength) ** 2).sum(), (image, strength))
        assert all(torch.isfinite(gradient).all() for gradient in found)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_its_photos_one_by_one(name, photo):
    """With a strength for each."""
    batch = torch.tensor(np.stack([photo, photo[::-1].copy()]))
    strengths = torch.tensor([0.3, -0.4], dtype=torch.float64)
    found = adjust(name, batch, strengths[:, None, None, None])
    weights = CONCEPTS[name].weigh(batch)
    for one, strength, result, weight in zip(batch, strengths, found, weights, strict=True):
        np.testing.assert_allclose(result, adjust(name, one, strength), atol=1e-12)
        np.testing.assert_allclose(weight, CONCEPTS[name].weigh(one), atol=1e-12)


@settings(max_examples=60)
@given(st.sampled_from(NAMES), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_what_is_undone_is_the_photo_again(name, part, seed):
    """To a thousandth of a level; dull colours, so that nothing is pulled into the gamut between."""
    concept = CONCEPTS[name]
    strength = concept.low + part * (concept.high - concept.low)
    assume(concept.can_undo(strength))
    rng = np.random.default_rng(seed)
    image = rng.uniform(0.1, 0.7, (5, 4, 1)) + rng.uniform(-0.02, 0.02, (5, 4, 3))
    if name not in ("temperature", "tint", "saturation"):
        image = rng.random((5, 4, 3))
        image[0] = np.round(image[0])
    found = concept.undo(concept.adjust(image, strength), strength)
    np.testing.assert_allclose(found, image, atol=0.001 / 255)


@pytest.mark.parametrize("name", [name for name in NAMES if CONCEPTS[name].undo])
def test_float32_comes_back_within_a_level(name, rng):
    concept = CONCEPTS[name]
    image = (rng.uniform(0.1, 0.7, (50, 40, 1)) + rng.uniform(-0.02, 0.02, (50, 40, 3))).astype(np.float32)
    for strength in np.linspace(concept.low, concept.high, 11)[1:]:
        found = concept.undo(concept.adjust(image, float(strength)), float(strength))
        assert found.dtype == np.float32
        assert np.abs(found - image).max() < 0.5 / 255, strength


@pytest.mark.parametrize("name", ["temperature", "tint"])
def test_a_cast_keeps_vivid_colours_vivid_and_white_white(name):
    """A yellow that is warmed must not pale to the colour of skin."""
    hues = np.stack([np.arange(36) / 36, np.ones(36), np.ones(36)], axis=-1)
    concept = CONCEPTS[name]
    for strength in np.linspace(concept.low, concept.high, 7):
        found = concept.adjust(hsv_to_rgb(hues), float(strength))
        assert rgb_to_hsv(found)[:, 1].min() > 0.999, strength
        np.testing.assert_allclose(concept.adjust(np.ones((1, 3)), float(strength)), 1, atol=1e-9)


def test_what_cannot_be_undone_says_why():
    assert not CONCEPTS["saturation"].can_undo(-1.0)
    assert CONCEPTS["saturation"].can_undo(-0.99)
    assert not CONCEPTS["sharpness"].can_undo(0.5)
    assert all(concept.lost for concept in CONCEPTS.values() if not concept.can_undo(concept.low))


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_one_number_a_pixel_between_0_and_1(name, photo):
    weight = CONCEPTS[name].weigh(photo)
    assert weight.shape == (24, 20, 1)
    assert weight.min() >= 0
    assert weight.max() <= 1 + 1e-12


@pytest.mark.parametrize(
    ("name", "colours", "wanted"),
    [
        ("exposure", [[0.2, 0.1, 0.0], [0.4, 0.6, 0.5]], [0.4, 0.4]),
        ("contrast", [[0.2, 0.1, 0.0], [0.4, 0.6, 0.5]], [0.2, 0.2]),
        ("highlight", [[0.5, 0.2, 0.1], [0.3, 0.7, 0.2], [0.9, 0.9, 0.9]], [0, 0.5, 1]),
        ("shadow", [[0.1, 0.0, 0.1], [0.3, 0.2, 0.2], [0.5, 0.9, 0.5]], [1, 0.5, 0]),
        ("saturation", [[0.5, 0.5, 0.5], [0.8, 0.4, 0.6], [0.0, 0.3, 0.0]], [0, 0.5, 1]),
        ("temperature", [[0.5, 0.5, 0.5], [0.8, 0.4, 0.6]], [1, 0.5]),
        ("tint", [[0.5, 0.5, 0.5], [0.8, 0.4, 0.6]], [1, 0.5]),
        ("vignetting", [[0.5, 0.5, 0.5]] * 5, [1, 0.25, 0, 0.25, 1]),
        ("sharpness", [[0.2] * 3, [0.2] * 3, [0.6] * 3, [0.6] * 3, [0.4] * 3], [0, 1, 1, 0.5, 0.5]),
    ],
)
def test_weights_say_where_a_concept_shows(name, colours, wanted):
    """By hand, on a row of pixels: V, S and the luma are plain there, half of two neighbours' difference the slope."""
    weight = CONCEPTS[name].weigh(np.array([colours]))
    np.testing.assert_allclose(weight[0, :, 0], wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["exposure", "contrast", "highlight", "shadow"])
def test_tone_curves_never_turn_back(name):
    ramp = grey(*np.linspace(0, 1, 257))
    for strength in np.linspace(CONCEPTS[name].low, CONCEPTS[name].high, 9):
        assert (np.diff(adjust(name, ramp, float(strength))[:, 0, 0]) >= -1e-12).all()


def test_one_stop_down_halves_the_light():
    light = srgb_to_linear(adjust("exposure", grey(0.2, 0.6, 1.0), -1.0))
    np.testing.assert_allclose(light, srgb_to_linear(grey(0.2, 0.6, 1.0)) / 2, atol=1e-7)


def test_one_stop_up_doubles_dark_light_and_keeps_white():
    """g·x / sqrt(1 + (g² - 1)·x²) at g = 2 and x = 0.18: 0.36 / sqrt(1.0972) = 0.34369."""
    encoded = 1.055 * 0.18 ** (1 / 2.4) - 0.055
    light = srgb_to_linear(adjust("exposure", grey(0.01, encoded, 1.0), 1.0))[:, 0, 0]
    np.testing.assert_allclose(light, [2 * 0.01 / 12.92, 0.34369, 1], rtol=1e-4)


def test_full_contrast_is_the_smoothstep_curve():
    np.testing.assert_allclose(adjust("contrast", grey(0, 0.25, 0.5, 1), 1.0), grey(0, 0.15625, 0.5, 1))


@pytest.mark.parametrize(("name", "moved", "kept"), [("shadow", 0.2, 0.9), ("highlight", 0.8, 0.1)])
def test_highlights_and_shadows_keep_to_their_own_end(name, moved, kept):
    for sign in (-1, 1):
        result = adjust(name, grey(moved, kept), float(sign))[:, 0, 0]
        assert sign * (result[0] - moved) > 0.05
        assert abs(result[1] - kept) < 0.002


def test_shadow_and_highlight_keep_hue_and_saturation(rng):
    image = rng.uniform(0.05, 0.95, (8, 8, 3))
    for name in ("shadow", "highlight"):
        np.testing.assert_allclose(
            rgb_to_hsv(adjust(name, image, 0.7))[..., :2], rgb_to_hsv(image)[..., :2], atol=1e-9
        )


def test_no_saturation_is_grey_of_the_same_luminance(photo):
    result = adjust("saturation", photo, -1.0)
    np.testing.assert_allclose(result, result[..., :1].repeat(3, -1), atol=1e-12)
    np.testing.assert_allclose(luminance(srgb_to_linear(result)), luminance(srgb_to_linear(photo)), atol=1e-7)


@pytest.mark.parametrize("name", ["saturation", "temperature", "tint"])
def test_colour_concepts_keep_greys_luminance(name):
    greys = grey(0.1, 0.4, 0.6)
    result = adjust(name, greys, CONCEPTS[name].high)
    np.testing.assert_allclose(luminance(srgb_to_linear(result)), luminance(srgb_to_linear(greys)), atol=1e-7)


@pytest.mark.parametrize(("name", "above", "below"), [("temperature", 0, 2), ("tint", 0, 1)])
def test_strength_is_stops_between_two_channels(name, above, below):
    """Half a stop on a mid-grey, which leaves all channels inside sRGB."""
    light = srgb_to_linear(adjust(name, grey(0.5), 0.5))[0, 0]
    assert math.log2(light[above] / light[below]) == pytest.approx(0.5, abs=1e-6)


def test_more_colour_never_leaves_what_srgb_has(rng):
    """Strengthening comes near the edge of the gamut and does not pile colours up on it."""
    image = rng.uniform(0.02, 0.98, (50, 50, 3))
    result = adjust("saturation", image, 1.0)
    assert result.min() > 0
    assert result.max() < 1


def test_sharpness_minus_one_is_the_gaussian_blur(photo):
    """The blur's sigma is 1.5 pixels at a long side of 512."""
    np.testing.assert_allclose(
        adjust("sharpness", photo, -1.0), gaussian_blur(photo, 1.5 * 24 / 512), atol=1e-12
    )


def test_the_blur_is_a_gaussian_with_mirrored_edges(rng):
    from scipy.ndimage import gaussian_filter

    image = rng.random((31, 40, 3))
    wanted = gaussian_filter(image, sigma=(2.25, 2.25, 0), mode="mirror", radius=(7, 7, 0))
    np.testing.assert_allclose(gaussian_blur(image, 2.25), wanted, atol=1e-10)


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 1, 3), (3, 50, 3)])
def test_the_blur_keeps_a_flat_image_however_small(shape):
    np.testing.assert_allclose(gaussian_blur(np.full(shape, 0.3), 4.0), 0.3)


def test_vignetting_is_stops_at_the_corners_and_nothing_at_the_centre():
    light = srgb_to_linear(adjust("vignetting", np.full((5, 7, 3), 0.5), 1.0))
    original = srgb_to_linear(np.array(0.5))
    np.testing.assert_allclose(light[[0, 0, -1, -1], [0, -1, 0, -1]], original / 2, atol=1e-7)
    np.testing.assert_allclose(light[2, 3], original, atol=1e-7)
