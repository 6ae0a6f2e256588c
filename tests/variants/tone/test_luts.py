import colour
import numpy as np
import pytest
import torch

from variants.tone import luts
from variants.tone.color import srgb_to_lab
from variants.tone.concepts import CONCEPTS
from variants.tone.difference import ciede2000
from variants.tone.luts import Lut1D, Lut3D, LutError

KINDS = ["tetrahedral", "trilinear"]


@pytest.fixture
def random_lut(rng):
    return Lut3D(table=rng.random((5, 5, 5, 3), dtype=np.float32), title="made up")


@pytest.fixture
def curves(rng):
    return Lut1D(table=rng.random((9, 3), dtype=np.float32), domain_min=(0, 0, -1), domain_max=(1, 2, 1))


@pytest.mark.parametrize("interpolation", KINDS)
@pytest.mark.parametrize("size", [2, 17, 33])
def test_the_identity_changes_nothing(size, interpolation, rng):
    image = np.concatenate([rng.random((50, 3)), [[0, 0, 0], [1, 1, 1], [0, 0.5, 1]]])
    np.testing.assert_allclose(luts.apply(image, luts.identity(size), interpolation), image, atol=1e-6)


@pytest.mark.parametrize("interpolation", KINDS)
def test_lattice_points_get_the_tables_colours(random_lut, interpolation):
    table = random_lut.table
    image = np.array([[0.25, 0.5, 1.0], [1.0, 0.0, 0.75]])
    found = luts.apply(image, random_lut, interpolation)
    np.testing.assert_allclose(found, [table[1, 2, 4], table[4, 0, 3]], atol=1e-7)


def test_trilinear_is_linear_along_each_axis(random_lut):
    """Half-way between two neighbours is their mean; at a cell's centre the mean of its eight corners."""
    table = random_lut.table
    found = luts.apply(np.array([[0.125, 0.0, 0.0], [0.125, 0.125, 0.125]]), random_lut, "trilinear")
    wanted = [table[0:2, 0, 0].mean(0), table[:2, :2, :2].mean((0, 1, 2))]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_tetrahedral_weighs_four_corners(random_lut):
    """Parts 0.6, 0.4, 0.2 of a cell: red first, then green, then blue, with weights 0.4, 0.2, 0.2, 0.2."""
    table = random_lut.table
    found = luts.apply(np.array([[0.15, 0.1, 0.05]]), random_lut)
    wanted = 0.4 * table[0, 0, 0] + 0.2 * (table[1, 0, 0] + table[1, 1, 0] + table[1, 1, 1])
    np.testing.assert_allclose(found, [wanted], atol=1e-6)


def test_tetrahedral_keeps_greys_grey(rng):
    """Of a table that keeps them at its points, and is anything beside them."""
    table = rng.random((5, 5, 5, 3), dtype=np.float32)
    table[range(5), range(5), range(5)] = np.linspace(0.1, 0.9, 5)[:, None]
    found = luts.apply(np.linspace(0, 1, 99)[:, None].repeat(3, 1), Lut3D(table=table))
    np.testing.assert_allclose(found, found[:, :1].repeat(3, 1), atol=1e-7)


@pytest.mark.parametrize("interpolation", KINDS)
def test_colour_science_interpolates_the_same(random_lut, interpolation, rng):
    theirs = getattr(colour.algebra, f"table_interpolation_{interpolation}")
    image = rng.random((500, 3))
    found = luts.apply(image, random_lut, interpolation)
    np.testing.assert_allclose(found, theirs(image, random_lut.table), atol=1e-12)


def test_what_lies_outside_the_domain_is_taken_to_its_edge(random_lut, curves):
    found = luts.apply(np.array([[-1.0, 0.0, 2.0]]), random_lut)
    np.testing.assert_allclose(found[0], random_lut.table[0, 0, 4], atol=1e-7)
    found = luts.apply(np.array([-1.0, 3.0, 0.0]), curves)
    np.testing.assert_allclose(found, curves.table[[0, 8, 4], [0, 1, 2]], atol=1e-7)


def test_a_domain_other_than_0_to_1_is_minded(random_lut):
    wide = Lut3D(table=random_lut.table, domain_min=(0, 0, -1), domain_max=(2, 4, 1))
    found = luts.apply(np.array([[0.5, 2.0, 1.0]]), wide)
    np.testing.assert_allclose(found[0], random_lut.table[1, 2, 4], atol=1e-6)


@pytest.mark.parametrize("interpolation", KINDS)
def test_numpy_and_torch_agree_and_the_gradient_is_right(random_lut, curves, interpolation, rng):
    """Within a cell, and there with the order of the channels kept: at its faces the slope jumps."""
    lut = Lut3D(table=random_lut.table, shaper=curves)
    image = rng.uniform([0.27, 0.34, 0.41], [0.29, 0.36, 0.45], (20, 3))
    x = torch.tensor(image, requires_grad=True)
    found = luts.apply(x, lut, interpolation).detach().numpy()
    np.testing.assert_allclose(found, luts.apply(image, lut, interpolation))
    for one in (random_lut, curves):
        assert torch.autograd.gradcheck(lambda y, one=one: luts.apply(y, one, interpolation), x)


@pytest.mark.parametrize("name", [name for name, concept in CONCEPTS.items() if concept.is_color_map])
def test_baked_concepts_are_within_half_a_delta_e_on_average(name, rng):
    adjust = CONCEPTS[name].adjust
    strength = CONCEPTS[name].high / 2
    image = rng.random((4000, 3))
    baked = luts.apply(image, luts.bake(lambda x: adjust(x, strength), 33))
    difference = ciede2000(srgb_to_lab(baked), srgb_to_lab(adjust(image, strength)))
    assert difference.mean() < 0.5


def test_any_lut_becomes_one_table(random_lut, curves, rng):
    """Exactly at the new table's points; the domain is the first stage's."""
    lut = Lut3D(table=random_lut.table, shaper=curves, title="both")
    one = luts.resized(lut, 9)
    assert (one.size, one.shaper, one.domain_max, one.title) == (9, None, (1, 2, 1), "both")
    points = rng.integers(0, 9, (50, 3)) / 8 * [1, 2, 2] - [0, 0, 1]
    np.testing.assert_allclose(luts.apply(points, one), luts.apply(points, lut), atol=1e-6)


def test_a_key_stands_for_what_a_lut_does(random_lut, curves):
    same = Lut3D(table=random_lut.table.copy(), title="another title", domain_max=(1, 1, 1))
    assert same.key == random_lut.key
    others = [
        Lut3D(table=random_lut.table, domain_max=(1, 1, 2)),
        Lut3D(table=random_lut.table[::-1]),
        Lut3D(table=random_lut.table, shaper=curves),
        curves,
    ]
    assert len({lut.key for lut in [random_lut, *others]}) == 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: Lut3D(table=t[:1, :1, :1]), "from 2 to 144, not"),
        (lambda t: Lut3D(table=t[:4]), "has the shape"),
        (lambda t: Lut3D(table=t * np.float32(np.nan)), "not finite"),
        (lambda t: Lut3D(table=t, domain_min=(0, 1, 0)), "is not below"),
        (lambda t: Lut3D(table=t, title='a "quoted" one'), "holds a quote"),
        (lambda t: Lut1D(table=t[0, 0, :1]), "from 2 to 65536"),
        (lambda t: Lut1D(table=t[0, :, :, 0]), "have the shape"),
        (lambda t: luts.identity(145), "from 2 to 144, not 145"),
    ],
)
def test_it_refuses_what_is_no_lut(make, message, random_lut):
    with pytest.raises(LutError, match=message):
        make(random_lut.table)
