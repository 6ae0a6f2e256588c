import numpy as np
import pytest

from evaluation.metrics.cqs import Distances, cqs, score
from evaluation.metrics.intervals import (
    alignment_interval,
    bootstrap_weights,
    cqs_difference_interval,
    cqs_interval,
    cqs_resampled,
    interval,
)

N_RATERS, N_JUDGMENTS = 40, 8
# Each rater has a level of their own, so that judgments of one rater go together.
TRUE_P, TRUE_N, BETWEEN, WITHIN = 5.0, 7.0, 0.8, 0.8


def simulated(rng, *, better=0.0):
    rater = np.repeat(np.arange(N_RATERS), N_JUDGMENTS)
    own = rng.normal(0, BETWEEN, N_RATERS)[rater]

    def around(level):
        return level + own + rng.normal(0, WITHIN, rater.size)

    return Distances(
        d_pp=around(TRUE_P - better),
        d_np=around(TRUE_P - better),
        d_pn=around(TRUE_N),
        d_nn=around(TRUE_N),
        rater=rater,
        lower_is_better=True,
    )


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    weights = bootstrap_weights(N_RATERS, seed=0, resamples=600)
    truth = float(cqs(TRUE_P, TRUE_N, lower_is_better=True))
    covered = 0
    for _ in range(300):
        low, high = cqs_interval(simulated(rng), weights)
        covered += low <= truth <= high
    # 95 % of 300 is 285; the percentile bootstrap of 40 raters covers a little less (binomial sd 1.3 %).
    assert 0.90 <= covered / 300 <= 0.985


def test_resampling_judgments_instead_of_raters_would_be_too_narrow():
    """What the rater-level bootstrap is for: judgments of one rater are alike."""
    data = simulated(np.random.default_rng(2))
    by_rater = cqs_interval(data, bootstrap_weights(N_RATERS, seed=0))
    alone = Distances(
        d_pp=data.d_pp, d_pn=data.d_pn, d_np=data.d_np, d_nn=data.d_nn,
        rater=np.arange(data.rater.size), lower_is_better=True,
    )  # fmt: skip
    by_judgment = cqs_interval(alone, bootstrap_weights(data.rater.size, seed=0))
    assert by_rater[1] - by_rater[0] > 1.4 * (by_judgment[1] - by_judgment[0])


def test_a_paired_difference_is_narrower_than_two_intervals():
    ours, theirs = simulated(np.random.default_rng(3), better=0.3), simulated(np.random.default_rng(3))
    weights = bootstrap_weights(N_RATERS, seed=0)
    low, high = cqs_difference_interval(ours, theirs, weights)
    assert low > 0
    alone = cqs_interval(ours, weights)
    assert high - low < (alone[1] - alone[0]) / 2


def test_equal_systems_differ_by_nothing():
    data = simulated(np.random.default_rng(4))
    assert cqs_difference_interval(data, data, bootstrap_weights(N_RATERS, seed=0)) == (0.0, 0.0)


def test_resampling_by_weights_is_resampling_by_hand():
    data = simulated(np.random.default_rng(5))
    weights = bootstrap_weights(N_RATERS, seed=0, resamples=3)
    for row, found in zip(weights, cqs_resampled(data, weights), strict=True):
        drawn = np.concatenate(
            [np.flatnonzero(data.rater == r) for r in np.repeat(np.arange(N_RATERS), row.astype(int))]
        )
        again = Distances(
            d_pp=data.d_pp[drawn], d_pn=data.d_pn[drawn], d_np=data.d_np[drawn], d_nn=data.d_nn[drawn],
            rater=data.rater[drawn], lower_is_better=True,
        )  # fmt: skip
        assert found == pytest.approx(score(again).cqs)


def test_the_same_seed_draws_the_same_raters():
    assert (bootstrap_weights(7, seed=3) == bootstrap_weights(7, seed=3)).all()
    assert (bootstrap_weights(7, seed=3) != bootstrap_weights(7, seed=4)).any()
    assert (bootstrap_weights(7, seed=3).sum(axis=1) == 7).all()


def test_one_rater_has_no_interval():
    one = Distances(
        d_pp=np.ones(4), d_pn=np.ones(4), d_np=np.ones(4), d_nn=np.ones(4),
        rater=np.zeros(4, int), lower_is_better=True,
    )  # fmt: skip
    weights = bootstrap_weights(1, seed=0)
    assert cqs_interval(one, weights) is None
    assert cqs_difference_interval(one, one, weights) is None
    assert alignment_interval(one, weights) is None


def test_infinite_values_stay_infinite():
    assert interval(np.array([np.inf] * 50)) == (np.inf, np.inf)
