"""Recipes: what is done to a photo, as data.

As JSON: {"steps": [{"concept": "exposure", "strength": 0.5}, ...]}, and where a table comes
last also {"look": {"name": "golden", "strength": 1.0}} for one of ours, or
{"lut": {"sha256": "3f…", "strength": 1.0}} for one from a file, by its key. Steps are
applied in their order. {"undo": true} runs them backwards. {"steps": []} is the
neutral recipe: the photo as it is.
"""

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from array_api_compat import array_namespace

from variants.tone import lut_engine
from variants.tone.color import Array
from variants.tone.concepts import CONCEPTS
from variants.tone.images import from_8_bit, to_8_bit
from variants.tone.looks import LOOKS, look_lut
from variants.tone.luts import Lut, Lut3D, bake
from variants.tone.luts import apply as apply_lut

MAX_STEPS = 50


class RecipeError(ValueError):
    """A recipe that cannot be carried out; the message names the step and the field."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    steps: tuple[tuple[str, float], ...] = ()
    """(concept, strength), in the order in which they are applied."""
    look: str = ""
    """Name of a look; empty for none."""
    look_strength: float = 1.0
    """0 leaves the photo, 1 is the whole look."""
    lut: str = ""
    """Key of a LUT (`luts.Lut3D.key`); empty for none. A recipe has a look or a LUT, not both."""
    lut_strength: float = 1.0
    undo: bool = False
    """Take the steps back, the last one first, from a photo that they have been applied to."""

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise RecipeError(f"steps has {len(self.steps)} entries; a recipe has at most {MAX_STEPS}")
        for index, (concept, strength) in enumerate(self.steps):
            _check_step(f"steps[{index}]", concept, strength)
        if self.look:
            _check_name("look.name", self.look, LOOKS)
        if self.lut and not re.fullmatch("[0-9a-f]{64}", str(self.lut)):
            raise RecipeError(f"lut.sha256 is {self.lut!r}; it must be 64 digits from 0 to f")
        if self.look and self.lut:
            raise RecipeError("a recipe has a look or a LUT, not both")
        _check_number("look.strength", self.look_strength, 0, 1, "")
        _check_number("lut.strength", self.lut_strength, 0, 1, "")
        if self.undo:
            self._check_undo()

    def _check_undo(self) -> None:
        if self.look or self.lut:
            raise RecipeError("a table cannot be undone: it may give one colour for several")
        for index, (concept, strength) in enumerate(self.steps):
            if not CONCEPTS[concept].can_undo(strength):
                raise RecipeError(
                    f"steps[{index}] ({concept} {strength:g}) cannot be undone: {CONCEPTS[concept].lost}"
                )

    @property
    def is_neutral(self) -> bool:
        """Whether it has nothing in it; a step of strength 0 is something, though it changes nothing."""
        return not self.steps and not self.look and not self.lut

    @property
    def ordered(self) -> tuple[tuple[str, float], ...]:
        """The steps in the order in which they are done."""
        return self.steps[::-1] if self.undo else self.steps

    def inverse(self) -> Self:
        """The recipe that gives the photo back.

        What the recipe clips, pulls into the gamut, or rounds to 8 bits does not come back.

        Raises:
            RecipeError: it names the step that leaves too little to come back from, or the table.
        """
        return replace(self, undo=not self.undo)

    @property
    def key(self) -> str:
        """sha256 of the canonical JSON: equal for equal recipes, whatever they were read from."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "steps": [{"concept": concept, "strength": _plain(strength)} for concept, strength in self.steps]
        }
        if self.look:
            data["look"] = {"name": self.look, "strength": _plain(self.look_strength)}
        if self.lut:
            data["lut"] = {"sha256": self.lut, "strength": _plain(self.lut_strength)}
        if self.undo:
            data["undo"] = True
        return data

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise RecipeError, which names step and field, for anything that to_json does not write."""
        fields = _fields("the recipe", data, required={"steps"}, optional={"look", "lut", "undo"})
        if not isinstance(fields["steps"], list):
            raise RecipeError(f"steps is {fields['steps']!r}; it must be a list")
        if not isinstance(fields.get("undo", False), bool):
            raise RecipeError(f"undo is {fields['undo']!r}; it must be true or false")
        steps = tuple(_step_from_json(f"steps[{i}]", step) for i, step in enumerate(fields["steps"]))
        look, look_strength = _table_from_json("look", "name", fields)
        lut, lut_strength = _table_from_json("lut", "sha256", fields)
        return cls(
            steps=steps,
            look=look,
            look_strength=look_strength,
            lut=lut,
            lut_strength=lut_strength,
            undo=fields.get("undo", False),
        )


def apply_recipe(image: Array, recipe: Recipe, luts: Mapping[str, Lut] | None = None) -> Array:
    """Apply a recipe to an sRGB image (H, W, 3): floating point in [0, 1], or numpy in 8 bits; the same comes out.

    `luts` holds the tables that recipes name, by their keys. A LUT's results are cut off
    at black and white. An 8-bit image is rounded once, at the end.

    Raises:
        RecipeError: the recipe's LUT is not among `luts`.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        return _apply_to_levels(image, recipe, luts or {})
    for is_color_map, steps in itertools.groupby(
        recipe.ordered, key=lambda step: CONCEPTS[step[0]].is_color_map
    ):
        change = partial(_change, steps=tuple(steps), undo=recipe.undo)
        image = _in_pieces(image, change) if is_color_map and isinstance(image, np.ndarray) else change(image)
    found = _lut_of(recipe, luts or {})
    return _look_up(image, *found) if found else image


def bake_recipe(
    recipe: Recipe, size: int = 33, luts: Mapping[str, Lut] | None = None, title: str = ""
) -> Lut3D:
    """A recipe as a 3D LUT for other programs.

    Raises:
        RecipeError: a step depends on a pixel's place or neighbours, which no LUT can hold;
            or the recipe's LUT is not among `luts`.
    """
    for index, (concept, _) in enumerate(recipe.steps):
        if not CONCEPTS[concept].is_color_map:
            raise RecipeError(
                f"steps[{index}] ({concept}) changes each place differently; no LUT can hold it"
            )
    return bake(lambda lattice: apply_recipe(lattice, recipe, luts), size, title)


_AT_ONCE = 1 << 16
"""Pixels worked on at a time: what is kept in between stays in a CPU's cache, which halves the time."""


def _in_pieces(image: Array, change: Callable[[Array], Array]) -> Array:
    colours = image.reshape(-1, 3)
    result = np.empty_like(colours)
    for start in range(0, len(colours), _AT_ONCE):
        result[start : start + _AT_ONCE] = change(colours[start : start + _AT_ONCE])
    return result.reshape(image.shape)


def _change(image: Array, steps: Iterable[tuple[str, float]], undo: bool) -> Array:
    for name, strength in steps:
        concept = CONCEPTS[name]
        if undo:
            assert concept.undo is not None  # the recipe has made sure
            image = concept.undo(image, float(strength))
        else:
            image = concept.adjust(image, float(strength))
    return image


def _apply_to_levels(levels: Array, recipe: Recipe, luts: Mapping[str, Lut]) -> Array:
    found = _lut_of(recipe, luts)
    if not recipe.steps and found and found[1] == 1:
        return lut_engine.apply(levels, found[0])  # ten times as fast as by way of float32
    return to_8_bit(apply_recipe(from_8_bit(levels), recipe, luts))


def _lut_of(recipe: Recipe, luts: Mapping[str, Lut]) -> tuple[Lut, float] | None:
    if recipe.look:
        return look_lut(recipe.look), recipe.look_strength
    if not recipe.lut:
        return None
    if recipe.lut not in luts:
        raise RecipeError(f"the LUT {recipe.lut} is not at hand; import its file first")
    return luts[recipe.lut], recipe.lut_strength


def _look_up(image: Array, lut: Lut, strength: float) -> Array:
    if isinstance(image, np.ndarray) and image.dtype == np.float32 and image.ndim == 3:
        looked_up = lut_engine.apply(image, lut)
    else:
        looked_up = apply_lut(image, lut)
    looked_up = array_namespace(image).clip(looked_up, 0, 1)
    return image + strength * (looked_up - image) if strength < 1 else looked_up


def _check_step(where: str, concept: object, strength: object) -> None:
    _check_name(f"{where}.concept", concept, CONCEPTS)
    assert isinstance(concept, str)
    limits = CONCEPTS[concept]
    _check_number(f"{where}.strength", strength, limits.low, limits.high, f" ({concept}: {limits.unit})")


def _check_name(where: str, value: object, names: Iterable[str]) -> None:
    if isinstance(value, str) and value in names:
        return
    raise RecipeError(f"{where} is {value!r}, which is not one of {', '.join(names)}{_near(value, names)}")


def _check_number(where: str, value: object, low: float, high: float, what: str) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:  # type: ignore[operator]  # it is a number here
        raise RecipeError(f"{where} is {value!r:.40}; it must be a number from {low:g} to {high:g}{what}")


def _plain(strength: float) -> float:
    """Equal numbers as one text: whole ones as floats, -0.0 as 0.0."""
    return float(strength) + 0.0


def _step_from_json(where: str, data: object) -> tuple[str, float]:
    fields = _fields(where, data, required={"concept", "strength"}, optional=set())
    return fields["concept"], fields["strength"]


def _table_from_json(where: str, by: str, recipe: dict[str, Any]) -> tuple[str, float]:
    """Name or key of a look or a LUT, and its strength."""
    if where not in recipe:
        return "", 1.0
    fields = _fields(where, recipe[where], required={by}, optional={"strength"})
    if not fields[by]:
        raise RecipeError(f"{where}.{by} is empty; leave {where} out for none")
    return fields[by], fields.get("strength", 1.0)


def _fields(where: str, data: object, *, required: set[str], optional: set[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise RecipeError(f"{where} is {data!r}; it must be an object with named fields")
    names = sorted(required | optional)
    for name in data:
        if name not in names:
            raise RecipeError(f"{where} has no field {name!r}{_near(name, names)}")
    for name in sorted(required - data.keys()):
        raise RecipeError(f"{where} lacks the field {name!r}")
    return data


def _near(value: object, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(value), names, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


NEUTRAL = Recipe()
