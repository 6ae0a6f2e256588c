"""Which renditions of a scene are compared: pure, from their differences to pairs."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Matrix = np.ndarray[Any, np.dtype[Any]]
NEUTRAL = ""
"""Kind of the neutral rendition, which is compared with every kind and takes the other's."""
MAX_COMPARED = 1000
"""Couples of a scene's renditions: all of 45, and enough of more for the few dozen pairs that a scene gets."""


def choose_pairs(
    delta_e: Matrix,
    *,
    min_delta_e: float,
    max_delta_e: float,
    at_most: int,
    rng: np.random.Generator,
    start: int | None = None,
    kinds: Sequence[str] | None = None,
    quotas: Mapping[str, float] | None = None,
    known: Sequence[tuple[int, int]] = (),
) -> list[tuple[int, int]]:
    """Choose pairs (i, j), i < j, whose difference lies in the window, so that their graph is connected.

    First a random tree grows from `start` until it holds every rendition that can be
    reached from there; then pairs are added where renditions have fewest. A start that
    has no partner in the window, or none given, is replaced by a rendition of the
    largest group that hangs together; renditions out of reach are left out, since
    nothing would say how they compare. What is known is built on, and joined where it fell apart.

    Args:
        delta_e: (n, n), symmetric differences between the renditions; NaN for two that are not to meet.
        min_delta_e: What is nearer cannot be told apart.
        max_delta_e: What is farther is no question.
        at_most: How many pairs, with the known ones; the tree is made whole all the same.
        rng: Breaks ties.
        start: Index of the rendition that should be among the pairs.
        kinds: Of each rendition; only renditions of one kind are compared, and NEUTRAL with every one.
        quotas: Kind → its part of `at_most`, in proportion where the scene has some of the kinds only; what a
            kind cannot fill stays empty, and one without a part is not asked about. Without them any mixture goes.
        known: Pairs (i, j), i < j, that are there already: they count in `at_most` and `quotas`, and are not
            among those returned.
    """
    kinds = kinds or [NEUTRAL] * len(delta_e)
    kind_of = _pair_kinds(kinds)
    allowed = (delta_e >= min_delta_e) & (delta_e <= max_delta_e) & _comparable(kinds)
    if quotas:
        allowed &= np.isin(kind_of, np.array([kind for kind, share in quotas.items() if share], dtype=object))
    np.fill_diagonal(allowed, False)
    if not allowed.any():
        return []
    paired = np.zeros_like(allowed)
    for i, j in known:
        paired[i, j] = paired[j, i] = True
    if start is None or not (allowed | paired)[start].any():
        start = _in_largest_group(allowed | paired)
    room = _Room(kind_of, allowed, at_most, quotas or {})
    for i, j in known:
        room.take(i, j)
    pairs = _tree(allowed, paired, start, room, rng)
    return _spread(allowed, [*known, *pairs], room, rng)[len(known) :]


def compared_groups(pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The groups that pairs of keys fall into: no pair leads from one to another, even by way of others."""
    groups: list[set[int]] = []
    for pair in pairs:
        touching = [group for group in groups if not group.isdisjoint(pair)]
        groups = [group for group in groups if group.isdisjoint(pair)] + [set(pair).union(*touching)]
    return groups


def couples_to_compare(
    kinds: Sequence[str], rng: np.random.Generator, start: int | None = None
) -> list[tuple[int, int]]:
    """Which (i, j), i < j, of renditions of these kinds are measured at all.

    Every two that may meet; of more renditions than MAX_COMPARED allows, a star around `start` and rings
    in random order, so that whatever the window, much of the graph hangs together. A scene has no more
    pairs than couples that were measured.
    """
    comparable = _comparable(kinds)
    return [couple for couple in _couples(len(kinds), rng, start) if comparable[couple]]


def _couples(n: int, rng: np.random.Generator, start: int | None) -> list[tuple[int, int]]:
    if n * (n - 1) // 2 <= MAX_COMPARED:
        return list(itertools.combinations(range(n), 2))
    couples: dict[tuple[int, int], None] = {}
    if start is not None:
        couples |= dict.fromkeys((min(start, i), max(start, i)) for i in range(n) if i != start)
    while len(couples) < MAX_COMPARED:
        ring = rng.permutation(n).tolist()
        couples |= dict.fromkeys(
            (min(i, j), max(i, j)) for i, j in zip(ring, [*ring[1:], ring[0]], strict=True)
        )
    return list(couples)[: max(MAX_COMPARED, n)]


def pair_kind(one: str, other: str) -> str:
    """The kind of a pair of two renditions' kinds."""
    return other if one == NEUTRAL else one


@dataclass(frozen=True, kw_only=True)
class Preview:
    """How many judgments each of some pairs will have."""

    mean: float
    fewest: int
    """Pairs asked least come first, so that no two differ by more than one, but for what is left unfinished."""
    most: int
    standard_error: float
    """Of the part that prefers one side, where the two are liked equally, at the mean number of judgments."""


def judgments_per_pair(n_pairs: int, n_raters: int, n_main: int) -> Preview:
    """What a study's pairs will get when `n_raters` finish with `n_main` main questions each.

    Raises:
        ValueError: there are no pairs.
    """
    if n_pairs < 1:
        raise ValueError("there are no pairs to judge")
    total = n_raters * n_main
    mean = total / n_pairs
    return Preview(
        mean=mean,
        fewest=total // n_pairs,
        most=-(-total // n_pairs),
        standard_error=0.5 / math.sqrt(mean) if mean else math.inf,
    )


class _Room:
    """How many pairs may still be chosen, over all and of each kind."""

    def __init__(self, kind_of: Matrix, allowed: Matrix, at_most: int, quotas: Mapping[str, float]) -> None:
        self.of = kind_of
        self.left = at_most
        self._left = _apportion(at_most, {k: quotas[k] for k in set(self.of[allowed]) & set(quotas)})
        self._has_quotas = bool(quotas)

    def among(self, candidates: Matrix) -> Matrix:
        """Those of the candidate pairs (m, 2) whose kind has room."""
        if self.left < 1:
            return candidates[:0]
        if not self._has_quotas:
            return candidates
        open_kinds = [kind for kind, n in self._left.items() if n > 0]
        kinds = self.of[candidates[:, 0], candidates[:, 1]]
        return candidates[np.isin(kinds, np.array(open_kinds, dtype=object))]

    def take(self, i: int, j: int) -> None:
        self.left -= 1
        self._left[self.of[i, j]] -= 1


def _pair_kinds(kinds: Sequence[str]) -> Matrix:
    """The kind of every possible pair, (n, n)."""
    names = np.array(kinds, dtype=object)
    return np.where(names[:, None] == NEUTRAL, names[None, :], names[:, None])


def _comparable(kinds: Sequence[str]) -> Matrix:
    names = np.array(kinds, dtype=object)
    is_neutral = names == NEUTRAL
    return np.asarray((names[:, None] == names[None, :]) | is_neutral[:, None] | is_neutral[None, :])


def _apportion(n: int, shares: Mapping[str, float]) -> Counter[str]:
    """Whole parts of `n` in proportion, by largest remainders."""
    total = sum(shares.values())
    if not total:
        return Counter()
    exact = {kind: n * share / total for kind, share in sorted(shares.items())}
    parts = Counter({kind: math.floor(part) for kind, part in exact.items()})
    for kind in sorted(exact, key=lambda kind: parts[kind] - exact[kind])[: n - parts.total()]:
        parts[kind] += 1
    return parts


def _tree(
    allowed: Matrix, paired: Matrix, start: int, room: _Room, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Random tree by growth (Prim) from `start`, in which what is paired already hangs together.

    Where paired ones are out of its reach, another grows from them.
    """
    seen = np.zeros(len(allowed), dtype=bool)
    pairs: list[tuple[int, int]] = []
    for root in [start, *np.flatnonzero(paired.any(axis=0)).tolist()]:
        if seen[root]:
            continue
        reached = _reachable(paired, root)
        while len(border := np.argwhere(allowed & reached[:, None] & ~reached[None, :])):
            inside, outside = (int(i) for i in rng.choice(border))
            reached |= _reachable(paired, outside)
            pairs.append((min(inside, outside), max(inside, outside)))
            room.take(inside, outside)
        seen |= reached
    return pairs


def _spread(
    allowed: Matrix, pairs: list[tuple[int, int]], room: _Room, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Add the pair whose renditions have fewest pairs, the busier of the two deciding, until there are enough."""
    degree = np.bincount(np.array(pairs, dtype=int).ravel(), minlength=len(allowed))
    members = degree > 0
    left = np.argwhere(np.triu(allowed & members[:, None] & members[None, :]))
    left = left[[tuple(pair) not in set(pairs) for pair in left.tolist()]]
    left = rng.permutation(left)
    while len(left := room.among(left)):
        busy = degree[left]
        best = int(np.lexsort((busy.min(1), busy.max(1)))[0])
        i, j = (int(k) for k in left[best])
        degree[[i, j]] += 1
        pairs.append((i, j))
        room.take(i, j)
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
