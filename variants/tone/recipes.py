"""Recipes: what is done to a photo, as data.

As JSON: {"steps": [{"concept": "exposure", "strength": 0.5}, ...]}, and where there is a
look also {"look": {"name": "golden", "strength": 1.0}}. Steps are applied in their
order, the look last. {"steps": []} is the neutral recipe: the photo as it is.
"""

import difflib
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from variants.tone import luts
from variants.tone.color import Array
from variants.tone.concepts import CONCEPTS
from variants.tone.looks import LOOKS, look_lut

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

    def __post_init__(self) -> None:
        if len(self.steps) > MAX_STEPS:
            raise RecipeError(f"steps has {len(self.steps)} entries; a recipe has at most {MAX_STEPS}")
        for index, (concept, strength) in enumerate(self.steps):
            _check_step(f"steps[{index}]", concept, strength)
        if self.look:
            _check_name("look.name", self.look, LOOKS)
        _check_number("look.strength", self.look_strength, 0, 1, "")

    @property
    def is_neutral(self) -> bool:
        """Whether it has nothing in it; a step of strength 0 is something, though it changes nothing."""
        return not self.steps and not self.look

    @property
    def key(self) -> str:
        """sha256 of the canonical JSON: equal for equal recipes, whatever they were read from."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {
            "steps": [{"concept": concept, "strength": float(strength)} for concept, strength in self.steps]
        }
        if self.look:
            data["look"] = {"name": self.look, "strength": float(self.look_strength)}
        return data

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise RecipeError, which names step and field, for anything that to_json does not write."""
        fields = _fields("the recipe", data, required={"steps"}, optional={"look"})
        if not isinstance(fields["steps"], list):
            raise RecipeError(f"steps is {fields['steps']!r}; it must be a list")
        steps = tuple(_step_from_json(f"steps[{i}]", step) for i, step in enumerate(fields["steps"]))
        if "look" not in fields:
            return cls(steps=steps)
        look = _fields("look", fields["look"], required={"name"}, optional={"strength"})
        if not look["name"]:
            raise RecipeError("look.name is empty; leave look out for none")
        return cls(steps=steps, look=look["name"], look_strength=look.get("strength", 1.0))


def apply_recipe(image: Array, recipe: Recipe) -> Array:
    """Apply a recipe to an sRGB image (H, W, 3) in [0, 1]; the result is in [0, 1] too."""
    for concept, strength in recipe.steps:
        image = CONCEPTS[concept].adjust(image, float(strength))
    if not recipe.look:
        return image
    looked = luts.apply(image, look_lut(recipe.look))
    return image + recipe.look_strength * (looked - image) if recipe.look_strength < 1 else looked


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
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:  # type: ignore[operator]  # it is a number here
        raise RecipeError(f"{where} is {value!r}; it must be a number from {low:g} to {high:g}{what}")


def _step_from_json(where: str, data: object) -> tuple[str, float]:
    fields = _fields(where, data, required={"concept", "strength"}, optional=set())
    return fields["concept"], fields["strength"]


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
