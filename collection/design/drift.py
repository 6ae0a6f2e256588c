"""What changes over a session: response times and agreement with oneself by the position of the question."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from collection.design.intervals import proportion_interval

Interval = tuple[float, float]
TIME_PARTS, CHECK_PARTS = 8, 4
MIN_RATERS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Questions first to last, by their index in the session."""

    first: int
    last: int
    value: float
    interval: Interval
    k: int = 0
    """Of shares: `value` is k of n checks."""
    n: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    parts: list[Part]
    change: float
    """From the first part to the last: a factor of times, a difference of shares."""
    interval: Interval
    """Of the change, 95 %, by Student's t over raters."""
    n_raters: int
    """Who answered in all parts; the others' change would be that of who is left."""


def time_drift(
    positions: Sequence[NDArray[np.int64]], times: Sequence[Sequence[int]], n_parts: int = TIME_PARTS
) -> Drift | None:
    """Response times over a session, each rater's against their own geometric mean.

    Args:
        positions: of each rater, the index of each question with a known time.
        times: of each rater, these times in ms.
        n_parts: equal stretches of the session.

    Returns:
        A factor for each part, the mean over raters of log(time / own mean) in it; its interval
        is Student's t over raters. None with fewer than MIN_RATERS who answered in all parts.
    """
    found = _parts(positions, n_parts)
    if found is None:
        return None
    rater, part, edges = found
    logs = np.log(np.maximum(np.concatenate([np.asarray(ms, float) for ms in times]), 1.0))
    means = _means(rater, part, logs, len(positions), len(edges) - 1)
    if len(means) < MIN_RATERS:
        return None
    relative = means - means.mean(axis=1, keepdims=True)
    change, interval = _mean_interval(means[:, -1] - means[:, 0])
    return Drift(
        parts=[
            Part(first=first, last=last, value=float(np.exp(value)), interval=_exp(ends))
            for (first, last), (value, ends) in zip(
                _stretches(edges), map(_mean_interval, relative.T), strict=True
            )
        ],
        change=float(np.exp(change)),
        interval=_exp(interval),
        n_raters=len(means),
    )


def consistency_drift(checks: Sequence[NDArray[np.int64]], n_parts: int = CHECK_PARTS) -> Drift | None:
    """Share of checks that agree with the first answer, over a session.

    The parts' intervals are Clopper-Pearson's, checks taken one by one; the change is that from
    the first half of the checks' range to the second within raters.

    Args:
        checks: of each rater, (index, 1 if it agrees) of each check, shape (n, 2).
        n_parts: equal stretches between the first check and the last.
    """
    positions = [rows[:, 0] for rows in checks]
    found, halves = _parts(positions, n_parts), _parts(positions, 2)
    if found is None or halves is None:
        return None
    _, part, edges = found
    agrees = np.concatenate([rows[:, 1] for rows in checks])
    shares = _means(halves[0], halves[1], agrees, len(checks), len(halves[2]) - 1)
    if len(shares) < MIN_RATERS:
        return None
    change, interval = _mean_interval(shares[:, -1] - shares[:, 0])
    return Drift(
        parts=[
            _share(first, last, int(agrees[part == i].sum()), int((part == i).sum()))
            for i, (first, last) in enumerate(_stretches(edges))
        ],
        change=change,
        interval=interval,
        n_raters=len(shares),
    )


def _parts(
    positions: Sequence[NDArray[np.int64]], n_parts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None:
    """Rater and part of each answer, and the parts' edges; None where there are fewer positions than parts."""
    every = np.concatenate(positions) if positions else np.empty(0, np.int64)
    if not len(every) or np.ptp(every) + 1 < n_parts:
        return None
    edges = np.linspace(every.min(), every.max() + 1, n_parts + 1).round().astype(np.int64)
    rater = np.repeat(np.arange(len(positions)), [len(rows) for rows in positions])
    return rater, np.searchsorted(edges, every, side="right") - 1, edges


def _means(
    rater: NDArray[np.int64],
    part: NDArray[np.int64],
    values: NDArray[np.floating],
    n_raters: int,
    n_parts: int,
) -> NDArray[np.float64]:
    """Means by rater and part, of the raters who have values in all parts, shape (raters, parts)."""
    cell, cells = rater * n_parts + part, n_raters * n_parts
    counts = np.bincount(cell, minlength=cells).reshape(n_raters, n_parts)
    sums = np.bincount(cell, weights=values, minlength=cells).reshape(n_raters, n_parts)
    whole = (counts > 0).all(axis=1)
    return np.asarray(sums[whole] / counts[whole])


def _mean_interval(values: NDArray[np.float64]) -> tuple[float, Interval]:
    mean = float(values.mean())
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean, (mean - half, mean + half)


def _share(first: int, last: int, k: int, n: int) -> Part:
    return Part(
        first=first, last=last, value=k / n if n else 0.5, interval=proportion_interval(k, n), k=k, n=n
    )


def _stretches(edges: NDArray[np.int64]) -> list[tuple[int, int]]:
    return [(int(a), int(b) - 1) for a, b in itertools.pairwise(edges)]


def _exp(interval: Interval) -> Interval:
    return float(np.exp(interval[0])), float(np.exp(interval[1]))
