import re

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from variants.tone import luts
from variants.tone.color import srgb_to_lab
from variants.tone.concepts import CONCEPTS
from variants.tone.difference import ciede2000
from variants.tone.luts import Lut3D, LutError, read_cube, write_cube

ROWS = "\n".join(f"{r} {g} {b}" for b in (0, 1) for g in (0, 1) for r in (0, 1))
IDENTITY = f"LUT_3D_SIZE 2\n{ROWS}\n"


@pytest.fixture
def cube(tmp_path):
    def write(content: str | bytes):
        path = tmp_path / "some.cube"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def random_lut(rng):
    return Lut3D(table=rng.random((5, 5, 5, 3), dtype=np.float32), title="made up")


@pytest.mark.parametrize("size", [2, 17, 33])
def test_the_identity_changes_nothing(size, rng):
    image = np.concatenate([rng.random((50, 3)), [[0, 0, 0], [1, 1, 1], [0, 0.5, 1]]])
    np.testing.assert_allclose(luts.apply(image, luts.identity(size)), image, atol=1e-6)


def test_lattice_points_get_the_tables_colours(random_lut):
    table = random_lut.table
    image = np.array([[0.25, 0.5, 1.0], [1.0, 0.0, 0.75]])
    np.testing.assert_allclose(luts.apply(image, random_lut), [table[1, 2, 4], table[4, 0, 3]], atol=1e-7)


def test_between_lattice_points_it_is_linear_along_each_axis(random_lut):
    """Half-way between two neighbours is their mean; at a cell's centre the mean of its eight corners."""
    table = random_lut.table
    found = luts.apply(np.array([[0.125, 0.0, 0.0], [0.125, 0.125, 0.125]]), random_lut)
    wanted = [table[0:2, 0, 0].mean(0), table[:2, :2, :2].mean((0, 1, 2))]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_lies_outside_the_domain_is_taken_to_its_edge(random_lut):
    found = luts.apply(np.array([[-1.0, 0.0, 2.0]]), random_lut)
    np.testing.assert_allclose(found[0], random_lut.table[0, 0, 4], atol=1e-7)


def test_a_domain_other_than_0_to_1_is_minded(random_lut):
    wide = Lut3D(table=random_lut.table, domain_min=(0, 0, -1), domain_max=(2, 4, 1))
    found = luts.apply(np.array([[0.5, 2.0, 1.0]]), wide)
    np.testing.assert_allclose(found[0], random_lut.table[1, 2, 4], atol=1e-6)


def test_numpy_and_torch_agree_and_the_gradient_is_right(random_lut, rng):
    image = rng.uniform(0.26, 0.49, (20, 3))  # within a cell: at its faces the slope jumps
    x = torch.tensor(image, requires_grad=True)
    np.testing.assert_allclose(luts.apply(x, random_lut).detach().numpy(), luts.apply(image, random_lut))
    assert torch.autograd.gradcheck(lambda y: luts.apply(y, random_lut), x)


def test_pillow_agrees_within_a_level(random_lut, rng):
    image = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    # Pillow's tables have red fastest, as .cube files.
    table = random_lut.table.transpose(2, 1, 0, 3).reshape(-1).tolist()
    theirs = np.asarray(Image.fromarray(image).filter(ImageFilter.Color3DLUT(5, table)))
    ours = luts.apply(image / 255, random_lut) * 255
    assert np.abs(ours - theirs).max() < 1


@pytest.mark.parametrize("name", [name for name, concept in CONCEPTS.items() if concept.is_color_map])
def test_baked_concepts_are_within_half_a_delta_e_on_average(name, rng):
    adjust = CONCEPTS[name].adjust
    strength = CONCEPTS[name].high / 2
    image = rng.random((4000, 3))
    baked = luts.apply(image, luts.bake(lambda x: adjust(x, strength), 33))
    difference = ciede2000(srgb_to_lab(baked), srgb_to_lab(adjust(image, strength)))
    assert difference.mean() < 0.5


def test_a_file_comes_back_the_same(random_lut, tmp_path):
    lut = Lut3D(table=random_lut.table, domain_min=(0, -0.1, 0), domain_max=(1, 1.5, 1), title="a # title")
    write_cube(lut, tmp_path / "x.cube")
    back = read_cube(tmp_path / "x.cube")
    assert np.array_equal(back.table, lut.table)
    assert back.title == lut.title
    np.testing.assert_allclose(back.domain_min, lut.domain_min)
    np.testing.assert_allclose(back.domain_max, lut.domain_max)


def test_red_is_fastest_in_the_file(cube):
    lut = read_cube(cube(IDENTITY))
    np.testing.assert_allclose(lut.table[1, 0, 0], [1, 0, 0])
    np.testing.assert_allclose(lut.table[0, 0, 1], [0, 0, 1])


def test_pillow_reads_the_same_table_from_text(random_lut, tmp_path):
    write_cube(random_lut, tmp_path / "x.cube")
    rows = [line for line in (tmp_path / "x.cube").read_text().splitlines() if line[0].isdigit()]
    theirs = np.array([row.split() for row in rows], dtype=np.float32)
    np.testing.assert_allclose(theirs[1], random_lut.table[1, 0, 0])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + IDENTITY.encode(),
        IDENTITY.replace("\n", "\r\n").encode(),
        f'# made by hand\n\n\tTITLE\t"x"\nDOMAIN_MIN 0 0 0\nDOMAIN_MAX 1 1 1\n{IDENTITY}\n# end\n'.encode(),
        IDENTITY.replace("0 0 0", "0.0 0e0 0 # black").encode(),
        IDENTITY.rstrip().encode(),
    ],
    ids=["BOM", "CRLF", "comments, tabs and header", "comment behind numbers", "no last newline"],
)
def test_it_reads_the_dialects(cube, content):
    np.testing.assert_allclose(read_cube(cube(content)).table, luts.identity(2).table)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "some.cube: no LUT_3D_SIZE"),
        (ROWS, "some.cube: no LUT_3D_SIZE"),
        (IDENTITY + "0 0 0\n", "some.cube: 9 rows of numbers; size 2 needs 8"),
        (IDENTITY.replace("1 1 1\n", ""), "some.cube: 7 rows of numbers; size 2 needs 8"),
        (IDENTITY.replace("1 1 1", "1 1 nan"), "some.cube, line 9: '1 1 nan' is not three finite"),
        (IDENTITY.replace("1 1 1", "nan 1 1"), "some.cube, line 9: 'nan 1 1' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 1e99"), "some.cube, line 9: '1 1 1e99' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1 1x"), "some.cube, line 9: '1 1 1x' is not three finite"),
        (IDENTITY.replace("1 1 1", "1 1"), "some.cube, line 9: a row has three numbers"),
        (
            IDENTITY.replace("SIZE 2", "SIZE 1"),
            "some.cube, line 1: LUT_3D_SIZE is '1'; it must be from 2 to 129",
        ),
        (IDENTITY.replace("SIZE 2", "SIZE 300"), "some.cube, line 1: LUT_3D_SIZE is '300'"),
        (IDENTITY.replace("SIZE 2", "SIZE two"), "some.cube, line 1: LUT_3D_SIZE is 'two'"),
        (IDENTITY + "hello\n", "some.cube, line 10: 'hello' after the table"),
        ("LUT_3D_SIZE 2\n" + IDENTITY, "some.cube, line 2: LUT_3D_SIZE is given twice"),
        ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n", "some.cube, line 1: a 1D table"),
        ("COLOUR red\n" + IDENTITY, "some.cube, line 1: unknown keyword 'COLOUR'"),
        ("DOMAIN_MIN 0 0\n" + IDENTITY, "some.cube, line 1: DOMAIN_MIN needs three numbers"),
        ("DOMAIN_MIN 1 1 1\n" + IDENTITY, "some.cube: domain_min (1.0, 1.0, 1.0) is not below"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "some.cube: not a text file"),
    ],
)
def test_it_refuses_by_file_and_line(cube, content, message):
    with pytest.raises(LutError, match=re.escape(message)):
        read_cube(cube(content))


def test_it_refuses_a_huge_file_unread(cube):
    path = cube("")
    with path.open("r+b") as file:
        file.truncate(2_000_000_000)
    with pytest.raises(LutError, match=r"some\.cube: 2,000,000,000 bytes"):
        read_cube(path)


def test_it_reads_every_lut_of_the_shared_folder(shared_data):
    paths = sorted((shared_data / "luts").glob("*.cube"))
    assert paths
    for path in paths:
        lut = read_cube(path)
        grey = luts.apply(np.full((1, 3), 0.5), lut)
        assert 0.1 < float(grey.mean()) < 0.95, path.name
