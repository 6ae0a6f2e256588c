import numpy as np
import pytest

from learning.renderers.color_transfer import (
    fitted_to_range,
    monge_kantorovich,
    reinhard,
    sliced_transport,
    without_frame,
)
from variants.tone.color import srgb_to_lab


def cloud(seed, n=3000):
    rng = np.random.default_rng(seed)
    return 0.5 + rng.uniform(-1, 1, (n, 3)) @ rng.uniform(-0.16, 0.16, (3, 3))


def test_monge_kantorovich_matches_mean_and_covariance_exactly():
    colors, wanted = cloud(0), cloud(1, 2000)
    moved = monge_kantorovich(colors, wanted)(colors)
    np.testing.assert_allclose(moved.mean(0), wanted.mean(0), atol=1e-9)
    np.testing.assert_allclose(np.cov(moved.T, bias=True), np.cov(wanted.T, bias=True), atol=1e-9)


def test_its_matrix_is_symmetric_and_positive_as_optimal_transport_is():
    matrix = monge_kantorovich(cloud(0), cloud(1)).matrix
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > 0


@pytest.mark.parametrize("transfer", [monge_kantorovich, reinhard])
def test_own_statistics_change_nothing(transfer):
    colors = cloud(0)
    np.testing.assert_allclose(transfer(colors, colors)(colors), colors, atol=1e-6)


def test_reinhard_matches_mean_and_deviation_of_lab():
    colors, wanted = cloud(0), cloud(1)
    moved = srgb_to_lab(reinhard(colors, wanted)(colors))
    np.testing.assert_allclose(moved.mean(0), srgb_to_lab(wanted).mean(0), atol=1e-6)
    np.testing.assert_allclose(moved.std(0), srgb_to_lab(wanted).std(0), atol=1e-6)


@pytest.mark.parametrize("transfer", [monge_kantorovich, reinhard])
def test_a_grey_style_makes_grey_and_a_grey_picture_can_be_moved(transfer):
    grey = np.random.default_rng(3).uniform(0.2, 0.6, (500, 1)).repeat(3, axis=1)
    moved = transfer(cloud(0), grey)(cloud(0))
    np.testing.assert_allclose(moved, moved.mean(axis=1, keepdims=True).repeat(3, 1), atol=2e-3)
    assert np.isfinite(transfer(grey, cloud(0))(grey)).all()
    flat = np.full((10, 3), 0.25)
    np.testing.assert_allclose(transfer(flat, cloud(0))(flat).mean(0), transfer(flat, cloud(0))(flat)[0])


def test_a_gain_can_be_limited():
    narrow = 0.5 + 0.01 * (cloud(0) - 0.5)
    assert np.linalg.eigvalsh(monge_kantorovich(narrow, cloud(1)).matrix).max() > 5
    assert np.linalg.eigvalsh(monge_kantorovich(narrow, cloud(1), max_gain=3.0).matrix).max() <= 3 + 1e-9


def test_sliced_transport_comes_to_the_wanted_distribution():
    rng = np.random.default_rng(5)
    colors = cloud(0)
    wanted = np.concatenate([rng.normal(0.3, 0.05, (1000, 3)), rng.normal(0.7, 0.08, (1000, 3))])
    for iterations, most in ((0, 0.3), (30, 0.01)):
        moved = sliced_transport(colors, wanted, iterations=iterations)
        direction = np.array([1, -2, 0.5]) / np.linalg.norm([1, -2, 0.5])
        at = np.linspace(0.01, 0.99, 99)
        off = np.abs(np.quantile(moved @ direction, at) - np.quantile(wanted @ direction, at)).mean()
        assert off < most
    np.testing.assert_allclose(sliced_transport(colors, colors), colors, atol=1e-6)


def test_channels_are_matched_exactly_before_any_random_axis():
    colors, wanted = cloud(0), cloud(1)
    moved = sliced_transport(colors, wanted, iterations=0)
    np.testing.assert_allclose(np.sort(moved, axis=0), np.sort(wanted, axis=0), atol=1e-6)


def test_equal_colours_stay_equal():
    colors = np.repeat([[0.2, 0.2, 0.2], [0.6, 0.5, 0.4]], 50, axis=0)
    moved = sliced_transport(colors, cloud(1))
    assert len(np.unique(moved.round(9), axis=0)) == 2


def test_what_leaves_the_range_keeps_its_hue():
    colors = np.array([[1.2, 0.9, 0.6], [0.5, 0.4, 0.3], [-0.1, 0.2, 0.4], [1.5, 1.5, 1.5]])
    fitted = fitted_to_range(colors)
    assert fitted.min() >= 0
    assert fitted.max() <= 1
    np.testing.assert_allclose(fitted[1], colors[1])
    np.testing.assert_allclose(fitted[3], 1)
    # R - G to G - B is as it was.
    assert (fitted[0, 0] - fitted[0, 1]) / (fitted[0, 1] - fitted[0, 2]) == pytest.approx(1)


def test_a_frame_is_cut_off_and_an_even_picture_is_not():
    picture = cloud(0, 20 * 30).reshape(20, 30, 3).astype(np.float32)
    framed = np.full((26, 40, 3), [0.9, 0.0, 0.0], np.float32)
    framed[2:22, 4:34] = picture
    np.testing.assert_array_equal(without_frame(framed), picture)
    np.testing.assert_array_equal(without_frame(picture), picture)
    even = np.full((9, 9, 3), 0.3, np.float32)
    np.testing.assert_array_equal(without_frame(even), even)
    sky = picture.copy()
    sky[:10] = 0.8
    np.testing.assert_array_equal(without_frame(sky), sky)
