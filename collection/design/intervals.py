"""Intervals for counts and medians: every claim about people comes with one."""

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr, betaincinv


def proportion_interval(k: float, n: float, *, confidence: float = 0.95) -> tuple[float, float]:
    """Give the exact (Clopper-Pearson) interval of a share of which `k` of `n` were seen.

    Its ends are quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k); it covers the true
    share with at least `confidence`. Where nothing was seen, it is 0 to 1. Plans ask for expected
    counts, which need not be whole.

    Source: C. J. Clopper and E. S. Pearson, Biometrika 26 (1934).
    """
    if not 0 <= k <= n:
        raise ValueError(f"k is {k} of n = {n}; it must be from 0 to n")
    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def median_interval(values: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float] | None:
    """Give the interval of a median from the values' ranks, whatever their distribution.

    How many of n values lie below the median is Binomial(n, 1/2); the interval runs between the
    outermost values of which it leaves at most (1 - confidence) / 2 out on each side.
    None where the values are too few for it: below 6 at 95 %.
    """
    n = len(values)
    part_left_out = bdtr(np.arange(n // 2), n, 0.5)
    rank = int(np.count_nonzero(part_left_out <= (1 - confidence) / 2)) - 1
    if rank < 0:
        return None
    ordered = sorted(values)
    return ordered[rank], ordered[n - 1 - rank]
