"""Simulated raters: where the true taste is known, whether the chain learns it can be known too.

A rater's taste is an ideal rendition of every scene: the strengths of a few
photographic concepts, shared by a group of raters, different by the scene's
category, and a little the rater's own. They like an image better the nearer it is
to their ideal, and answer by a logistic choice. Where film LUTs are at hand a look may
end with one. Strengths are worked with in *look
units*: one unit of any concept changes a usual photo by 3 to 4 ΔE00, so that a
distance between two looks means about the same in every direction.

Simulated raters prove nothing about people. Whatever is made with them is marked
as simulated.
"""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np

from variants.tone.concepts import CONCEPTS
from variants.tone.recipes import Recipe

LOOK_UNIT: dict[str, float] = {
    "exposure": 0.35,
    "contrast": 0.6,
    "highlight": 0.7,
    "shadow": 0.8,
    "temperature": 0.5,
    "tint": 0.2,
    "saturation": 0.35,
}
"""One look unit in each concept's own unit, in the order in which a recipe applies them."""

Strengths = Mapping[str, float]


class Kind(StrEnum):
    """How a rater answers."""

    ATTENTIVE = "attentive"
    CLICKER = "clicker"  # at random, at a normal pace
    ONE_SIDED = "one_sided"  # nearly always the same side
    TOO_FAST = "too_fast"  # at random, faster than one can look
    SLEEPY = "sleepy"  # attentive at first, then ever less


CARELESS = (Kind.CLICKER, Kind.ONE_SIDED, Kind.TOO_FAST, Kind.SLEEPY)
LOOKING = (Kind.ATTENTIVE, Kind.SLEEPY)
"""Kinds who read what is asked and look, for a while at least."""

JUST_NOTICEABLE = 1.0
"""ΔE00: two images whose distances to the ideal differ by less are a tie, where ties may be answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """Who answers: how many tastes there are and how clearly they are felt."""

    n_looks: int = 2
    """Rival looks of every scene. The fewer, the more questions show one side that a rater wants."""
    n_groups: int = 2
    """Groups of raters. The first `n_looks` want one look everywhere; each further one chooses among
    the looks by the scene's category."""
    look_strength: float = 1.1
    """Usual size of a look along each concept, in look units."""
    content: float = 0.25
    """Size of what a scene's category changes in a look, in look units."""
    individual: float = 0.08
    """Size of what is a rater's own, in look units."""
    temperature: float = 0.5
    """ΔE00 by which one image must be nearer to the ideal to be chosen in 73 % of the questions."""
    lut_strength: float = 0.6
    """Of the film LUT that a look ends with, where there are LUTs."""
    lapse: float = 0.01
    """Part of the questions answered at random by an attentive rater."""
    careless: float = 0.0
    """Part of the raters who do not look; the four kinds in turn."""
    color_blind: float = 0.0
    """Chance of a rater to read no red-green plate."""
    dim_screen: float = 0.0
    """Chance of a rater's screen to swallow dark greys."""

    def __post_init__(self) -> None:
        for name in ("n_looks", "n_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; a crowd has at least 1")
        for name in ("look_strength", "content", "individual"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.temperature <= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be above 0")
        for name in ("lut_strength", "lapse", "careless", "color_blind", "dim_screen"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a share from 0 to 1")


REALISTIC = Crowd(temperature=2.0, lapse=0.03, individual=0.2, color_blind=0.04, dim_screen=0.1)
"""Of people of European descent 8 % of the men and 0.4 % of the women tell red from green badly (Birch 2012)."""

CROWDS: dict[str, Crowd] = {
    "clear": Crowd(),
    "realistic": REALISTIC,
    "careless": dataclasses.replace(REALISTIC, careless=0.1),
    # With eight photos of eight categories, a taste that hangs on the category cannot be learnt for a new one.
    "demo": Crowd(
        n_looks=3, n_groups=3, content=0.1, individual=0.1, temperature=1.0, lapse=0.02, careless=0.1
    ),
}
"""Levels of difficulty: clear tastes, realistic noise, one careless rater in ten; and the demo's own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedRater:
    """One rater: all that is needed to answer any question about any scene."""

    kind: Kind
    taste: "GroupTaste"
    own: Strengths
    """What is the rater's own, in look units."""
    temperature: float
    lapse: float
    pace: float
    """Response times are multiplied by it; 1 is usual."""
    favourite_side: str = "left"
    """Of a one-sided rater."""
    color_blind: bool = False
    dim_screen: bool = False

    def ideal_recipe(self, category: str) -> Recipe:
        """The recipe that makes this rater's ideal from a scene's neutral rendition."""
        return self.taste.look(category).recipe(category, self.own)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "kind": str(self.kind)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Raise ValueError where `data` was not written by `to_json`."""
        try:
            looks = tuple(Look(**look) for look in data["taste"]["looks"])
            taste = GroupTaste(group=data["taste"]["group"], looks=looks)
            return cls(**{**data, "kind": Kind(data["kind"]), "taste": taste})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not a simulated rater's taste: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One way for photos to look, in look units. Any category has its own part, even a new one."""

    base: Strengths
    content: float
    seed: int
    """From it and the category's name comes the category's part."""
    lut: str = ""
    """Key of a LUT that comes after the concepts; empty for none."""
    lut_strength: float = 1.0

    def recipe(self, category: str, changed_by: Strengths) -> Recipe:
        """The look on a scene of this category, its concepts changed by so many look units."""
        recipe = recipe_of(add(self.strengths(category), changed_by))
        return (
            dataclasses.replace(recipe, lut=self.lut, lut_strength=self.lut_strength) if self.lut else recipe
        )

    def strengths(self, category: str) -> dict[str, float]:
        rng = np.random.default_rng([self.seed, _number_of(category)])
        part = rng.normal(0, self.content, len(LOOK_UNIT))
        return add(self.base, dict(zip(LOOK_UNIT, part.tolist(), strict=True)))


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupTaste:
    """What a group of raters wants: one of the looks, or one for each category."""

    group: int
    looks: tuple[Look, ...]

    def look(self, category: str) -> Look:
        if self.group < len(self.looks):
            return self.looks[self.group]
        return self.looks[_number_of(f"{self.group}/{category}") % len(self.looks)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    side: str
    """`left`, `right` or `tie`."""
    response_ms: int


def crowd_looks(seed: int, crowd: Crowd = CROWDS["clear"], luts: Sequence[str] = ()) -> tuple[Look, ...]:
    """The rival looks of a crowd: equally far from doing nothing, and far from each other.

    Of many random looks, the next one taken is always the one farthest from those taken
    (farthest-point sampling). With `luts`, the keys of at least as many LUTs as there are
    looks, each look ends with one of its own.
    """
    if luts and len(luts) < crowd.n_looks:
        raise ValueError(f"there are {len(luts)} LUTs for {crowd.n_looks} looks; each look needs its own")
    rng = np.random.default_rng([seed, 0])
    candidates = rng.normal(0, 1, (200, len(LOOK_UNIT)))
    # All equally strong: otherwise the farthest are simply the most extreme.
    candidates *= (
        crowd.look_strength * math.sqrt(len(LOOK_UNIT)) / np.linalg.norm(candidates, axis=1)[:, None]
    )
    taken = [candidates[0]]
    while len(taken) < crowd.n_looks:
        nearest = np.min([np.linalg.norm(candidates - look, axis=1) for look in taken], axis=0)
        taken.append(candidates[int(nearest.argmax())])
    films = np.random.default_rng([seed, 3]).permutation(sorted(luts)).tolist()
    return tuple(
        Look(
            base=dict(zip(LOOK_UNIT, look.tolist(), strict=True)),
            content=crowd.content,
            seed=_number_of(f"{seed}/{number}"),
            lut=films[number] if films else "",
            lut_strength=crowd.lut_strength if films else 1.0,
        )
        for number, look in enumerate(taken)
    )


def simulate_rater(
    index: int, *, seed: int, crowd: Crowd = CROWDS["clear"], luts: Sequence[str] = ()
) -> SimulatedRater:
    """Rater number `index` (from 0) of a crowd; the same whoever else is made."""
    rng = np.random.default_rng([seed, 1, index])
    own = rng.normal(0, crowd.individual, len(LOOK_UNIT))
    return SimulatedRater(
        kind=_kind_of(index, crowd.careless),
        taste=GroupTaste(group=index % crowd.n_groups, looks=crowd_looks(seed, crowd, luts)),
        own=dict(zip(LOOK_UNIT, own.tolist(), strict=True)),
        temperature=crowd.temperature,
        lapse=crowd.lapse,
        pace=float(rng.lognormal(0, 0.25)),
        favourite_side=str(rng.choice(["left", "right"])),
        color_blind=bool(rng.random() < crowd.color_blind),
        dim_screen=bool(rng.random() < crowd.dim_screen),
    )


def choose(
    rater: SimulatedRater,
    left_distance: float,
    right_distance: float,
    rng: np.random.Generator,
    *,
    progress: float = 0.0,
    allow_tie: bool = False,
    instructed_side: str = "",
) -> Choice:
    """Answer one question.

    Args:
        rater: who answers.
        left_distance: mean CIEDE2000 of the left image to the rater's ideal.
        right_distance: the same for the right image.
        rng: where chance comes from.
        progress: part of the session that is behind, 0 to 1; sleepy raters mind it.
        allow_tie: whether "no difference" may be answered; careless raters never do.
        instructed_side: the side that the question asks for, which only those who look choose.
    """
    prefers_left = _prefers_left(rater, left_distance, right_distance)
    lapse = _lapse(rater, progress)
    p_left = chance_of_left(rater, left_distance, right_distance, progress=progress)
    side = "left" if rng.random() < p_left else "right"
    response_ms = _response_ms(rater, 1 - abs(2 * prefers_left - 1), rng)
    if rater.kind in LOOKING and (instructed_side or allow_tie) and rng.random() >= lapse:
        is_tie = allow_tie and abs(right_distance - left_distance) < JUST_NOTICEABLE
        side = instructed_side or ("tie" if is_tie else side)
    return Choice(side=side, response_ms=response_ms)


def chance_of_left(
    rater: SimulatedRater, left_distance: float, right_distance: float, *, progress: float = 0.0
) -> float:
    """The probability with which `choose` takes the left side, where no tie may be answered."""
    attentive = _lapsing(_prefers_left(rater, left_distance, right_distance), _lapse(rater, progress))
    return {
        Kind.ATTENTIVE: attentive,
        Kind.CLICKER: 0.5,
        Kind.ONE_SIDED: 0.97 if rater.favourite_side == "left" else 0.03,
        Kind.TOO_FAST: 0.5,
        Kind.SLEEPY: attentive,
    }[rater.kind]


def benchmark_recipes(
    n: int,
    seed: int,
    *,
    category: str = "",
    scene: str = "",
    crowd: Crowd = CROWDS["clear"],
    near: float = 0.8,
    spread: float = 0.12,
    luts: Sequence[str] = (),
) -> list[Recipe]:
    """Renditions of one scene that give a benchmark room: neutral, near the groups' looks, others.

    With random renditions alone the winner of a pair is seldom what the rater wants,
    and then even an oracle hardly beats doing nothing.

    Args:
        n: how many recipes, the neutral one among them.
        seed: the crowd's seed; raters of the same seed want these looks.
        category: the scene's.
        scene: the scene's name; scenes of one category get different renditions.
        crowd: who will answer.
        near: part of the renditions, neutral aside, that are near a group's look.
        spread: how near: the usual difference from it along each concept, in look units.
        luts: keys of LUTs that looks end with, and that every second one of the others is made by.
    """
    if n < 2:
        raise ValueError(f"n is {n}; a scene needs at least 2 renditions to make a pair")
    if not 0 <= near <= 1:
        raise ValueError(f"near is {near}; it must be a share from 0 to 1")
    rng = np.random.default_rng([seed, 2, _number_of(scene), _number_of(category)])
    looks = crowd_looks(seed, crowd, luts)
    n_near = round((n - 1) * near)
    first = int(rng.integers(len(looks)))
    wanted = [looks[(first + i) % len(looks)] for i in range(n_near)]
    near_recipes = [look.recipe(category, _random_strengths(rng, spread)) for look in wanted]
    others = [
        _film(rng, luts) if luts and i % 2 else _controlled_edit(rng, crowd.look_strength)
        for i in range(n - 1 - n_near)
    ]
    return [Recipe(), *near_recipes, *others]


def recipe_of(strengths: Strengths) -> Recipe:
    """The recipe with these strengths (look units), each kept within its concept's range."""
    steps = []
    for name, unit in LOOK_UNIT.items():
        strength = strengths.get(name, 0.0) * unit
        concept = CONCEPTS[name]
        if strength:
            # Rounded so that the recipe's text is short and the same on every machine.
            steps.append((name, round(min(max(strength, concept.low), concept.high), 4)))
    return Recipe(steps=tuple(steps))


def add(a: Strengths, b: Strengths) -> dict[str, float]:
    """The sum of two sets of strengths."""
    return {name: a.get(name, 0.0) + b.get(name, 0.0) for name in LOOK_UNIT}


def _controlled_edit(rng: np.random.Generator, size: float) -> Recipe:
    """One or two concepts changed well visibly, as in source type D."""
    names = rng.choice(list(LOOK_UNIT), size=int(rng.integers(1, 3)), replace=False)
    return recipe_of({str(n): float(rng.choice([-1, 1]) * rng.uniform(0.6, 1.8) * size) for n in names})


def _film(rng: np.random.Generator, luts: Sequence[str]) -> Recipe:
    """One of the LUTs alone, well visible."""
    return Recipe(lut=str(rng.choice(sorted(luts))), lut_strength=round(float(rng.uniform(0.5, 1)), 2))


def _random_strengths(rng: np.random.Generator, size: float) -> dict[str, float]:
    return dict(zip(LOOK_UNIT, rng.normal(0, size, len(LOOK_UNIT)).tolist(), strict=True))


def _kind_of(index: int, careless: float) -> Kind:
    """Careless raters stand evenly among the others, so that any first n hold their share."""
    before, after = math.floor(index * careless), math.floor((index + 1) * careless)
    return CARELESS[before % len(CARELESS)] if after > before else Kind.ATTENTIVE


def _response_ms(rater: SimulatedRater, hardness: float, rng: np.random.Generator) -> int:
    """A hand's floor and a log-normal decision whose median grows from 0.5 to 1.6 s with hardness."""
    if rater.kind == Kind.TOO_FAST:
        return round(120 + 80 * float(rng.lognormal(0, 0.5)))
    floor, median = 230, 500 + 1100 * hardness
    return round(floor + rater.pace * median * float(rng.lognormal(0, 0.45)))


def _prefers_left(rater: SimulatedRater, left_distance: float, right_distance: float) -> float:
    return _logistic((right_distance - left_distance) / rater.temperature)


def _lapse(rater: SimulatedRater, progress: float) -> float:
    """Part of the answers at random: a sleepy rater's grows from question to question."""
    return min(1.0, rater.lapse + 1.2 * progress) if rater.kind == Kind.SLEEPY else rater.lapse


def _lapsing(p: float, lapse: float) -> float:
    return (1 - lapse) * p + lapse / 2


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -50.0), 50.0)))


def _number_of(text: str) -> int:
    """32 bits from a text, the same in every process."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:4], "little")
