"""What one session asks: which pairs, in which order, on which sides. Pure and seeded.

Practice comes first, then main questions with the checks between them. Everything random
comes from the generator that is passed in: the same pairs, protocol and generator give the
same plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from collection.design.protocol import Protocol

START_TRIES = 9
"""How many starts of the stretch with checks are tried, from early to the very end."""
PRACTICE_POOL = 500
"""Practice is drawn from this many pairs at most."""


class Candidate(NamedTuple):
    """A pair that may be asked; the keys are any whole numbers."""

    pair: int
    scene: int
    image_a: int
    image_b: int
    exposures: int
    """How many sessions have it as a main question already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedQuestion:
    index: int
    """Position in the session, practice included, from 0."""
    kind: str
    """practice, main or check."""
    pair: int
    left: int
    right: int
    repeats: int | None = None
    """For a check: the index of the main question whose pair it shows again, mirrored."""
    policy: str
    propensity: float | None = None
    """Probability with which the policy chose this pair for this session; None where it is no choice of pairs."""


class Slot(NamedTuple):
    main: int
    """Which main question, counted in their order from 0."""
    is_check: bool


def plan_session(
    pairs: Sequence[tuple[int, int, int, int, int]], protocol: Protocol, rng: np.random.Generator
) -> list[PlannedQuestion]:
    """Plan all questions of one session.

    - Main pairs are those with the fewest exposures, ties at random, none twice.
    - Two questions of one scene have `scene_gap` others between them where the scenes allow it.
    - A check shows an earlier main pair mirrored, `check_lag` questions later or more; with fewer
      main questions than that the lag is their number, which is the largest possible.
    - Over the main questions image_a is on the left in half of them (one more or less when odd).
    - Practice pairs are not among the main ones unless there are too few pairs.

    Raises ValueError when there are fewer pairs than main questions.
    """
    require_enough_pairs(len(pairs), protocol)
    chosen, propensity = _least_exposed(pairs, protocol.n_main, rng)
    candidates = [Candidate(*pairs[i]) for i in chosen]
    order = _spread_scenes([c.scene for c in candidates], protocol.scene_gap, rng)
    main = [candidates[k] for k in order]
    practice = _practice(pairs, chosen, main, protocol, rng)
    slots = _interleave_checks([c.scene for c in main], protocol, rng)
    return _practice_questions(practice, rng) + _questions(
        main, [propensity[k] for k in order], slots, protocol.n_practice, rng
    )


def require_enough_pairs(n_pairs: int, protocol: Protocol) -> None:
    """Raise ValueError, with the numbers, when a study cannot fill one session."""
    if n_pairs < protocol.n_main:
        raise ValueError(
            f"a session asks {protocol.n_main} different pairs (n_main) and the study has {n_pairs}; "
            "make more pairs, or lower n_main in the protocol"
        )


def _least_exposed(
    pairs: Sequence[tuple[int, int, int, int, int]], n_main: int, rng: np.random.Generator
) -> tuple[list[int], list[float]]:
    """Positions of the pairs with the fewest exposures, and the probability of each to be chosen."""
    exposures = np.array([pair[4] for pair in pairs])
    chosen = np.lexsort((rng.random(len(pairs)), exposures))[:n_main]
    edge = exposures[chosen[-1]]
    share_at_edge = np.mean(np.isin(np.flatnonzero(exposures == edge), chosen))
    propensity = np.where(exposures[chosen] < edge, 1.0, share_at_edge)
    return chosen.tolist(), propensity.tolist()


def _spread_scenes(scenes: list[int], gap: int, rng: np.random.Generator) -> list[int]:
    """An order of the positions in `scenes` with the widest gap up to `gap` that exists."""
    names, owner = np.unique(scenes, return_inverse=True)
    counts = np.bincount(owner, minlength=len(names))
    sequence = _scene_sequence(counts, gap, rng)
    waiting = [rng.permutation(np.flatnonzero(owner == s)).tolist() for s in range(len(names))]
    return [waiting[scene].pop() for scene in sequence]


def _scene_sequence(counts: np.ndarray, gap: int, rng: np.random.Generator) -> list[int]:
    for smaller_gap in range(gap, 0, -1):
        # The loose order is the more random one. The strict one, most frequent scene first,
        # finds an order whenever there is one.
        for loose in (True, True, False):
            sequence = _try_sequence(counts.copy(), smaller_gap, loose, rng)
            if sequence is not None:
                return sequence
    return rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist()  # type: ignore[no-any-return]


def _try_sequence(counts: np.ndarray, gap: int, loose: bool, rng: np.random.Generator) -> list[int] | None:
    ready_at = np.zeros(len(counts), dtype=int)
    sequence: list[int] = []
    for slot in range(int(counts.sum())):
        noise = rng.random(len(counts))
        score = counts * noise if loose else counts + noise
        score[(counts == 0) | (ready_at > slot)] = -1
        scene = int(score.argmax())
        if score[scene] < 0:
            return None
        counts[scene] -= 1
        ready_at[scene] = slot + gap + 1
        sequence.append(scene)
    return sequence


def _practice(
    pairs: Sequence[tuple[int, int, int, int, int]],
    chosen: list[int],
    main: list[Candidate],
    protocol: Protocol,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Pairs outside the main ones, each of a scene that is new so far, where there are such."""
    others = rng.permutation(np.setdiff1d(np.arange(len(pairs)), chosen))[:PRACTICE_POOL]
    seen = {c.scene for c in main[: protocol.scene_gap]}
    of_new_scenes: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in (Candidate(*pairs[i]) for i in others):
        (rest if candidate.scene in seen else of_new_scenes).append(candidate)
        seen.add(candidate.scene)
    pool = of_new_scenes + rest + main[::-1]
    return [pool[i % len(pool)] for i in range(protocol.n_practice)]


def _interleave_checks(scenes: list[int], protocol: Protocol, rng: np.random.Generator) -> list[Slot]:
    """Main questions in their order, with the checks spread evenly over all but the first of them.

    Checks far apart from their pairs need main questions before them: where an early start of the
    checks leaves too few, a later one is tried, down to all checks at the end, which always works.
    """
    n_main, lag = len(scenes), min(protocol.check_lag, len(scenes))
    for start in np.linspace(lag, n_main, START_TRIES).astype(int):
        slots = _try_start(scenes, protocol, lag, int(start), rng)
        if slots is not None:
            return slots
    raise AssertionError("checks after all main questions always fit")


def _try_start(
    scenes: list[int], protocol: Protocol, lag: int, start: int, rng: np.random.Generator
) -> list[Slot] | None:
    """One check at random in each of `n_checks` equal stretches from `start` on; None where one cannot be."""
    slots: list[Slot] = []
    unused = set(range(len(scenes)))
    edges = np.linspace(start, len(scenes) + protocol.n_checks, protocol.n_checks + 1).astype(int)
    for n_placed, (low, high) in enumerate(pairwise(edges.tolist())):
        next_main = len(slots) - n_placed
        ahead = slots + [Slot(m, False) for m in range(next_main, len(scenes))]
        found = _place_check(ahead, range(low, high), scenes, unused, lag, protocol.scene_gap, rng)
        if found is None:
            return None
        at, repeated = found
        unused.remove(repeated)
        slots = [*ahead[:at], Slot(repeated, True)]
    next_main = len(slots) - protocol.n_checks
    return slots + [Slot(m, False) for m in range(next_main, len(scenes))]


def _place_check(
    ahead: list[Slot],
    places: range,
    scenes: list[int],
    unused: set[int],
    lag: int,
    gap: int,
    rng: np.random.Generator,
) -> tuple[int, int] | None:
    """A place for the next check and the main question that it repeats, with the widest gap up to `gap`."""
    for smaller_gap in range(gap, -1, -1):
        for at in (places.start + rng.permutation(len(places))).tolist():
            around = ahead[max(0, at - smaller_gap) : at + smaller_gap]
            near = {scenes[slot.main] for slot in around}
            fitting = [
                slot.main
                for slot in ahead[: at - lag + 1]
                if not slot.is_check and slot.main in unused and scenes[slot.main] not in near
            ]
            if fitting:
                return at, fitting[rng.integers(len(fitting))]
    return None


def _practice_questions(practice: list[Candidate], rng: np.random.Generator) -> list[PlannedQuestion]:
    return [
        PlannedQuestion(
            index=index, kind="practice", pair=c.pair, left=left, right=right, policy="random_practice"
        )
        for index, (c, (left, right)) in enumerate(zip(practice, _sides(practice, rng), strict=True))
    ]


def _questions(
    main: list[Candidate],
    propensity: list[float],
    slots: list[Slot],
    first_index: int,
    rng: np.random.Generator,
) -> list[PlannedQuestion]:
    sides = _sides(main, rng)
    index_of_main: dict[int, int] = {}
    questions = []
    for index, slot in enumerate(slots, start=first_index):
        left, right = sides[slot.main]
        if slot.is_check:
            question = PlannedQuestion(
                index=index,
                kind="check",
                pair=main[slot.main].pair,
                left=right,
                right=left,
                repeats=index_of_main[slot.main],
                policy="mirrored_repeat",
            )
        else:
            index_of_main[slot.main] = index
            question = PlannedQuestion(
                index=index,
                kind="main",
                pair=main[slot.main].pair,
                left=left,
                right=right,
                policy="fewest_exposures",
                propensity=propensity[slot.main],
            )
        questions.append(question)
    return questions


def _sides(candidates: list[Candidate], rng: np.random.Generator) -> list[tuple[int, int]]:
    """(left, right) of each: image_a is on the left in half of them, the odd one by chance."""
    a_is_left = (np.arange(len(candidates)) + rng.integers(2)) % 2 == 0
    return [
        (c.image_a, c.image_b) if a_left else (c.image_b, c.image_a)
        for c, a_left in zip(candidates, rng.permutation(a_is_left), strict=True)
    ]
