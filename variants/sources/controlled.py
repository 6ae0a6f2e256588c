"""Type D: controlled edits of a photo, as recipes."""

import itertools
import math
from collections.abc import Iterable

import numpy as np

from variants.tone.concepts import CONCEPTS
from variants.tone.looks import LOOKS
from variants.tone.recipes import NEUTRAL, Recipe

RANGES = {
    "exposure": (-0.8, 0.8),
    "contrast": (-0.7, 0.9),
    "highlight": (-0.9, 0.7),
    "shadow": (-0.8, 0.9),
    "saturation": (-0.6, 1.2),
    "temperature": (-0.8, 0.8),
    "tint": (-0.3, 0.3),
}
"""How far a study goes by itself: what a person may well prefer, well inside what recipes allow."""


MAX_RECIPES = 1000
"""Of one photo: more make no better study, and half a million pairs."""


def controlled_recipes(n: int, seed: int, *, own: Iterable[Recipe] = ()) -> list[Recipe]:
    """`n` different recipes for a study, the neutral one first.

    A third each, as far as there are enough: single concepts, both ways, in turn;
    finished looks; and combinations of all concepts at once, sampled with a scrambled Sobol
    sequence so that any number of them covers the space evenly. `own` recipes come
    right behind the neutral one and count.
    """
    if not 1 <= n <= MAX_RECIPES:
        raise ValueError(f"n is {n}; it must be from 1 to {MAX_RECIPES}")
    first = list(dict.fromkeys([NEUTRAL, *own]))
    if len(first) > n:
        raise ValueError(f"{len(first)} recipes (own and neutral) are more than n ({n})")
    third = math.ceil((n - len(first)) / 3)
    rng = np.random.default_rng(seed)
    singles, looks = _singles_in_turn(rng), list(rng.permutation(np.array(look_recipes(), dtype=object)))
    chosen = list(dict.fromkeys([*first, *singles[:third], *looks[:third]]))[:n]
    for recipe in sampled_recipes(n, rng):
        if len(chosen) < n and recipe not in chosen:
            chosen.append(recipe)
    return chosen


def single_recipes(ranges: dict[str, tuple[float, float]] = RANGES) -> list[Recipe]:
    """One concept at a time: each at its low and its high end."""
    return [Recipe(steps=((name, end),)) for name, ends in ranges.items() for end in ends]


def look_recipes() -> list[Recipe]:
    """Each built-in look, whole."""
    return [Recipe(look=name) for name in LOOKS]


def sampled_recipes(
    n: int, rng: np.random.Generator, ranges: dict[str, tuple[float, float]] = RANGES
) -> list[Recipe]:
    """All concepts at once, `n` times, evenly spread; strengths have two decimals, for people who read them.

    Each strength is pulled towards neutral (its fraction of the range squared), since
    seven full edits on top of each other make no photo that anybody would choose.
    """
    from scipy.stats import qmc  # takes most of a second to load, which the web process spares itself

    unknown = ranges.keys() - CONCEPTS.keys()
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]!r} is no concept; there are {', '.join(CONCEPTS)}")
    points = qmc.Sobol(d=len(ranges), scramble=True, rng=rng).random_base2(
        max(1, math.ceil(math.log2(n + 1)))
    )
    return [
        Recipe(steps=tuple(_step(name, ranges[name], x) for name, x in zip(ranges, point, strict=True)))
        for point in itertools.islice(points, n)
    ]


def _step(name: str, ends: tuple[float, float], x: float) -> tuple[str, float]:
    """`x` in [0, 1), 1/2 being neutral."""
    offset = 2 * x - 1
    end = ends[1] if offset > 0 else -ends[0]
    return name, round(float(offset * abs(offset) * end), 2) + 0.0  # + 0.0: no negative zero


def _singles_in_turn(rng: np.random.Generator) -> list[Recipe]:
    """Every concept once, at one of its ends, before any comes at its other end."""
    ends = np.array(single_recipes(), dtype=object).reshape(-1, 2)  # (concepts, 2)
    return [
        recipe for column in rng.permuted(ends, axis=1)[rng.permutation(len(ends))].T for recipe in column
    ]
