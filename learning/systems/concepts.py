"""The photographic concepts that PIF and PIF-lite share, and the sliders of either. Without torch, for pages as well.

Source of the eight concepts: PIF (2025), arXiv 2510.16791.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from variants.tone.concepts import (
    CONCEPTS,
    weigh_cast,
    weigh_contrast,
    weigh_exposure,
    weigh_highlight,
    weigh_saturation,
    weigh_shadow,
    weigh_vignetting,
)

NAMES = tuple(CONCEPTS)
"""Of the strengths, in the order of their application: colour first, optics last."""
GROUPS: dict[str, tuple[str, ...]] = {
    "exposure": ("exposure",),
    "contrast": ("contrast",),
    "highlight": ("highlight",),
    "shadow": ("shadow",),
    "saturation": ("saturation",),
    "tint": ("temperature", "tint"),
    "sharpness": ("sharpness",),
    "vignetting": ("vignetting",),
}
"""The eight concepts of the published work; its tint, an intensity and a hue, is temperature and tint here."""
WEIGHTS = {
    "exposure": weigh_exposure,
    "contrast": weigh_contrast,
    "highlight": weigh_highlight,
    "shadow": weigh_shadow,
    "saturation": weigh_saturation,
    "tint": weigh_cast,
    "vignetting": weigh_vignetting,
}
"""Where each concept shows; PIF-lite reads sharpness from the sums of a photo's detail."""

AVERAGE = "average"
WORDS: dict[str, dict[str, dict[str, float]]] = {
    "exposure": {
        "very dark": {"exposure": -1.2},
        "dark": {"exposure": -0.6},
        AVERAGE: {},
        "bright": {"exposure": 0.6},
        "very bright": {"exposure": 1.2},
    },
    "contrast": {
        "very flat": {"contrast": -0.8},
        "flat": {"contrast": -0.4},
        AVERAGE: {},
        "strong": {"contrast": 0.4},
        "very strong": {"contrast": 0.8},
    },
    "highlight": {"dim": {"highlight": -0.7}, AVERAGE: {}, "glowing": {"highlight": 0.7}},
    "shadow": {"deep": {"shadow": -0.7}, AVERAGE: {}, "lifted": {"shadow": 0.7}},
    "saturation": {
        "grey": {"saturation": -1.0},
        "pale": {"saturation": -0.5},
        AVERAGE: {},
        "vivid": {"saturation": 0.6},
        "very vivid": {"saturation": 1.2},
    },
    "tint": {
        "cool": {"temperature": -0.8},
        "green": {"tint": -0.4},
        AVERAGE: {},
        "magenta": {"tint": 0.4},
        "warm": {"temperature": 0.8},
    },
    "sharpness": {"soft": {"sharpness": -0.8}, AVERAGE: {}, "crisp": {"sharpness": 1.0}},
    "vignetting": {"bright": {"vignetting": -0.6}, AVERAGE: {}, "dark": {"vignetting": 1.2}},
}
"""Concept → attribute → strengths, in the concepts' own units; what is not named is neutral."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slider:
    """How far a concept of a taste can be set by hand."""

    low: float
    high: float
    unit: str
    neutral: float = 0.0
    """Where the concept changes nothing."""
    is_color_map: bool = True
    """Whether a LUT can hold it."""


def _slider_of(name: str) -> Slider:
    """As the concept is of itself."""
    concept = CONCEPTS[name]
    return Slider(
        low=concept.low,
        high=concept.high,
        unit=concept.unit,
        neutral=concept.neutral,
        is_color_map=concept.is_color_map,
    )


SLIDERS: dict[str, dict[str, Slider]] = {
    "pif_lite": {name: _slider_of(name) for name in CONCEPTS},
    "tastelut": {name: _slider_of(name) for name, concept in CONCEPTS.items() if concept.is_color_map},
    # What a word stands for cannot be read from it: its strength is told beside what was learned.
    "pif": {
        name: Slider(low=0.0, high=2.0, unit="of what was learned", is_color_map=False) for name in GROUPS
    },
}
"""Systems whose edit is made of concepts, by name; `learning.systems.interface.ConceptEditor` describes them."""


def checked(system: str, strengths: Mapping[str, float]) -> dict[str, float]:
    """Strengths that the system's sliders can have; ValueError for a concept or a value that cannot be."""
    sliders = SLIDERS[system]
    for name, value in strengths.items():
        if name not in sliders:
            raise ValueError(f"there is no concept {name!r}; there are: {', '.join(sliders)}")
        low, high = sliders[name].low, sliders[name].high
        if not low <= value <= high:
            raise ValueError(
                f"{name} is {value:g}; it must be from {low:g} to {high:g} {sliders[name].unit}".rstrip()
            )
    return dict(strengths)


def checked_words(words: Mapping[str, str]) -> dict[str, str]:
    """Attributes by concept; ValueError for a concept or a word that there is not."""
    for concept, word in words.items():
        if concept not in WORDS:
            raise ValueError(f"there is no concept {concept!r}; there are: {', '.join(WORDS)}")
        if word not in WORDS[concept]:
            raise ValueError(f"{concept} cannot be {word!r}; it can be: {', '.join(WORDS[concept])}")
    return dict(words)
