import pytest

from collection.design.intervals import median_interval, proportion_interval


@pytest.mark.parametrize(
    ("k", "low", "high"),
    [(7, 0.3475, 0.9333), (8, 0.4439, 0.9748), (9, 0.5550, 0.9975)],
)
def test_intervals_of_ten_checks_are_the_known_ones(k, low, high):
    """The exact 95 % limits of k of 10 as statistics books print them."""
    assert proportion_interval(k, 10) == pytest.approx((low, high), abs=5e-5)


def test_the_interval_of_all_or_nothing_ends_there():
    # The closed form of k = 0: 1 - 0.025 ** (1 / n).
    assert proportion_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert proportion_interval(10, 10) == pytest.approx((0.025**0.1, 1))


def test_of_nothing_seen_nothing_is_known():
    assert proportion_interval(0, 0) == (0, 1)


def test_more_seen_than_asked_is_an_error():
    with pytest.raises(ValueError, match="k is 3 of n = 2"):
        proportion_interval(3, 2)


def test_six_values_are_the_fewest_with_an_interval_of_their_median():
    """All of n values on one side has 2 / 2**n: 0.0625 for five, 0.03125 for six."""
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert median_interval([6, 1, 5, 2, 4, 3]) == (1, 6)


def test_the_interval_of_a_median_of_fifty_runs_from_the_18th_to_the_33rd():
    """Ranks of the sign test's table for n = 50 at 95 %: 18 and 33."""
    assert median_interval(list(range(1, 51))) == (18, 33)
