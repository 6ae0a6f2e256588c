import numpy as np
import pytest
from skimage import data

from learning.renderers.lifting import (
    IDENTITY,
    apply_bilateral_grid,
    apply_lut,
    fit_bilateral_grid,
    fit_lut,
    identity_lut,
    lift,
)
from variants.tone import luts
from variants.tone.looks import LOOKS, apply_look


@pytest.fixture(scope="module")
def photo():
    """A real photo, (340, 512, 3)."""
    return (data.coffee()[::2, ::2] / np.float32(255))[:200, :296]


@pytest.fixture(scope="module")
def other():
    return data.chelsea()[::2, ::2] / np.float32(255)


def look(image):
    return apply_look(image.astype(np.float64), LOOKS["teal_shadow"]).astype(np.float32)


def vignetted(image):
    height, width = image.shape[:2]
    y, x = (2 * (np.arange(n, dtype=np.float32) + 0.5) / n - 1 for n in (height, width))
    return image * (1 - 0.35 * (y[:, None] ** 2 + x**2))[..., None]


def psnr(image, target):
    return -10 * np.log10(np.mean((image - target) ** 2))


def test_a_fitted_lut_does_a_known_look_on_the_photo_and_on_another(photo, other):
    table = fit_lut(photo[::2, ::2], look(photo[::2, ::2]))
    assert table.shape == (17, 17, 17, 3)
    assert psnr(apply_lut(photo, table), look(photo)) > 50
    assert psnr(apply_lut(other, table), look(other)) > 35 > psnr(other, look(other)) + 5


def test_an_untouched_photo_gives_the_identity_exactly_where_colours_were_seen_and_where_not(photo):
    np.testing.assert_allclose(fit_lut(photo, photo, size=9), identity_lut(9), atol=1e-6)
    grid = fit_bilateral_grid(photo, photo, shape=(3, 4, 5))
    np.testing.assert_allclose(grid, np.broadcast_to(IDENTITY, (3, 4, 5, 3, 4)), atol=1e-6)


def test_colours_that_were_not_seen_follow_their_neighbours():
    """Of dark greys made 0.1 brighter, the brightest colours learn the same departure, without a jump."""
    ramp = np.linspace(0.1, 0.4, 64, dtype=np.float32)[:, None, None].repeat(3, axis=2).repeat(8, axis=1)
    departure = fit_lut(ramp, ramp + 0.1, size=9) - identity_lut(9)
    np.testing.assert_allclose(departure, 0.1, atol=0.01)


def test_a_grid_follows_an_edit_that_depends_on_the_place_and_a_lut_cannot(photo):
    small = photo[::2, ::2]
    by_grid, by_lut = (lift(small, vignetted(small), photo, method=m) for m in ("bilateral_grid", "lut"))
    assert psnr(by_grid, vignetted(photo)) > 45
    assert psnr(by_lut, vignetted(photo)) < 35


def test_a_lut_is_applied_as_luts_are(photo):
    table = np.random.default_rng(0).random((5, 5, 5, 3), dtype=np.float32)
    expected = luts.apply(photo.astype(np.float64), luts.Lut3D(table=table), "trilinear")
    np.testing.assert_allclose(apply_lut(photo, table), expected, atol=1e-5)


def test_a_grid_is_read_at_the_pixels_place_and_luma():
    """Gain 0 at the top, 1 at the bottom; an offset of 0.5 for white alone."""
    grid = np.zeros((2, 2, 2, 3, 4), np.float32)
    grid[1, :, :, :, :3] = np.eye(3)
    grid[:, :, 1, :, 3] = 0.5
    black, white = (apply_bilateral_grid(np.full((2, 3, 3), v, np.float32), grid) for v in (0, 1))
    np.testing.assert_allclose(black, 0, atol=1e-6)
    np.testing.assert_allclose(white[:, 0, 0], [0.25 + 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("method", ["lut", "bilateral_grid"])
def test_tiles_do_not_show(method, photo, monkeypatch):
    small, edited = photo[::4, ::4], vignetted(photo[::4, ::4])
    whole = lift(small, edited, photo, method=method)
    monkeypatch.setattr("learning.renderers.lifting.TILE_PIXELS", 7 * photo.shape[1])
    np.testing.assert_allclose(lift(small, edited, photo, method=method), whole, atol=1e-6)


@pytest.mark.parametrize("method", ["lut", "bilateral_grid"])
@pytest.mark.parametrize("size", [(1, 1), (3, 700), (41, 5)])
def test_any_size_can_be_edited_and_fitted(method, size):
    image = np.random.default_rng(1).random((*size, 3), dtype=np.float32)
    assert lift(image, image / 2, image, method=method).shape == image.shape


def test_one_colour_is_enough_and_large_pictures_are_thinned(monkeypatch):
    monkeypatch.setattr("learning.renderers.lifting.MOST_PIXELS", 100)
    grey = np.full((64, 48, 3), 0.5, np.float32)
    for method in ("lut", "bilateral_grid"):
        np.testing.assert_allclose(lift(grey, grey - 0.2, grey, method=method), grey - 0.2, atol=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: fit_lut(a, a[1:]), r"before has the shape \(4, 4, 3\) and after \(3, 4, 3\)"),
        (lambda a: fit_lut(a[..., 0], a), r"must be \(height, width, 3\)"),
        (lambda a: fit_lut(a, a * np.float32(np.nan)), "no numbers"),
        (lambda a: fit_lut(a, a, size=1), "size is 1; a LUT has from 2 to 65"),
        (lambda a: fit_bilateral_grid(a, a, shape=(1, 2, 3)), r"shape is \(1, 2, 3\)"),
        (lambda a: lift(a, a, a, method="curve"), "method is 'curve'; it must be one of lut, bilateral_grid"),
        (lambda a: apply_lut(a, a), "a LUT has the shape"),
        (lambda a: apply_bilateral_grid(a, a), "a bilateral grid has the shape"),
    ],
)
def test_what_cannot_be_lifted_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((4, 4, 3), np.float32))
