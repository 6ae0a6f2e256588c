import numpy as np
import pytest

from variants.tone import lut_engine, luts
from variants.tone.luts import Lut1D, Lut3D

KINDS = ["tetrahedral", "trilinear"]
LEVEL = 1 / 255


def a_lut(kind, rng):
    def table(*shape):
        return rng.random((*shape, 3), dtype=np.float32) * np.float32(1.2) - np.float32(0.1)

    curves = Lut1D(table=table(40), domain_min=(-0.2, 0, 0.1), domain_max=(1.4, 1, 0.9))
    return {
        "table": lambda: Lut3D(table=table(33, 33, 33)),
        "domain": lambda: Lut3D(table=table(9, 9, 9), domain_min=(-0.5, 0, 0.1), domain_max=(1.5, 1, 0.9)),
        "curves": lambda: curves,
        "both": lambda: Lut3D(
            table=table(9, 9, 9), shaper=curves, domain_min=(0.1, 0, 0), domain_max=(0.9, 1, 1.5)
        ),
        "largest": lambda: Lut3D(table=table(144, 144, 144)),
    }[kind]()


@pytest.mark.parametrize("interpolation", KINDS)
@pytest.mark.parametrize("kind", ["table", "domain", "curves", "both", "largest"])
def test_it_gives_what_the_formula_gives(kind, interpolation, rng):
    """In float32 to a hundredth of a level; in 8 bits to the rounding."""
    lut = a_lut(kind, rng)
    image = rng.random((60, 50, 3), dtype=np.float32)
    image[0] = np.round(image[0])
    wanted = luts.apply(image.astype(np.float64), lut, interpolation)
    np.testing.assert_allclose(lut_engine.apply(image, lut, interpolation), wanted, atol=0.01 * LEVEL)
    levels = (image * 255).astype(np.uint8)
    wanted = np.clip(luts.apply(levels / 255, lut, interpolation), 0, 1) * 255
    found = lut_engine.apply(levels, lut, interpolation)
    assert found.dtype == np.uint8
    assert np.abs(found - wanted).max() <= 0.51


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_bands_on_all_cores_are_the_same_photo(dtype, rng, monkeypatch):
    """Three bands of a photo whose rows cannot be shared out evenly."""
    lut = a_lut("table", rng)
    image = (rng.random((1001, 900, 3), dtype=np.float32) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    monkeypatch.setattr(lut_engine, "usable_cores", lambda: 1)
    one = lut_engine.apply(image, lut)
    monkeypatch.setattr(lut_engine, "usable_cores", lambda: 3)
    assert np.array_equal(lut_engine.apply(image, lut), one)


def test_one_long_row_is_one_band(rng):
    lut, image = a_lut("table", rng), rng.random((1, 600_000, 3), dtype=np.float32)
    assert np.array_equal(
        lut_engine.apply(image, lut), lut_engine.apply(image.reshape(600, 1000, 3), lut).reshape(1, -1, 3)
    )


def test_a_view_of_a_photo_will_do(rng):
    lut, image = a_lut("table", rng), rng.random((20, 30, 3), dtype=np.float32)
    found = lut_engine.apply(image[::-1, ::2], lut)
    assert np.array_equal(found, lut_engine.apply(image, lut)[::-1, ::2])


def test_the_photo_itself_stays(rng):
    image = rng.random((8, 9, 3), dtype=np.float32)
    before = image.copy()
    lut_engine.apply(image, a_lut("curves", rng))
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_images_are_refused(image):
    with pytest.raises(ValueError, match="uint8 or float32"):
        lut_engine.apply(image, luts.identity(2))
