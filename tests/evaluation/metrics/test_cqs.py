import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics.cqs import (
    Distances,
    aligned,
    basic_fidelity,
    comparison_margin,
    cqs,
    per_rater,
    score,
)


def distances(d_pp, d_pn, d_np, d_nn, *, rater=None, lower=True):
    arrays = [np.array(values, float) for values in (d_pp, d_pn, d_np, d_nn)]
    rater = np.zeros(len(arrays[0]), int) if rater is None else np.array(rater)
    return Distances(
        **dict(zip(("d_pp", "d_pn", "d_np", "d_nn"), arrays, strict=True)), rater=rater, lower_is_better=lower
    )


# Kim, Yoo, Kim (CVPR 2026), table of CQS on ΔE00: d_p, d_n, BFS, CMR, CQS as printed. The third row's own
# numbers give 0.1976 where 0.197 is printed.
PUBLISHED = [
    (6.50, 7.18, 0.146, 0.050, 0.154),
    (4.88, 5.71, 0.189, 0.078, 0.204),
    (5.06, 5.17, 0.196, 0.011, 0.197),
]


@pytest.mark.parametrize(("d_p", "d_n", "bfs", "cmr", "printed"), PUBLISHED)
def test_the_published_rows_come_out(d_p, d_n, bfs, cmr, printed):
    assert basic_fidelity(d_p, d_n, lower_is_better=True) == pytest.approx(bfs, abs=0.001)
    assert comparison_margin(d_p, d_n, lower_is_better=True) == pytest.approx(cmr, abs=0.001)
    assert cqs(d_p, d_n, lower_is_better=True) == pytest.approx(printed, abs=0.001)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_closed_form_for_distances_holds(d_p, d_n):
    assert cqs(d_p, d_n, lower_is_better=True) == pytest.approx(2 * np.sqrt(d_n / d_p) / (d_n + d_p))


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_closed_form_for_similarities_holds(d_p, d_n):
    expected = 2 * d_p * np.sqrt(d_p * d_n) / (d_p + d_n)
    assert cqs(d_p, d_n, lower_is_better=False) == pytest.approx(expected)


@given(st.floats(0.1, 50), st.integers(1, 9))
def test_identity_has_two_over_the_pairs_distance(between, n):
    zero, full = [0.0] * n, [between] * n
    found = score(distances(zero, full, full, zero))
    assert found.cqs == pytest.approx(2 / between)
    assert found.cmr == 0
    assert found.alignment == 0.5


def test_distances_are_averaged_before_the_formula():
    found = score(distances([1, 3], [5, 9], [2, 6], [4, 8]))
    assert (found.d_p, found.d_n) == (3.0, 6.5)  # means of (1.5, 4.5) and (4.5, 8.5)
    assert found.cqs == pytest.approx(float(cqs(3.0, 6.5, lower_is_better=True)))
    of_each = np.mean([float(cqs(p, n, lower_is_better=True)) for p, n in ((1.5, 4.5), (4.5, 8.5))])
    assert of_each > found.cqs


def test_a_distance_of_zero_is_infinite_with_a_warning_that_counts():
    found = score(distances([0, 0], [3, 4], [0, 0], [3, 4]))
    assert found.cqs == found.bfs == np.inf
    assert found.warnings == ("CQS is infinite: 2 of 2 judgments have a mean distance of exactly 0",)


def test_finite_scores_have_no_warning():
    assert score(distances([0, 1], [3, 4], [1, 1], [3, 4])).warnings == ()


def test_alignment_counts_the_judgments_nearer_to_the_preferred_image():
    found = aligned(distances([1, 5, 2], [3, 1, 2], [1, 5, 2], [3, 1, 2]))
    assert found.tolist() == [1.0, 0.0, 0.5]
    similar = aligned(distances([1, 5, 2], [3, 1, 2], [1, 5, 2], [3, 1, 2], lower=False))
    assert similar.tolist() == [0.0, 1.0, 0.5]


def test_each_rater_has_their_own_score():
    both = distances([1, 2], [4, 6], [2, 4], [5, 7], rater=[0, 1])
    found = per_rater(both)
    assert found[0].d_p == 1.5
    assert found[1].d_p == 3.0
    assert found[1].n_judgments == 1


def test_a_nan_is_an_error_that_names_the_judgment():
    with pytest.raises(ValueError, match="d_np has a NaN at judgment 1"):
        distances([1, 1], [1, 1], [1, np.nan], [1, 1])


def test_no_judgments_are_an_error():
    with pytest.raises(ValueError, match="no judgment"):
        distances([], [], [], [])


def test_vectors_of_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="one length"):
        distances([1], [1, 2], [1], [1])
