import numpy as np
import pytest

from collection.design.drift import consistency_drift, time_drift
from collection.design.intervals import proportion_interval

POSITIONS = np.arange(80)


def test_times_that_halve_are_seen_whoever_is_slow_or_fast():
    """Each rater's times fall by a factor of 0.5 from the first part's middle to the last one's."""
    slope = 0.5 ** ((POSITIONS - 4.5) / 70)
    times = [(ms * slope).round() for ms in (2000, 10_000, 30_000, 4000)]
    drift = time_drift([POSITIONS] * 4, times)
    assert drift
    assert drift.change == pytest.approx(0.5, abs=0.002)
    assert drift.n_raters == 4
    assert (drift.parts[0].first, drift.parts[0].last, drift.parts[-1].last) == (0, 9, 79)
    assert drift.parts[0].value / drift.parts[-1].value == pytest.approx(2, abs=0.01)


def test_without_drift_the_interval_covers_one_as_often_as_it_says():
    """Seeded, 300 studies of 12 raters: 95 % but for chance (0.915 is four standard errors below)."""
    random = np.random.default_rng(7)
    covered = 0
    for _ in range(300):
        times = [np.exp(random.normal(size=80) + random.normal(7)) for _ in range(12)]
        drift = time_drift([POSITIONS] * 12, times)
        covered += drift.interval[0] <= 1 <= drift.interval[1]
    assert covered / 300 > 0.9


def test_who_left_half_way_is_not_in_it():
    whole, half = np.full(80, 1000), np.full(40, 9000)
    drift = time_drift([POSITIONS] * 3 + [POSITIONS[:40]], [whole] * 3 + [half])
    assert drift
    assert drift.n_raters == 3
    assert drift.change == pytest.approx(1)


@pytest.mark.parametrize("n", [0, 2])
def test_too_few_raters_or_positions_show_nothing(n):
    assert time_drift([POSITIONS] * n, [np.full(80, 900)] * n) is None
    assert time_drift([POSITIONS[:4]] * 5, [np.full(4, 900)] * 5) is None
    assert consistency_drift([np.empty((0, 2), int)] * 5) is None


def test_agreement_that_falls_is_counted_part_by_part():
    """Four raters with eight checks each: all agree in the first half, two in four in the second."""
    checks = np.array([[20 + 8 * i, 1 if i < 4 else i % 2] for i in range(8)])
    drift = consistency_drift([checks] * 4)
    assert drift
    assert [(part.k, part.n) for part in drift.parts] == [(8, 8), (8, 8), (4, 8), (4, 8)]
    assert drift.parts[2].interval == proportion_interval(4, 8)
    assert (drift.change, drift.n_raters) == (-0.5, 4)
