import pytest
import torch

from learning.renderers.dncm import LIFTS, Dncm, DncmConfig, identity_vector, polynomial_terms, row_tiles


def random_colors(n, dtype=torch.float32):
    return torch.rand((n, 3), generator=torch.Generator().manual_seed(0), dtype=dtype)


def unit(k):
    return identity_vector(k).view(1, k, k)


def psnr(result, wanted):
    return -10 * torch.log10((result - wanted).pow(2).mean()).item()


@pytest.mark.parametrize("k", [3, 16, 32])
@pytest.mark.parametrize("lift", LIFTS)
def test_the_unit_matrix_is_the_identity(lift, k):
    dncm = Dncm(DncmConfig(k=max(k, 6) if lift == "mlp" else k, lift=lift))
    colors = random_colors(200)[None]
    torch.testing.assert_close(dncm(colors, unit(dncm.config.k)), colors, atol=1e-6, rtol=0)


@pytest.mark.parametrize("lift", LIFTS)
def test_planes_are_the_same_map(lift):
    dncm = Dncm(DncmConfig(k=8, lift=lift))
    transform = unit(8) + 0.1 * torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(2))
    colors = random_colors(50)
    with torch.inference_mode():
        planes = dncm.planes(colors.T.contiguous(), dncm.matrix(transform)[0])
        torch.testing.assert_close(planes.T, dncm(colors[None], transform)[0], atol=1e-5, rtol=0)


def test_two_numbers_cannot_hold_a_colour_but_keep_greys():
    dncm = Dncm(DncmConfig(k=2, lift="none"))
    assert torch.linalg.matrix_rank(dncm.matrix(unit(2))[0]) == 2
    greys = torch.linspace(0, 1, 9)[None, :, None].expand(1, 9, 3)
    torch.testing.assert_close(dncm(greys, unit(2)), greys)


def test_without_lift_it_is_a_3_by_3_matrix_whatever_k_is():
    """P (3, k) · T (k, k) · Q (k, 3) of random numbers: no offset, no curve, and the same as one matrix."""
    torch.manual_seed(1)
    dncm = Dncm(DncmConfig(k=32, lift="none"))
    transform = torch.randn(1, 32, 32)
    matrix = (dncm.into @ transform[0] @ dncm.out).detach()
    assert matrix.shape == (3, 3)
    colors = random_colors(100)[None]
    torch.testing.assert_close(dncm(colors, transform).detach(), colors @ matrix, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(dncm(2 * colors, transform), 2 * dncm(colors, transform), atol=1e-4, rtol=1e-5)
    assert not dncm(torch.zeros(1, 1, 3), transform).any()


def test_the_lift_can_follow_a_curve_that_a_matrix_cannot():
    """Gamma 0.6 on uniform random colours, best by least squares: 3 × 3 about 23 dB, lifted about 42 dB.

    What the least squares find is put in through T, so that the whole map is what is measured.
    """
    colors = random_colors(20_000, torch.float64)
    wanted = colors**0.6
    found = {}
    for lift in ("none", "poly"):
        dncm = Dncm(DncmConfig(k=16, lift=lift)).double()
        best = torch.linalg.lstsq(dncm.lifted(colors), wanted).solution  # (terms, 3)
        transform = torch.linalg.pinv(dncm.into) @ best @ torch.linalg.pinv(dncm.out)
        found[lift] = psnr(dncm(colors[None], transform[None])[0], wanted)
    assert found["none"] == pytest.approx(23.0, abs=1.5)
    assert found["poly"] == pytest.approx(42.0, abs=1.5)


def test_the_terms_of_the_lift_by_hand():
    terms = polynomial_terms(torch.tensor([[2.0, 3.0, 5.0]]))
    assert terms.tolist() == [[2, 3, 5, 4, 9, 25, 8, 27, 125, 6, 10, 15, 1]]


def test_tiles_cover_every_row_once():
    rows = [row for tile in row_tiles(10, 7, pixels=21) for row in range(10)[tile]]
    assert rows == list(range(10))
    assert [*row_tiles(2, 10**6, pixels=100)] == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 1}, "k is 1; it must be from 2 to 32"),
        ({"k": 33}, "k is 33"),
        ({"lift": "cubic"}, "it must be one of none, poly, mlp"),
        ({"k": 4, "lift": "mlp"}, "it must be from 6 to 32"),
    ],
)
def test_settings_out_of_range_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        DncmConfig(**settings)
