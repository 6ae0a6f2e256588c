"""What one session asks: which pairs, in which order, on which sides. Pure and seeded.

Practice comes first, then main questions with the checks between them. Everything random
comes from the generator that is passed in: the same pairs, protocol and generator give the
same plan.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from collection.design.protocol import Protocol

START_TRIES = 9
"""How many starts of the stretch with checks are tried, from early to the very end."""
SECONDS_A_QUESTION = 8
SECONDS_OF = {"display": 10, "color_vision": 60, "levels": 40, "instructions": 20, "questionnaire": 30}
"""Of the phases that ask no questions, by estimate; reading the text of the consent is not counted."""
PRACTICE_POOL = 500
"""Practice is drawn from this many pairs at most."""


PAIR = np.dtype(
    [
        ("pair", np.int64),
        ("scene", np.int64),
        ("image_a", np.int64),
        ("image_b", np.int64),
        ("source_type", "U1"),
        ("exposures", np.int64),
    ]
)
"""A pair that may be asked, as a row of an array: keys are any whole numbers; exposures are its places in sessions."""


class Candidate(NamedTuple):
    """A row of PAIR."""

    pair: int
    scene: int
    image_a: int
    image_b: int
    source_type: str
    exposures: int


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedQuestion:
    index: int
    """Position in the session, practice included, from 0."""
    kind: str
    """practice, main or check."""
    pair: int
    left: int
    right: int
    instructed_side: str = ""
    """The side that the last practice question of a try asks for."""
    repeats: int | None = None
    """For a check: the index of the main question whose pair it shows again, mirrored."""
    policy: str
    propensity: float | None = None
    """Probability with which the policy chose this pair for this session; None where it is no choice of pairs."""


class Slot(NamedTuple):
    main: int
    """Which main question, counted in their order from 0."""
    is_check: bool


class TooFewPairs(ValueError):
    """A study cannot fill one session; the message says what is missing."""


def plan_session(pairs: np.ndarray, protocol: Protocol, rng: np.random.Generator) -> list[PlannedQuestion]:
    """Plan all questions of one session.

    - Main pairs are those with the fewest exposures, ties at random, none twice; with `source_quotas`
      so within each source type, and each type has exactly its part.
    - Two questions of one scene have `scene_gap` others between them where the scenes allow it.
    - A check shows an earlier main pair mirrored, `check_lag` questions later or more; with fewer
      main questions than that the lag is their number, which is the largest possible.
    - Over the main questions image_a is on the left in half of them (one more or less when odd).
    - Practice pairs are of any source type, and not among the main ones unless there are too few pairs.
      The last question of each try says which side to choose.

    Args:
        pairs: (n,) of PAIR, in any order that is always the same.
        protocol: how many are asked, and how.
        rng: all that is random comes from it.

    Raises:
        TooFewPairs: than main questions, over all or of a source type with a quota.
    """
    require_enough_pairs(Counter(pairs["source_type"].tolist()), protocol)
    chosen, propensity = _main_pairs(pairs, protocol, rng)
    candidates = _candidates(pairs[chosen])
    order = _spread_scenes([c.scene for c in candidates], protocol.scene_gap, rng)
    main = [candidates[k] for k in order]
    practice = _practice(pairs, chosen, main, protocol, rng)
    slots = _interleave_checks([c.scene for c in main], protocol, rng)
    return _practice_questions(practice, protocol.n_practice, rng) + _questions(
        main, propensity[order].tolist(), slots, len(practice), rng
    )


def session_minutes(protocol: Protocol) -> int:
    """How long a session takes whoever passes the practice at once, by estimate; at least 1."""
    seconds = protocol.n_questions * SECONDS_A_QUESTION
    seconds += sum(SECONDS_OF.get(phase, 0) for phase in protocol.phases)
    return max(1, round(seconds / 60))


def require_enough_pairs(n_pairs: Mapping[str, int], protocol: Protocol) -> None:
    """Raise TooFewPairs, with the numbers, when the pairs of a study, by source type, cannot fill one session."""
    n_all = sum(n_pairs.values())
    if n_all < protocol.n_main:
        raise TooFewPairs(
            f"a session asks {protocol.n_main} different pairs (n_main) and the study has {n_all}; "
            "make more pairs, or lower n_main in the protocol"
        )
    for source_type, wanted in protocol.main_by_source.items():
        found = n_pairs.get(source_type, 0)
        if found < wanted:
            raise TooFewPairs(
                f"a session asks {wanted} different pairs of source type {source_type} (source_quotas) and the "
                f"study has {found}; make more of them, or lower their quota in the protocol"
            )


def _main_pairs(
    pairs: np.ndarray, protocol: Protocol, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the main pairs, and the probability of each to be chosen."""
    quotas = protocol.main_by_source
    if not quotas:
        return _least_exposed(pairs["exposures"], protocol.n_main, rng)
    parts = []
    for source_type, n_wanted in quotas.items():
        of_type = np.flatnonzero(pairs["source_type"] == source_type)
        chosen, propensity = _least_exposed(pairs["exposures"][of_type], n_wanted, rng)
        parts.append((of_type[chosen], propensity))
    positions, propensities = zip(*parts, strict=True)
    return np.concatenate(positions), np.concatenate(propensities)


def _least_exposed(
    exposures: np.ndarray, n_wanted: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the `n_wanted` with the fewest exposures, and the probability of each to be chosen."""
    chosen = np.lexsort((rng.random(len(exposures)), exposures))[:n_wanted]
    edge = exposures[chosen[-1]]
    share_at_edge = np.count_nonzero(exposures[chosen] == edge) / np.count_nonzero(exposures == edge)
    return chosen, np.where(exposures[chosen] < edge, 1.0, share_at_edge)


def _candidates(rows: np.ndarray) -> list[Candidate]:
    return [Candidate(*row) for row in rows.tolist()]


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
    pairs: np.ndarray,
    chosen: np.ndarray,
    main: list[Candidate],
    protocol: Protocol,
    rng: np.random.Generator,
) -> list[Candidate]:
    """Pairs outside the main ones, each of a scene that is new so far, where there are such."""
    others = rng.permutation(np.delete(np.arange(len(pairs)), chosen))[:PRACTICE_POOL]
    seen = {c.scene for c in main[: protocol.scene_gap]}
    of_new_scenes: list[Candidate] = []
    rest: list[Candidate] = []
    for candidate in _candidates(pairs[others]):
        (rest if candidate.scene in seen else of_new_scenes).append(candidate)
        seen.add(candidate.scene)
    pool = of_new_scenes + rest + main[::-1]
    return [pool[i % len(pool)] for i in range(protocol.n_practice_planned)]


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


def _practice_questions(
    practice: list[Candidate], a_try: int, rng: np.random.Generator
) -> list[PlannedQuestion]:
    """Tries of so many questions; the last of each says which side to choose."""
    return [
        PlannedQuestion(
            index=index,
            kind="practice",
            pair=c.pair,
            left=left,
            right=right,
            instructed_side="" if (index + 1) % a_try else ("left", "right")[rng.integers(2)],
            policy="random_practice",
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
