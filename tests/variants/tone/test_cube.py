import os
import re

import numpy as np
import pytest

from variants.tone import cube, luts
from variants.tone.cube import format_cube, read_cube, write_cube
from variants.tone.luts import Lut1D, Lut3D, LutError

ROWS = "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))
IDENTITY = f"LUT_3D_SIZE 2\n{ROWS}\n"
CURVES = "LUT_1D_SIZE 3\n0 0 0\n0.5 0.25 0.75\n1 1 1\n"
SHAPER_AND_TABLE = (
    "LUT_1D_SIZE 3\nLUT_1D_INPUT_RANGE 0 2\nLUT_3D_SIZE 2\nLUT_3D_INPUT_RANGE -1 1\n"
    f"-1 -1 -1\n0 0 0\n1 1 1\n\n{ROWS}\n"
)


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "some.cube"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize("size", cube.SIZES)
def test_a_table_comes_back_the_same(size, rng, tmp_path):
    table = rng.random((size, size, size, 3), dtype=np.float32)
    lut = Lut3D(table=table, domain_min=(0, -0.1, 0), domain_max=(1, 1.5, 1), title="a # title")
    write_cube(lut, tmp_path / "x.cube")
    back = read_cube(tmp_path / "x.cube")
    assert isinstance(back, Lut3D)
    assert np.array_equal(back.table, table)
    assert back.title == lut.title
    assert back.key == lut.key


def test_curves_come_back_the_same(rng, tmp_path):
    lut = Lut1D(table=rng.random((1000, 3), dtype=np.float32), domain_max=(1, 2, 1))
    write_cube(lut, tmp_path / "x.cube")
    back = read_cube(tmp_path / "x.cube")
    assert isinstance(back, Lut1D)
    assert back.key == lut.key


def test_red_is_fastest_in_the_file(file):
    lut = read_cube(file(IDENTITY))
    np.testing.assert_allclose(lut.table[1, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(lut.table[0, 0, 1], [0, 0, 1])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + IDENTITY.encode(),
        IDENTITY.replace("\n", "\r\n").encode(),
        IDENTITY.replace("\n", "\r").encode(),
        f'# made by hand\n\n\tTITLE\t"x"\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n{IDENTITY}\n# end\n'.encode(),
        IDENTITY.replace("0 0 0", "0.0 0e0 0 # black").encode(),
        IDENTITY.rstrip().encode(),
        f"LUT_3D_INPUT_RANGE 0.0 1.0\n{IDENTITY}".encode(),
        f"lut_3d_size 2\n{ROWS}".encode(),
        f'TITLE "caf\xe9 \x85"\n# \xfcber\n{IDENTITY}'.encode("latin-1"),
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "comments, tabs and header",
        "comment behind numbers",
        "no last newline",
        "Resolve's range",
        "small letters",
        "not UTF-8",
    ],
)
def test_it_reads_the_dialects(file, content):
    np.testing.assert_allclose(read_cube(file(content)).table, luts.identity(2).table)


def test_it_reads_curves(file):
    """At 0.25 half-way to (0.5, 0.25, 0.75)."""
    lut = read_cube(file(CURVES))
    np.testing.assert_allclose(luts.apply(np.full(3, 0.25), lut), [0.25, 0.125, 0.375])


def test_resolves_curves_come_before_the_table(file):
    """The curves take 0..2 to -1..1; the table takes that to 0..1 and changes nothing else."""
    lut = read_cube(file(SHAPER_AND_TABLE))
    np.testing.assert_allclose(
        luts.apply(np.array([[0.0, 1.0, 2.0], [0.5, 0.2, 3.0]]), lut),
        [[0, 0.5, 1], [0.25, 0.1, 1]],
        atol=1e-7,
    )


def test_adobes_domain_is_the_curves_where_both_are_there(file):
    text = SHAPER_AND_TABLE.replace("LUT_1D_INPUT_RANGE 0 2", "DOMAIN_MIN 0 0 0\nDOMAIN_MAX 2 2 4")
    lut = read_cube(file(text.replace("LUT_3D_INPUT_RANGE -1 1\n", "")))
    assert isinstance(lut, Lut3D)
    assert lut.shaper
    assert lut.shaper.domain_max == (2, 2, 4)
    assert lut.domain_max == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "some.cube: neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        (ROWS, "some.cube: neither LUT_1D_SIZE nor LUT_3D_SIZE"),
        (IDENTITY + "0 0 0\n", "some.cube, line 10: a row too many: LUT_3D_SIZE 2 needs 8"),
        (
            IDENTITY.replace("1 1 1\n", ""),
            "some.cube, line 8: the file ends after 7 rows; LUT_3D_SIZE 2 needs 8",
        ),
        ("LUT_3D_SIZE 2\n", "some.cube, line 1: the file ends after 0 rows"),
        (SHAPER_AND_TABLE + "0 0 0", "line 17: a row too many: LUT_1D_SIZE 3 and LUT_3D_SIZE 2 needs 11"),
        (IDENTITY.replace("1 1 1", "1 1 nan"), "some.cube, line 9: '1 1 nan' is not three finite"),
        (IDENTITY.replace("1 1 1", "nan 1 1"), "some.cube, line 9: 'nan 1 1' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 inf"), "some.cube, line 9: '1 1 inf' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 1e99"), "some.cube, line 9: '1 1 1e99' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 1x"), "some.cube, line 9: '1 1 1x' is not three finite"),
        (IDENTITY.replace("1 1 1", "1,0 1,0 1,0"), "some.cube, line 9: '1,0 1,0 1,0' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1"), "some.cube, line 9: '1 1' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 1 1"), "some.cube, line 9: '1 1 1 1' is not three finite"),
        (
            IDENTITY.replace("SIZE 2", "SIZE 1"),
            "some.cube, line 1: LUT_3D_SIZE is '1'; it must be from 2 to 144",
        ),
        (IDENTITY.replace("SIZE 2", "SIZE 300"), "some.cube, line 1: LUT_3D_SIZE is '300'"),
        (IDENTITY.replace("SIZE 2", "SIZE two"), "some.cube, line 1: LUT_3D_SIZE is 'two'"),
        (CURVES.replace("SIZE 3", "SIZE 65537"), "LUT_1D_SIZE is '65537'; it must be from 2 to 65536"),
        (IDENTITY + "hello\n", "some.cube, line 10: 'hello' after the table"),
        (IDENTITY + 'TITLE "late"\n', "some.cube, line 10: 'TITLE \"late\"' after the table"),
        ("LUT_3D_SIZE 2\n" + IDENTITY, "some.cube, line 2: LUT_3D_SIZE is given twice"),
        ("COLOUR red\n" + IDENTITY, "some.cube, line 1: unknown keyword 'COLOUR'"),
        ("LUT_IN_VIDEO_RANGE\n" + IDENTITY, "some.cube, line 1: LUT_IN_VIDEO_RANGE: a LUT for video levels"),
        ("DOMAIN_MIN 0 0\n" + IDENTITY, "some.cube, line 1: DOMAIN_MIN needs 3 numbers"),
        ("LUT_3D_INPUT_RANGE 0 1 1\n" + IDENTITY, "line 1: LUT_3D_INPUT_RANGE needs 2 numbers"),
        ("DOMAIN_MIN 0 0 0\nLUT_3D_INPUT_RANGE 0 1\n" + IDENTITY, "line 2: DOMAIN_MIN or DOMAIN_MAX beside"),
        ("DOMAIN_MIN 1 1 1\n" + IDENTITY, "some.cube, line 1: the inputs' least values (1.0, 1.0, 1.0)"),
        ("DOMAIN_MAX 0 1 1\n" + CURVES, "line 1: the inputs' least values (0.0, 0.0, 0.0) are not all below"),
        ("DOMAIN_MIN 2 0 0\n\nDOMAIN_MAX 1 1 1\n" + IDENTITY, "some.cube, line 3: the inputs' least values"),
        (
            "DOMAIN_MAX 1 1 1\nDOMAIN_MIN 0 0 2\n" + IDENTITY,
            "line 2: the inputs' least values (0.0, 0.0, 2.0)",
        ),
        (
            "LUT_3D_INPUT_RANGE 1 0\n" + IDENTITY,
            "some.cube, line 1: the inputs' least values (1.0, 1.0, 1.0)",
        ),
        (SHAPER_AND_TABLE.replace("-1 1", "1 -1"), "some.cube, line 4: the inputs' least values"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "some.cube: not a text file"),
        (IDENTITY.encode("utf-16"), "some.cube: not a text file"),
        ("\n" * 3_200_001, "some.cube: 3,200,001 lines"),
    ],
)
def test_it_refuses_by_file_and_line(file, content, message):
    with pytest.raises(LutError, match=re.escape(message)):
        read_cube(file(content))


def test_it_refuses_a_huge_file_unread(file):
    path = file("")
    with path.open("r+b") as stream:
        stream.truncate(2_000_000_000)
    with pytest.raises(LutError, match=r"some\.cube: 2,000,000,000 bytes"):
        read_cube(path)


def test_it_says_that_a_file_is_not_there(tmp_path):
    with pytest.raises(LutError, match=r"missing\.cube: No such file"):
        read_cube(tmp_path / "missing.cube")


def test_it_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe.cube")
    with pytest.raises(LutError, match=r"pipe\.cube: it is not a regular file"):
        read_cube(tmp_path / "pipe.cube")


def test_it_writes_nothing_that_others_cannot_read():
    curves = Lut1D(table=np.array([[0, 0, 0], [1, 1, 1]], dtype=np.float32))
    with pytest.raises(LutError, match="bake both into one table"):
        format_cube(Lut3D(table=luts.identity(2).table, shaper=curves))
    with pytest.raises(LutError, match="at most 129"):
        format_cube(luts.identity(144))


def test_it_reads_every_lut_of_the_shared_folder(shared_data):
    paths = sorted((shared_data / "luts").glob("*.cube"))
    assert len(paths) == 35
    for path in paths:
        lut = read_cube(path)
        grey = luts.apply(np.full((1, 3), 0.5), lut)
        assert lut.size == 13
        assert 0.1 < float(grey.mean()) < 0.95, path.name
