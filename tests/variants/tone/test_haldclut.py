import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.variants import pictures
from variants.tone import luts
from variants.tone.haldclut import format_haldclut, parse_haldclut, read_haldclut, write_haldclut
from variants.tone.luts import Lut1D, Lut3D, LutError


def hald(levels, format="PNG", **options):
    return pictures.file(levels, format, **options)


def identity_levels(level):
    """As the definition has it: red fastest, rows from the top left, 0 to 255."""
    n = level**2
    at = np.arange(level**6)
    points = np.stack([at % n, at // n % n, at // n**2], axis=-1)
    return np.round(points / (n - 1) * 255).astype(np.uint8).reshape(level**3, level**3, 3)


@pytest.fixture
def random_lut(rng):
    return Lut3D(table=rng.random((16, 16, 16, 3), dtype=np.float32))


def test_the_neutral_picture_changes_nothing():
    lut = parse_haldclut(hald(identity_levels(4)), "neutral.png")
    assert lut.size == 16
    np.testing.assert_allclose(lut.table, luts.identity(16).table, atol=1e-6)
    assert lut.title == "neutral"


def test_it_comes_back_to_16_bits(random_lut, tmp_path):
    write_haldclut(random_lut, tmp_path / "x.png", level=4)
    np.testing.assert_allclose(read_haldclut(tmp_path / "x.png").table, random_lut.table, atol=0.6 / 65535)


def test_an_edit_of_the_neutral_picture_becomes_the_same_edit(rng):
    """Which is what a HaldCLUT is for: here red and blue change places and green is halved."""
    levels = identity_levels(3)
    edited = np.stack([levels[..., 2], levels[..., 1] // 2, levels[..., 0]], axis=-1)
    image = rng.random((50, 3))
    found = luts.apply(image, parse_haldclut(hald(edited), "x"))
    np.testing.assert_allclose(found, image[:, ::-1] * [1, 0.5, 1], atol=1 / 255)


@pytest.mark.parametrize(
    "data",
    [
        hald(identity_levels(4), "TIFF"),
        hald(Image.fromarray(identity_levels(4)).convert("RGBA")),
        pictures.png_16_bit(identity_levels(4).astype(np.uint16) * 257),
        pictures.tiff_16_bit(identity_levels(4).astype(np.uint16) * 257),
    ],
    ids=["TIFF", "with alpha", "16-bit PNG", "16-bit TIFF"],
)
def test_it_reads_the_kinds_of_files(data):
    np.testing.assert_allclose(parse_haldclut(data, "x").table, luts.identity(16).table, atol=1e-6)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_grey_file_is_a_black_and_white_look(bits):
    grey = identity_levels(3)[..., 1:2]
    data = hald(grey) if bits == 8 else pictures.png_16_bit(grey.astype(np.uint16) * 257)
    table = parse_haldclut(data, "x").table
    np.testing.assert_allclose(table[2, 4, 6], [0.5] * 3, atol=1 / 255)


def test_a_lut_with_curves_becomes_one_table(random_lut):
    curves = Lut1D(table=np.array([[1, 1, 1], [0, 0, 0]], dtype=np.float32))
    lut = Lut3D(table=random_lut.table, shaper=curves)
    back = parse_haldclut(format_haldclut(lut, 4), "x")
    np.testing.assert_allclose(back.table, random_lut.table[::-1, ::-1, ::-1], atol=1e-5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (hald(pictures.levels(50, 50)), r"x\.png: 50×50 pixels are no cube.*512, 729"),
        (hald(pictures.levels(64, 32)), r"x\.png: 32×64 pixels are no cube"),
        (hald(pictures.levels(1, 1)), r"x\.png: 1×1 pixels are no cube"),
        (pictures.png_header_only(2197, 2197), r"x\.png: 2197×2197 pixels are no cube"),
        (hald(identity_levels(3))[:120], r"x\.png: the file is damaged"),
        (pictures.png_16_bit(identity_levels(3).astype(np.uint16))[:200], r"x\.png: the file is damaged"),
        (b"TITLE", r"x\.png: not an image"),
        (b"", r"x\.png: the file is empty \(0 bytes\)"),
    ],
)
def test_it_refuses_what_is_no_haldclut(data, message):
    with pytest.raises(LutError, match=message):
        parse_haldclut(data, "x.png")


def test_it_refuses_floating_point():
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((27, 27), dtype=np.float32))
    with pytest.raises(LutError, match="save it as RGB, 8 or 16 bit"):
        parse_haldclut(file.getvalue(), "x.tif")


def test_it_refuses_a_huge_file_and_one_that_is_not_there(tmp_path):
    path = tmp_path / "x.png"
    with path.open("wb") as stream:
        stream.truncate(2_000_000_000)
    with pytest.raises(LutError, match=r"x\.png: more than 100,000,000 bytes"):
        read_haldclut(path)
    with pytest.raises(LutError, match=r"none\.png: No such file"):
        read_haldclut(tmp_path / "none.png")


def test_it_writes_only_what_a_picture_can_hold(random_lut):
    with pytest.raises(LutError, match="from 2 to 12, not 13"):
        format_haldclut(random_lut, 13)
    with pytest.raises(LutError, match="inputs from 0 to 1"):
        format_haldclut(Lut3D(table=random_lut.table, domain_max=(2, 2, 2)))
