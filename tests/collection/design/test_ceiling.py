import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collection.design.ceiling import ceiling_between, rater_ceiling, raters_ceiling


@pytest.mark.parametrize(
    ("consistency", "highest"), [(0.7, 0.816), (0.8, 0.887), (0.9, 0.947), (1.0, 1.0), (0.5, 0.5)]
)
def test_the_known_ceilings(consistency, highest):
    """(1 + √(2c - 1)) / 2."""
    low, high = ceiling_between(consistency)
    assert low == pytest.approx(consistency)
    assert high == pytest.approx(highest, abs=5e-4)


def test_below_a_coin_it_is_a_coin():
    assert ceiling_between(0.3) == (0.5, 0.5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_the_best_accuracy_lies_between_for_any_questions(p):
    """`p` of the questions: the rater's chance of either side in each."""
    p = np.array(p)
    best = np.maximum(p, 1 - p).mean()
    low, high = ceiling_between((p**2 + (1 - p) ** 2).mean())
    assert low - 1e-9 <= best <= high + 1e-6


def test_questions_equally_hard_reach_the_upper_end_and_sure_or_tossed_ones_the_lower():
    for p, end in (([0.8, 0.2, 0.8], 1), ([1.0, 0.5, 0.0, 0.5], 0)):
        p = np.array(p)
        ends = ceiling_between((p**2 + (1 - p) ** 2).mean())
        assert np.maximum(p, 1 - p).mean() == pytest.approx(ends[end])


def test_eight_of_ten_checks_say_little_of_one_rater():
    found = rater_ceiling(8, 10)
    assert found.consistency_interval == pytest.approx((0.444, 0.975), abs=5e-4)
    assert found.high == pytest.approx(0.887, abs=5e-4)
    assert found.high_interval == pytest.approx((0.5, 0.987), abs=5e-4)


def test_no_check_no_ceiling():
    with pytest.raises(ValueError, match="at least one answered check"):
        rater_ceiling(0, 0)
    with pytest.raises(ValueError, match="needs 2 raters with an answered check; there are 1"):
        raters_ceiling([3, 0], [4, 0], seed=0)


def test_all_raters_together_are_counted_together():
    found = raters_ceiling([8, 9, 0, 10], [10, 10, 0, 10], seed=0)
    assert found.consistency == pytest.approx(0.9)
    assert found.n_checks == 30
    assert found.consistency_interval == pytest.approx((0.8, 1.0))  # all of them the worst, or the best


@pytest.mark.parametrize("n", [1.5, -0.1])
def test_a_share_beyond_one_is_refused(n):
    with pytest.raises(ValueError, match="from 0 to 1"):
        ceiling_between(n)


def test_the_interval_over_raters_holds_the_truth():
    """60 simulated raters with agreements of 0.8 ± 0.1 and ten checks each, 300 times."""
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        agreed = rng.binomial(10, rng.beta(12, 3, 60))
        low, high = raters_ceiling(agreed.tolist(), [10] * 60, seed=seed, resamples=300).consistency_interval
        held.append(low <= 0.8 <= high)
    assert 0.91 < np.mean(held) < 0.98
