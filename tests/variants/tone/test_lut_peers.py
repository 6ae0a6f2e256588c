"""The same file gives the same picture here and in other programs, whoever has written it."""

import shutil
import subprocess

import colour
import numpy as np
import PyOpenColorIO as ocio
import pytest
from colour.algebra import table_interpolation_tetrahedral, table_interpolation_trilinear
from PIL import Image, ImageFilter

from variants.tone import lut_engine, luts
from variants.tone.color import linear_to_oklab, oklab_to_srgb, srgb_to_linear
from variants.tone.cube import SIZES, read_cube, write_cube
from variants.tone.haldclut import write_haldclut
from variants.tone.luts import Lut1D, Lut3D

LEVEL = 1 / 255
OCIO_KINDS = {"tetrahedral": ocio.INTERP_TETRAHEDRAL, "trilinear": ocio.INTERP_LINEAR}
COLOUR_KINDS = {"tetrahedral": table_interpolation_tetrahedral, "trilinear": table_interpolation_trilinear}


@pytest.fixture
def image(rng):
    """Whole levels of 16 bits, which ffmpeg takes; the corners of the cube in the first row."""
    levels = rng.integers(0, 65536, (48, 64, 3))
    levels[0] = rng.integers(0, 2, (64, 3)) * 65535
    return (levels / 65535).astype(np.float32)


@pytest.fixture(params=SIZES)
def written(request, rng, tmp_path):
    """A table of ours, as wild between its points as five a side can be, and its file."""
    lut = luts.resized(Lut3D(table=rng.random((5, 5, 5, 3), dtype=np.float32), title="wild"), request.param)
    write_cube(lut, tmp_path / "ours.cube")
    return lut, tmp_path / "ours.cube"


def by_ocio(image, path, kind=ocio.INTERP_BEST):
    transform = ocio.FileTransform(str(path), interpolation=kind)
    found = np.ascontiguousarray(image)
    ocio.Config.CreateRaw().getProcessor(transform).getDefaultCPUProcessor().applyRGB(found)
    return found


@pytest.mark.parametrize("kind", OCIO_KINDS)
def test_opencolorio_reads_ours(written, image, kind):
    lut, path = written
    theirs = by_ocio(image.copy(), path, OCIO_KINDS[kind])
    np.testing.assert_allclose(luts.apply(image, lut, kind), theirs, atol=0.01 * LEVEL)
    np.testing.assert_allclose(lut_engine.apply(image, lut, kind), theirs, atol=0.01 * LEVEL)


@pytest.mark.parametrize("kind", COLOUR_KINDS)
def test_colour_science_reads_ours(written, image, kind):
    lut, path = written
    theirs = colour.read_LUT(str(path)).apply(image, interpolator=COLOUR_KINDS[kind])
    np.testing.assert_allclose(luts.apply(image, lut, kind), theirs, atol=0.01 * LEVEL)


def test_pillow_takes_ours(written, image):
    """It has no reader, so that the rows come from the text. It rounds tables to 1/64 level and results to whole ones."""
    lut, path = written
    rows = np.loadtxt(path, skiprows=4).reshape(-1).tolist()
    levels = (image * 255).astype(np.uint8)
    theirs = np.asarray(Image.fromarray(levels).filter(ImageFilter.Color3DLUT(lut.size, rows)))
    assert np.abs(luts.apply(levels / 255, lut, "trilinear") * 255 - theirs).max() < 0.55


@pytest.mark.parametrize("kind", OCIO_KINDS)
def test_ffmpeg_reads_ours(written, image, kind):
    lut, path = written
    theirs = by_ffmpeg(image, ["-vf", f"lut3d=file={path}:interp={kind}"])
    assert np.abs(luts.apply(image, lut, kind) - theirs).max() < 0.02 * LEVEL


def test_ffmpeg_reads_our_haldclut(rng, image, tmp_path):
    lut = luts.resized(Lut3D(table=rng.random((5, 5, 5, 3), dtype=np.float32)), 16)
    write_haldclut(lut, tmp_path / "hald.png", level=4)
    filters = ["-i", str(tmp_path / "hald.png"), "-filter_complex", "[0][1]haldclut=interp=tetrahedral"]
    assert np.abs(luts.apply(image, lut) - by_ffmpeg(image, filters)).max() < 0.02 * LEVEL


def by_ffmpeg(image, filters):
    """In 16 bits, so that its rounding does not count."""
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg on the path")
    height, width, _ = image.shape
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb48le"]
    command = ["ffmpeg", "-v", "error", *raw, "-s", f"{width}x{height}", "-i", "-", *filters, *raw]
    levels = np.round(image * 65535).astype("<u2")
    done = subprocess.run([*command, "-frames:v", "1", "-"], input=levels.tobytes(), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return np.frombuffer(done.stdout, dtype="<u2").reshape(image.shape) / 65535


@pytest.mark.parametrize("size", [17, 33])
def test_colour_sciences_table_is_read(size, rng, image, tmp_path):
    theirs = colour.LUT3D(rng.random((size,) * 3 + (3,)), "theirs", np.array([[0, 0, 0], [1, 1.5, 2]]))
    colour.write_LUT(theirs, str(tmp_path / "theirs.cube"), decimals=7)
    wanted = theirs.apply(image, interpolator=table_interpolation_tetrahedral)
    np.testing.assert_allclose(
        luts.apply(image, read_cube(tmp_path / "theirs.cube")), wanted, atol=0.01 * LEVEL
    )


def test_colour_sciences_curves_before_a_table_are_read(rng, image, tmp_path):
    """In Resolve's dialect; OpenColorIO knows no TITLE in it."""
    curves = colour.LUT3x1D(np.sort(rng.random((9, 3)), axis=0), "curves", np.array([[-0.5] * 3, [1.5] * 3]))
    table = colour.LUT3D(rng.random((5, 5, 5, 3)), "table", np.array([[-0.1] * 3, [1.1] * 3]))
    theirs = colour.LUTSequence(curves, table)
    path = tmp_path / "theirs.cube"
    colour.io.write_LUT_ResolveCube(theirs, str(path), decimals=7)
    assert read_cube(path).title == "curves - table"
    path.write_text(path.read_text().partition("\n")[2])
    lut = read_cube(path)
    wanted = table.apply(curves.apply(image), interpolator=table_interpolation_tetrahedral)
    np.testing.assert_allclose(luts.apply(image, lut), wanted, atol=0.01 * LEVEL)
    np.testing.assert_allclose(lut_engine.apply(image, lut), wanted, atol=0.01 * LEVEL)
    np.testing.assert_allclose(by_ocio(image.copy(), path), wanted, atol=0.01 * LEVEL)


@pytest.mark.parametrize(
    ("dialect", "shaped"), [("iridas_cube", False), ("resolve_cube", False), ("resolve_cube", True)]
)
def test_what_opencolorio_bakes_is_read(dialect, shaped, image, tmp_path):
    (tmp_path / "theirs.cube").write_text(baked_by_ocio(dialect, shaped))
    lut = read_cube(tmp_path / "theirs.cube")
    assert isinstance(lut, Lut3D)
    assert (lut.shaper is not None) == shaped
    theirs = by_ocio(image.copy(), tmp_path / "theirs.cube", ocio.INTERP_TETRAHEDRAL)
    np.testing.assert_allclose(luts.apply(image, lut), theirs, atol=0.01 * LEVEL)
    assert np.abs(theirs - image).max() > 0.05


def baked_by_ocio(dialect, shaped):
    config = ocio.Config.CreateRaw()
    look = ocio.GroupTransform([ocio.CDLTransform(slope=[1.1, 0.9, 1], power=[1.2, 1, 0.8], sat=0.7)])
    curve = ocio.ExponentTransform([0.5, 0.5, 0.5, 1])
    for name, transform in (("in", None), ("out", look), ("shaper", curve)):
        space = ocio.ColorSpace(name=name)
        if transform:
            space.setTransform(transform, ocio.COLORSPACE_DIR_FROM_REFERENCE)
        config.addColorSpace(space)
    baker = ocio.Baker()
    baker.setConfig(config)
    baker.setFormat(dialect)
    baker.setInputSpace("in")
    baker.setTargetSpace("out")
    baker.setCubeSize(17)
    if shaped:
        baker.setShaperSpace("shaper")
        baker.setShaperSize(256)
    return baker.bake()


def test_a_real_edit_is_the_same_everywhere(rng, image, tmp_path):
    """Smooth, as edits are: more colour in OKLab, at 33³."""

    def more_colour(colours):
        return np.clip(oklab_to_srgb(linear_to_oklab(srgb_to_linear(colours)) * [1, 1.3, 1.3]), 0, 1)

    lut = luts.bake(more_colour, 33)
    write_cube(lut, tmp_path / "ours.cube")
    ours = lut_engine.apply(image, lut)
    assert np.abs(ours - by_ocio(image.copy(), tmp_path / "ours.cube")).max() < 0.01 * LEVEL
    assert np.abs(ours - by_ffmpeg(image, ["-vf", f"lut3d=file={tmp_path / 'ours.cube'}"])).max() < LEVEL


def test_opencolorio_reads_our_curves(rng, image, tmp_path):
    lut = Lut1D(table=rng.random((33, 3), dtype=np.float32), domain_max=(1, 2, 1))
    write_cube(lut, tmp_path / "ours.cube")
    theirs = by_ocio(image.copy(), tmp_path / "ours.cube", ocio.INTERP_LINEAR)
    np.testing.assert_allclose(luts.apply(image, lut), theirs, atol=0.01 * LEVEL)
