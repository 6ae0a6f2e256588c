"""Screening: plates that show what an eye and a screen can tell apart, and how answers to them are scored.

All plates come from the session's seed; what they show stands in `Plate.truth` and nowhere else.
A screening ends in one of three ways: passed, failed, or unknown where it says nothing. It is data
for the rules and turns nobody away unless the study says so. docs/screening.md has the reasons.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from collection.design.dots import STROKES, DotColors, dot_picture
from collection.design.protocol import RuleSet
from collection.design.rules import Outcome
from collection.design.shapes import shape_picture

DEMONSTRATION = "demonstration"
RED_GREEN = ("protan", "protan", "deutan", "deutan", "red_green")
MAX_WRONG = 1
"""Of the red-green plates; from two errors on, Ishihara's plates are failed as well."""

CLEAR_SHAPES = (2, 10)
"""How many shapes of a level plate are clear: at least, at most."""
LEAST_FAINT = 2
"""So many of a plate's faint shapes must be seen: those farthest from the ground."""
LONGEST_ANSWER = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A level plate: the ground and, from the clearest to the faintest, 8-bit levels of its shapes."""

    ground: int
    clear: tuple[int, int]
    faint: tuple[int, ...]


LEVELS = {
    "dark": Level(ground=0, clear=(56, 96), faint=(24, 16, 9, 4)),
    "bright": Level(ground=255, clear=(160, 208), faint=(236, 244, 249, 252)),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plate:
    kind: str
    """demonstration, protan, deutan, red_green or tritan; dark or bright."""
    truth: str
    """The digits, or the number of shapes. Never in an address or a file's name."""
    seed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Screening:
    outcome: Outcome
    evidence: dict[str, Any]
    """What the answers were held against, and how they did."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PracticeAnswer:
    side: str
    instructed_side: str = ""
    """The side that the question asked for; empty for a free choice."""
    response_ms: int | None = None


def color_vision_plates(seed: int) -> tuple[Plate, ...]:
    """A demonstration first, then red-green plates and one tritan plate in random order."""
    rng = np.random.default_rng((seed, 1))
    kinds = [DEMONSTRATION, *rng.permutation([*RED_GREEN, "tritan"]).tolist()]
    numbers = rng.choice([a + b for a in STROKES for b in STROKES], len(kinds), replace=False)
    return tuple(
        Plate(kind=kind, truth=str(number), seed=_seed(rng))
        for kind, number in zip(kinds, numbers, strict=True)
    )


def levels_plates(seed: int) -> tuple[Plate, ...]:
    """The dark plate, then the bright one."""
    rng = np.random.default_rng((seed, 2))
    low, high = CLEAR_SHAPES
    return tuple(
        Plate(kind=kind, truth=str(int(rng.integers(low, high + 1)) + len(level.faint)), seed=_seed(rng))
        for kind, level in LEVELS.items()
    )


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def plate_pixels(plate: Plate) -> NDArray[np.uint8]:
    """Draw a plate; (640, 640, 3) of 8-bit sRGB, the same for the same plate. It needs a lossless file."""
    rng = np.random.default_rng(plate.seed)
    if plate.kind in LEVELS:
        level = LEVELS[plate.kind]
        clear = rng.integers(*level.clear, int(plate.truth) - len(level.faint), endpoint=True)
        return shape_picture(level.ground, [*clear.tolist(), *level.faint], rng)
    return dot_picture(plate.truth, plate_colors(plate.kind, rng), rng)


def plate_colors(kind: str, rng: np.random.Generator) -> DotColors:
    """Figure and ground of a kind of plate, the other way round and of another tint by chance."""
    if kind == DEMONSTRATION:
        return DotColors(figure=(0.45, 0.45, 0.9), ground=(1.15, 1.15, 0.5), lightness_noise=1.25)
    blue = rng.uniform(0.6, 0.9)
    one, other = {
        "protan": ((1.085, 1, blue), (0.915, 1, blue)),
        "deutan": ((1, 0.91, blue), (1, 1.09, blue)),
        "red_green": ((1.03, 0.943, blue), (0.97, 1.057, blue)),
        "tritan": ((1, 1, 1.7), (1, 1, 0.4)),
    }[kind]
    if rng.random() < 0.5:
        one, other = other, one
    return DotColors(figure=one, ground=other)


def color_vision_result(plates: Sequence[Plate], answers: Sequence[str]) -> Screening:
    """Score the digits that were read.

    Who missed the demonstration, which everybody can read, did not attend or saw no picture: unknown.

    Raises ValueError when the answers cannot be answers to these plates.
    """
    numbers = _numbers(plates, answers)
    scored = [
        {"kind": plate.kind, "truth": plate.truth, "right": number == int(plate.truth)}
        for plate, number in zip(plates, numbers, strict=True)
    ]
    red_green = [found["right"] for found in scored if found["kind"] in RED_GREEN]
    wrong = red_green.count(False)
    attended = all(found["right"] for found in scored if found["kind"] == DEMONSTRATION)
    return Screening(
        outcome=_outcome(wrong <= MAX_WRONG) if attended else "unknown",
        evidence={
            "plates": scored,
            "red_green": len(red_green),
            "red_green_wrong": wrong,
            "limit_wrong": MAX_WRONG,
        },
    )


def levels_result(plates: Sequence[Plate], answers: Sequence[str]) -> Screening:
    """Score the shapes that were counted: those beyond the clear ones are the faint ones, clearest first.

    A count that cannot be, below the clear ones or above all, says nothing of the screen: unknown.

    Raises ValueError when the answers cannot be answers to these plates.
    """
    scored = [
        _level_scored(plate, number) for plate, number in zip(plates, _numbers(plates, answers), strict=True)
    ]
    attended = all(found["outcome"] != "unknown" for found in scored)
    passed = _outcome(all(found["outcome"] == "passed" for found in scored))
    return Screening(
        outcome=passed if attended else "unknown", evidence={"plates": scored, "limit_faint": LEAST_FAINT}
    )


def _level_scored(plate: Plate, counted: int | None) -> dict[str, Any]:
    faint = LEVELS[plate.kind].faint
    shown = int(plate.truth)
    seen = None if counted is None else counted - (shown - len(faint))
    found = {"kind": plate.kind, "shown": shown, "counted": counted, "faint": list(faint)}
    if seen is None or not 0 <= seen <= len(faint):
        return found | {"outcome": "unknown", "faint_seen": None, "faintest_seen": None}
    return found | {
        "outcome": _outcome(seen >= LEAST_FAINT),
        "faint_seen": seen,
        "faintest_seen": faint[seen - 1] if seen else None,
    }


def practice_result(answers: Sequence[PracticeAnswer], rules: RuleSet) -> Screening:
    """Judge one try at the practice: the side that was asked for, and time enough to look."""
    followed = [answer.side == answer.instructed_side for answer in answers if answer.instructed_side]
    times = [answer.response_ms for answer in answers if answer.response_ms is not None]
    median = statistics.median(times) if times else None
    held = followed + ([median >= rules.min_response_ms] if median is not None else [])
    return Screening(
        outcome=_outcome(all(held)) if held else "unknown",
        evidence={
            "instructed": len(followed),
            "followed": sum(followed),
            "median_ms": median,
            "limit_ms": rules.min_response_ms,
        },
    )


def _numbers(plates: Sequence[Plate], answers: object) -> list[int | None]:
    """The numbers in the answers, in digits of any script; None where there is none."""
    if not isinstance(answers, list | tuple) or len(answers) != len(plates):
        got = f"{len(answers)} of them" if isinstance(answers, list | tuple) else type(answers).__name__
        raise ValueError(f"answers is {got}; it must be a list of {len(plates)} texts, one for each plate")
    for index, answer in enumerate(answers):
        if not isinstance(answer, str) or len(answer) > LONGEST_ANSWER:
            raise ValueError(
                f"answers[{index}] is {str(answer)[:40]!r}; it must be a text of at most {LONGEST_ANSWER} characters"
            )
    texts = ["".join(answer.split()) for answer in answers]
    return [int(text) if text.isdecimal() else None for text in texts]


def _outcome(holds: bool) -> Literal["passed", "failed"]:
    return "passed" if holds else "failed"
