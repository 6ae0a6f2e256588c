import numpy as np
import pytest
import torch
from skimage import color as peer

from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000, mean_ciede2000

# L, a, b of both colours and their CIEDE2000. Source: table 1 of G. Sharma, W. Wu, E. N. Dalal (2005),
# "The CIEDE2000 color-difference formula: Implementation notes, supplementary test data, and
# mathematical observations", Color Research and Application 30(1), 21-30.
SHARMA = np.array(
    [
        [50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425],
        [50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615],
        [50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412],
        [50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000],
        [50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669],
        [50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195],
        [50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045],
        [50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461],
        [50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065],
        [50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492],
        [50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977],
        [50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030],
        [50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000],
        [50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381],
        [6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_it_gives_all_34_published_differences(convert):
    """To the table's four decimals, in float64."""
    table = convert(SHARMA)
    found = ciede2000(table[:, :3], table[:, 3:6])
    np.testing.assert_allclose(np.asarray(found), SHARMA[:, 6], rtol=0, atol=1e-4)


def test_float32_gives_them_too():
    """Four decimals of what is 32 at most; pairs 10 and 14, whose hues are opposite, fall on the right side."""
    table = SHARMA.astype(np.float32)
    np.testing.assert_allclose(ciede2000(table[:, :3], table[:, 3:6]), SHARMA[:, 6], rtol=0, atol=2e-4)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_it_agrees_with_scikit_image_across_the_circle_and_at_grey(convert):
    """All with all; opposite are those on the axes only, where rounding cannot decide."""
    angles = 0.01 + np.arange(23) / 23 * 2 * np.pi
    around = np.stack([np.full(23, 50), 30 * np.cos(angles), 30 * np.sin(angles)], axis=-1)
    on_axes = [(50, 0, 0), (60, 20, 0), (40, 0, 20), (50, -20, 0), (50, 0, -20)]
    table = np.concatenate([on_axes, around])
    one, other = np.repeat(table, len(table), axis=0), np.tile(table, (len(table), 1))
    found = ciede2000(convert(one), convert(other))
    np.testing.assert_allclose(found, peer.deltaE_ciede2000(one, other), atol=1e-9)


def test_it_is_symmetric():
    one, other = SHARMA[:, :3], SHARMA[:, 3:6]
    np.testing.assert_allclose(ciede2000(one, other), ciede2000(other, one), atol=1e-12)


def test_it_agrees_with_scikit_image_on_random_colours(rng):
    one, other = (rng.uniform([0, -100, -100], [100, 100, 100], (20_000, 3)) for _ in range(2))
    np.testing.assert_allclose(ciede2000(one, other), peer.deltaE_ciede2000(one, other), atol=1e-9)


def test_float32_on_photos_is_within_a_thousandth(rng):
    one = rng.random((64, 64, 3))
    other = np.clip(one + rng.normal(0, 0.05, one.shape), 0, 1)
    exact = mean_ciede2000(one, other)
    assert mean_ciede2000(one.astype(np.float32), other.astype(np.float32)) == pytest.approx(exact, abs=1e-3)


def test_an_image_is_nothing_apart_from_itself(rng):
    image = rng.random((8, 8, 3), dtype=np.float32)
    assert mean_ciede2000(image, image) == 0


def test_black_and_white_are_100_apart():
    assert mean_ciede2000(np.zeros((2, 2, 3)), np.ones((2, 2, 3))) == pytest.approx(100, abs=1e-6)


def test_its_gradient_is_finite_for_greys_and_equal_colours():
    one = torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5], [1, 0, 0]], requires_grad=True)
    other = torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.4], [1, 0, 0]])
    ciede2000(srgb_to_lab(one), srgb_to_lab(other)).sum().backward()
    assert one.grad is not None
    assert torch.isfinite(one.grad).all()
    assert one.grad[1].abs().sum() > 0


def test_its_gradient_agrees_with_finite_differences(rng):
    """Away from grey, where a's stretch bends, and from hues that are opposite, where the formula jumps."""
    one = rng.uniform([20, 5, 5], [90, 60, 60], (50, 3))
    other = torch.tensor(one + rng.uniform(2, 4, one.shape), requires_grad=True)
    assert torch.autograd.gradcheck(ciede2000, (torch.tensor(one, requires_grad=True), other))


def test_the_mean_of_a_large_image_is_that_of_its_pixels(rng):
    """Worked out in pieces on all cores."""
    one, other = rng.random((2, 300, 400, 3))
    wanted = ciede2000(srgb_to_lab(one), srgb_to_lab(other)).mean()
    assert mean_ciede2000(one, other) == pytest.approx(wanted, rel=1e-12)
    assert mean_ciede2000(torch.tensor(one), torch.tensor(other)) == pytest.approx(wanted, rel=1e-9)


def test_it_refuses_images_of_two_sizes():
    with pytest.raises(ValueError, match="different shapes"):
        mean_ciede2000(np.zeros((2, 2, 3)), np.zeros((2, 3, 3)))
