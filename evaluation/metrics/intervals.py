"""95 % intervals by bootstrap over raters.

Judgments of one rater are not independent, so raters are what is drawn again, with
all their judgments. A resample needs only each rater's sums: `weights` holds how often
each rater is drawn, and one matrix product gives the means of every resample. The same
weights for two systems make their difference a paired one.
"""

import numpy as np
import numpy.typing as npt

from evaluation.metrics.cqs import Distances, Floats, aligned, cqs

RESAMPLES = 2000
LEVEL = 0.95
Interval = tuple[float, float]


def bootstrap_weights(n_raters: int, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """How often each rater is drawn in each resample, shape (resamples, raters)."""
    rng = np.random.default_rng([seed, 3])
    return rng.multinomial(n_raters, np.full(n_raters, 1 / n_raters), size=resamples).astype(np.float64)


def cqs_interval(distances: Distances, weights: Floats) -> Interval | None:
    """Of the pooled CQS; None for a single rater, of whom nothing can be drawn again."""
    return interval(cqs_resampled(distances, weights)) if weights.shape[1] > 1 else None


def cqs_difference_interval(ours: Distances, theirs: Distances, weights: Floats) -> Interval | None:
    """Of CQS(ours) - CQS(theirs), paired: both are resampled by the same raters."""
    if weights.shape[1] < 2:
        return None
    return interval(cqs_resampled(ours, weights) - cqs_resampled(theirs, weights))


def alignment_interval(distances: Distances, weights: Floats) -> Interval | None:
    if weights.shape[1] < 2:
        return None
    return interval(_resampled_mean(aligned(distances), distances.rater, weights))


def mean_interval(values: Floats, rater: npt.NDArray[np.intp], weights: Floats) -> Interval | None:
    """Of the mean of `values` (judgments,) with raters drawn again."""
    return interval(_resampled_mean(values, rater, weights)) if weights.shape[1] > 1 else None


def cqs_resampled(distances: Distances, weights: Floats) -> Floats:
    """The pooled CQS in every resample, shape (resamples,): averages first, the formula last."""
    d_p = _resampled_mean(distances.to_preferred, distances.rater, weights)
    d_n = _resampled_mean(distances.to_other, distances.rater, weights)
    return cqs(d_p, d_n, lower_is_better=distances.lower_is_better)


def interval(resampled: Floats, level: float = LEVEL) -> Interval:
    """The middle `level` of the resampled values (percentile bootstrap)."""
    tails = [50 * (1 - level), 50 * (1 + level)]
    # Between two infinite values there is nothing to interpolate.
    finite = np.isfinite(resampled).all()
    low, high = np.percentile(resampled, tails, method="linear" if finite else "nearest")
    return float(low), float(high)


def _resampled_mean(values: Floats, rater: npt.NDArray[np.intp], weights: Floats) -> Floats:
    n_raters = weights.shape[1]
    sums = np.bincount(rater, weights=values, minlength=n_raters)
    counts = np.bincount(rater, minlength=n_raters)
    return np.asarray((weights @ sums) / (weights @ counts))
