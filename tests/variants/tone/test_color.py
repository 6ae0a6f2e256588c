import numpy as np
import pytest
import torch
from skimage import color as peer

from variants.tone import color

CORNERS = np.array([[r, g, b] for r in (0.0, 1.0) for g in (0.0, 1.0) for b in (0.0, 1.0)])


@pytest.fixture
def colours(rng):
    return np.concatenate([CORNERS, np.linspace(0, 1, 20)[:, None].repeat(3, 1), rng.random((500, 3))])


def test_the_matrix_is_the_standards():
    """IEC 61966-2-1 prints it rounded to four decimals."""
    published = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    np.testing.assert_allclose(color.XYZ_FROM_LINEAR, published, atol=6e-5)


def test_middle_grey_has_the_standards_linear_value():
    """((0.5 + 0.055) / 1.055)^2.4 = 0.21404."""
    np.testing.assert_allclose(
        color.srgb_to_linear(np.array([0.5, 0.04, 0])), [0.214041, 0.04 / 12.92, 0], atol=1e-6
    )


@pytest.mark.parametrize(
    ("there", "back", "atol"),
    [
        (color.srgb_to_linear, color.linear_to_srgb, 1e-7),
        (color.srgb_to_xyz, color.xyz_to_srgb, 1e-7),
        (color.srgb_to_lab, color.lab_to_srgb, 1e-7),
        (color.srgb_to_oklab, color.oklab_to_srgb, 1e-7),
        (color.rgb_to_hsv, color.hsv_to_rgb, 1e-12),
    ],
)
def test_there_and_back_is_the_same_colour(colours, there, back, atol):
    # sRGB's own constants meet at the knee to 1e-7 only.
    np.testing.assert_allclose(back(there(colours)), colours, atol=atol)


@pytest.mark.parametrize(
    "function",
    [
        color.srgb_to_linear,
        color.srgb_to_lab,
        color.lab_to_srgb,
        color.srgb_to_oklab,
        color.rgb_to_hsv,
        color.hsv_to_rgb,
        color.fit_gamut,
    ],
)
def test_numpy_and_torch_agree(colours, function):
    found = function(torch.tensor(colours))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), function(colours), atol=1e-10)


def test_white_is_the_top_of_lab_and_greys_have_no_colour():
    greys = np.linspace(0, 1, 11)[:, None].repeat(3, 1)
    lab = color.srgb_to_lab(greys)
    np.testing.assert_allclose(lab[-1], [100.0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(lab[:, 1:], 0, atol=1e-9)


def test_lab_agrees_with_scikit_image(colours):
    """To 0.02: it takes matrix and white point rounded to different digits."""
    np.testing.assert_allclose(color.srgb_to_lab(colours), peer.rgb2lab(colours), atol=0.02)


def test_hsv_agrees_with_scikit_image(colours):
    np.testing.assert_allclose(color.rgb_to_hsv(colours), peer.rgb2hsv(colours), atol=1e-12)


def test_oklab_has_the_published_values():
    """White and the sRGB primary red as B. Ottosson's definition gives them."""
    found = color.srgb_to_oklab(np.array([[1.0, 1, 1], [1, 0, 0]]))
    np.testing.assert_allclose(found, [[1.0, 0, 0], [0.62796, 0.22486, 0.12585]], atol=1e-4)


def test_gradients_are_finite_at_the_corners_of_the_cube():
    functions = (
        color.srgb_to_lab,
        color.srgb_to_oklab,
        color.srgb_to_linear,
        color.linear_to_srgb,
        color.rgb_to_hsv,
        color.fit_gamut,
    )
    for function in functions:
        x = torch.tensor(CORNERS, requires_grad=True)
        function(x).sum().backward()
        assert x.grad is not None
        assert torch.isfinite(x.grad).all(), function.__name__


@pytest.mark.parametrize(
    "function",
    [
        color.srgb_to_linear,
        color.linear_to_srgb,
        color.srgb_to_xyz,
        color.srgb_to_lab,
        color.lab_to_srgb,
        color.srgb_to_oklab,
        color.oklab_to_srgb,
        color.rgb_to_hsv,
        color.hsv_to_rgb,
        color.fit_gamut,
    ],
)
def test_gradients_agree_with_finite_differences(function, rng):
    x = torch.tensor(rng.uniform(0.1, 0.9, (30, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(function, x)


def test_fitting_keeps_luminance_and_what_fits_already(rng):
    linear = rng.uniform(-0.3, 1.3, (1000, 3))
    fitted = color.fit_gamut(linear)
    assert fitted.min() >= 0
    assert fitted.max() <= 1
    wanted = np.clip(color.luminance(linear), 0, 1)
    np.testing.assert_allclose(color.luminance(fitted), wanted, atol=1e-9)
    inside = rng.random((1000, 3))
    np.testing.assert_allclose(color.fit_gamut(inside), inside, atol=1e-12)
