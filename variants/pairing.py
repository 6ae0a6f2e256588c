"""Which renditions of a scene are compared: pure, from their differences to pairs."""

from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[Any]]


def choose_pairs(
    delta_e: Matrix,
    *,
    min_delta_e: float,
    max_delta_e: float,
    at_most: int,
    rng: np.random.Generator,
    start: int | None = None,
) -> list[tuple[int, int]]:
    """Choose pairs (i, j), i < j, whose difference lies in the window, so that their graph is connected.

    First a random tree grows from `start` until it holds every rendition that can be
    reached from there; then pairs are added where renditions have fewest. A start that
    has no partner in the window, or none given, is replaced by a rendition of the
    largest group that hangs together; renditions out of reach are left out, since
    nothing would say how they compare.

    Args:
        delta_e: (n, n), symmetric differences between the renditions.
        min_delta_e: What is nearer cannot be told apart.
        max_delta_e: What is farther is no question.
        at_most: How many pairs.
        rng: Breaks ties.
        start: Index of the rendition that should be among the pairs.
    """
    allowed = (delta_e >= min_delta_e) & (delta_e <= max_delta_e)
    np.fill_diagonal(allowed, False)
    if not allowed.any() or at_most < 1:
        return []
    if start is None or not allowed[start].any():
        start = _in_largest_group(allowed)
    pairs = _tree(allowed, start, at_most, rng)
    return _spread(allowed, pairs, at_most, rng)


def _tree(allowed: Matrix, start: int, at_most: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Random tree by growth (Prim): every part of it is connected, so it may stop at any size."""
    reached = np.zeros(len(allowed), dtype=bool)
    reached[start] = True
    pairs: list[tuple[int, int]] = []
    while len(pairs) < at_most:
        border = np.argwhere(allowed & reached[:, None] & ~reached[None, :])
        if not len(border):
            break
        inside, outside = (int(i) for i in rng.choice(border))
        reached[outside] = True
        pairs.append((min(inside, outside), max(inside, outside)))
    return pairs


def _spread(
    allowed: Matrix, pairs: list[tuple[int, int]], at_most: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Add the pair whose renditions have fewest pairs, the busier of the two deciding, until there are enough."""
    degree = np.bincount(np.array(pairs).ravel(), minlength=len(allowed))
    members = degree > 0
    left = np.argwhere(np.triu(allowed & members[:, None] & members[None, :]))
    left = left[[tuple(pair) not in set(pairs) for pair in left.tolist()]]
    left = rng.permutation(left)
    while len(pairs) < at_most and len(left):
        busy = degree[left]
        best = int(np.lexsort((busy.min(1), busy.max(1)))[0])
        i, j = (int(k) for k in left[best])
        degree[[i, j]] += 1
        pairs.append((i, j))
        left = np.delete(left, best, axis=0)
    return pairs


def _in_largest_group(allowed: Matrix) -> int:
    """The first rendition of the largest connected group."""
    best, size, seen = 0, 0, np.zeros(len(allowed), dtype=bool)
    for start in range(len(allowed)):
        if seen[start]:
            continue
        group = _reachable(allowed, start)
        seen |= group
        if group.sum() > size:
            best, size = start, int(group.sum())
    return best


def _reachable(allowed: Matrix, start: int) -> Matrix:
    group = np.zeros(len(allowed), dtype=bool)
    group[start] = True
    while True:
        grown = group | allowed[group].any(axis=0)
        if (grown == group).all():
            return group
        group = grown
