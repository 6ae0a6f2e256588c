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


def designed_recipes(
    design: str, n: int, seed: int, *, concepts: Iterable[str] = (), one_at_a_time: bool = False
) -> list[Recipe]:
    """Recipes by a plain design, the neutral one first.

    Args:
        design: `grid` has `n` strengths of each concept, even from the low to the high end of RANGES;
            `sobol` has `n` recipes at strengths that cover the space evenly.
        n: Strengths or recipes.
        seed: Scrambles the Sobol sequence.
        concepts: Which ones; all of RANGES unless told otherwise.
        one_at_a_time: Rather than all concepts at once: a grid is then a cross, and the samples
            take the concepts in turn.
    """
    names = list(concepts) or list(RANGES)
    unknown = [name for name in names if name not in RANGES]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is no concept with a range for studies; there are {', '.join(RANGES)}"
        )
    ranges = {name: RANGES[name] for name in names}
    if design == "grid":
        recipes = grid_recipes(n, ranges, one_at_a_time=one_at_a_time)
    elif design == "sobol":
        rng = np.random.default_rng(seed)
        recipes = _sampled_in_turn(n, rng, ranges) if one_at_a_time else sampled_recipes(n, rng, ranges)
    else:
        raise ValueError(f"design is {design!r}; it must be grid or sobol")
    return list(dict.fromkeys([NEUTRAL, *recipes]))


def grid_recipes(
    levels: int, ranges: dict[str, tuple[float, float]] = RANGES, *, one_at_a_time: bool = False
) -> list[Recipe]:
    """Every combination of `levels` even strengths, or each concept's strengths by itself; without strengths of 0."""
    if levels < 2:
        raise ValueError(f"levels is {levels}; a grid has at least 2, the low and the high end")
    n = levels * len(ranges) if one_at_a_time else levels ** len(ranges)
    if n > MAX_RECIPES:
        raise ValueError(
            f"a grid of {levels} strengths of {len(ranges)} concepts has {n:,} recipes; at most {MAX_RECIPES:,} "
            "are taken. Name fewer concepts, take fewer strengths or one concept at a time"
        )
    axes = [
        [(name, round(float(x), 3) + 0.0) for x in np.linspace(*ends, levels)]
        for name, ends in ranges.items()
    ]
    points = ((step,) for axis in axes for step in axis) if one_at_a_time else itertools.product(*axes)
    steps = (tuple(step for step in point if step[1]) for point in points)
    return [Recipe(steps=point) for point in steps if point]


def lut_recipes(keys: Iterable[str], strength: float = 1.0) -> list[Recipe]:
    """Each LUT by itself, by its key."""
    return [Recipe(lut=key, lut_strength=strength) for key in keys]


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


def _sampled_in_turn(
    n: int, rng: np.random.Generator, ranges: dict[str, tuple[float, float]]
) -> list[Recipe]:
    """One concept a recipe, in turn, each evenly over its whole range."""
    from scipy.stats import qmc

    each = math.ceil(n / len(ranges))
    columns = []
    for name, (low, high) in ranges.items():
        points = qmc.Sobol(d=1, scramble=True, rng=rng).random_base2(max(1, math.ceil(math.log2(each))))[
            :each, 0
        ]
        columns.append(
            [Recipe(steps=((name, round(float(low + x * (high - low)), 3) + 0.0),)) for x in points]
        )
    return [recipe for turn in zip(*columns, strict=True) for recipe in turn][:n]


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
