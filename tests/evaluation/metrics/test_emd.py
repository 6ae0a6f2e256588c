"""Against distances worked out by hand and scipy's."""

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from evaluation.metrics.emd import emd, emd_metric, histograms
from evaluation.metrics.metric import METRICS, measure


def plain(level, size=(4, 6)):
    return np.full((*size, 3), level, np.float32)


def test_black_and_white_are_as_far_apart_as_can_be():
    assert measure(emd_metric(), plain(0), plain(1)) == pytest.approx(1, abs=1e-6)


def test_one_channel_of_three_is_a_third():
    """Red goes from 51 to 102 of 255, a way of 0.2 for all pixels: 0.2 / 3."""
    moved = plain(51 / 255)
    moved[..., 0] = 102 / 255
    assert measure(emd_metric(), plain(51 / 255), moved) == pytest.approx(0.2 / 3, abs=1e-6)


def test_half_of_the_pixels_go_half_of_the_way():
    """Half of the pixels at 0 go to 1, the others stay: the mean way is 0.5."""
    half = plain(0)
    half[:2] = 1
    assert measure(emd_metric(), plain(0), half) == pytest.approx(0.5, abs=1e-6)


def test_where_the_colours_are_does_not_matter():
    rng = np.random.default_rng(0)
    image = rng.random((8, 8, 3)).astype(np.float32)
    assert measure(emd_metric(), image, image[::-1, ::-1].copy()) == 0


def test_it_is_scipys_distance_of_the_levels():
    rng = np.random.default_rng(1)
    one, two = (rng.integers(0, 256, (9, 7, 3)) / 255 for _ in range(2))
    expected = np.mean([wasserstein_distance(one[..., c].ravel(), two[..., c].ravel()) for c in range(3)])
    assert measure(emd_metric(), one.astype(np.float32), two.astype(np.float32)) == pytest.approx(
        expected, abs=1e-6
    )


def test_histograms_of_different_sizes_can_be_compared():
    small, large = (histograms(torch.from_numpy(plain(0.4, size)[None])) for size in ((2, 3), (20, 30)))
    torch.testing.assert_close(emd(small, large), torch.zeros(1))


def test_cqs_is_not_computed_of_it():
    assert "emd" not in METRICS
