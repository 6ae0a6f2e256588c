import math

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collection.design.agreement import agreement_between_raters, measure_agreement
from collection.design.choices import Choices
from tests.collection.design.answered import simulated, tone_mapping


def answered(by_rater):
    """Rater → a choice of each pair in turn; None where there is no answer."""
    rows = [
        (rater, f"{pair:02}", choice)
        for rater, choices in by_rater.items()
        for pair, choice in enumerate(choices)
        if choice
    ]
    raters, pairs, choices = zip(*rows, strict=True)
    return Choices.from_labels(raters, [f"x{p}" for p in pairs], [f"y{p}" for p in pairs], choices)


MEG_AND_OWEN = answered({"Meg": "babbbbbbab", "Owen": "aaabbabbbb"})
"""0100000010 and 1110010000, 1 being a."""


def test_the_worked_example_of_two_observers():
    """K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section A: alpha is 0.095."""
    found = measure_agreement(MEG_AND_OWEN, seed=0)
    assert found.alpha == pytest.approx(0.095, abs=5e-4)
    assert found.share == pytest.approx(0.6)
    assert (found.n_pairs, found.n_answers, found.n_repeats) == (10, 20, 0)


def test_a_tie_lies_half_way():
    """By hand. Within pairs: a-tie and b-b, so D_o = (1 + 1 + 0 + 0) / 4 = 0.5 with a = 2, tie = 1, b = 0.
    Of the four values 2, 1, 0, 0 together, the mean squared difference of two is (1 + 4 + 4 + 1 + 1 + 0) / 6.
    """
    found = measure_agreement(answered({"ann": ["a", "b"], "bob": ["tie", "b"]}), seed=0)
    assert found.alpha == pytest.approx(1 - 0.5 / (11 / 6))
    assert found.share == pytest.approx(0.5)


def test_which_item_is_called_a_does_not_matter():
    one = Choices.from_labels("12", "xx", "yy", "ab")
    other = Choices.from_labels("12", "xy", "yx", "aa")
    assert measure_agreement(one, seed=0).share == measure_agreement(other, seed=0).share == 0


def test_without_two_answers_to_a_pair_nothing_is_known():
    found = measure_agreement(answered({"ann": ["a", None], "bob": [None, "b"]}), seed=0)
    assert (found.alpha, found.share, found.alpha_interval, found.share_interval) == (None,) * 4
    assert found.n_pairs == 0


def test_where_all_say_the_same_alpha_is_not_defined():
    """No disagreement is expected, so none can be missing."""
    found = measure_agreement(answered({"ann": "aa", "bob": "aa"}), seed=0)
    assert found.alpha is None
    assert found.share == 1


def test_a_single_pair_has_no_interval():
    found = measure_agreement(answered({"ann": "a", "bob": "b"}), seed=0)
    assert (found.alpha_interval, found.share_interval) == (None, None)
    assert found.share == 0


def test_a_second_answer_to_a_pair_is_left_out_and_counted():
    twice = Choices.from_labels(["ann", "ann", "bob"], "xxx", "yyy", "aba")
    found = measure_agreement(twice, seed=0)
    assert (found.share, found.n_answers, found.n_repeats) == (1, 2, 1)


def test_of_every_two_raters_the_pairs_in_common_are_counted():
    three = answered({"ann": ["a", "a", "tie"], "bob": ["a", "b", "tie"], "cyd": [None, "b", "a"]})
    found = agreement_between_raters(three)
    assert found.raters == ("ann", "bob", "cyd")
    assert found.common.tolist() == [[0, 3, 2], [3, 0, 2], [2, 2, 0]]
    assert found.agreed.tolist() == [[0, 2, 0], [2, 0, 1], [0, 1, 0]]
    assert found.with_others.tolist() == pytest.approx([2 / 5, 3 / 5, 1 / 4])


def test_who_shares_no_pair_with_others_is_unknown():
    found = agreement_between_raters(answered({"ann": ["a", None], "bob": [None, "b"]}))
    assert all(math.isnan(share) for share in found.with_others)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 8))
def test_the_couples_of_all_two_raters_are_the_share_of_all(seed, n_raters):
    answers = simulated([0, 0.5, 1], n_raters=n_raters, each=6, seed=seed)
    matrix, found = agreement_between_raters(answers), measure_agreement(answers, seed=0, resamples=2)
    # Of the mean over pairs and the mean over couples of raters both count each couple of answers once.
    assert matrix.agreed.sum() / matrix.common.sum() == pytest.approx(found.share)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_alpha_from_counts_is_alpha_from_the_matrix_of_answers(seed):
    rng = np.random.default_rng(seed)
    said = rng.choice([0.0, 1.0, 2.0, np.nan], (5, 12))
    said[:2, 0] = [0, 2]  # one pair at least in which two differ
    by_rater = {
        f"{r}": [None if np.isnan(x) else ("b", "tie", "a")[int(x)] for x in row]
        for r, row in enumerate(said)
    }
    expected = krippendorff.alpha(said, level_of_measurement="interval")
    assert measure_agreement(answered(by_rater), seed=0, resamples=2).alpha == pytest.approx(expected)


def test_agreement_of_real_observers_is_far_from_chance_and_from_one(shared_data):
    """18 observers; 0.30 is what a one-off computation with the package alone gives for the 105 pairs."""
    found = measure_agreement(tone_mapping(shared_data), seed=0)
    assert found.alpha == pytest.approx(0.303, abs=1e-3)
    low, high = found.alpha_interval
    assert 0.2 < low < found.alpha < high < 0.4
    assert (found.n_pairs, found.n_answers) == (105, 1213)


@pytest.mark.slow
def test_intervals_hold_what_endless_pairs_would_give():
    """30 pairs of 6 answers whose share for one side is uniform: two answers agree with 2/3, since
    E[p² + (1 - p)²] = 2/3, and alpha is 1/3. Of 120 simulated studies some 95 % should hold it.
    """
    held = []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        chosen = rng.random((6, 30)) < rng.random(30)
        found = measure_agreement(
            answered({f"{r}": np.where(row, "a", "b") for r, row in enumerate(chosen)}),
            seed=seed,
            resamples=200,
        )
        held.append([low <= truth <= high for (low, high), truth in (
            (found.share_interval, 2 / 3), (found.alpha_interval, 1 / 3)
        )])  # fmt: skip
    assert all(0.88 < share <= 0.99 for share in np.mean(held, axis=0))
