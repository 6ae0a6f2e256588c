"""Finished looks of our own making: tone curves, split toning and a little colour mixing.

Each is a smooth colour map of sRGB onto sRGB, baked into a 33³ table on first use. A
look never changes under its name: renditions are made again from it.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from variants.tone.color import (
    Array,
    fit_gamut,
    linear_to_oklab,
    linear_to_srgb,
    oklab_to_linear,
    srgb_to_linear,
)
from variants.tone.luts import Lut3D, bake


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look does, in the order of the fields. Colours are OKLab's (a, b): green-red, blue-yellow."""

    mixing: tuple[tuple[float, float, float], ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    """Linear R, G, B from linear R, G, B; rows sum to 1, so that greys stay."""
    curve: tuple[float, float, float, float, float] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """Encoded output at encoded input 0, 1/4, 1/2, 3/4, 1; a monotone cubic between."""
    chroma: float = 1.0
    """Factor on OKLab's chroma."""
    shadow_tone: tuple[float, float] = (0.0, 0.0)
    """Added to (a, b), fading out from black to mid-grey."""
    highlight_tone: tuple[float, float] = (0.0, 0.0)
    """Added to (a, b), fading in from mid-grey, most at L = 0.85 and half as much at white."""


LOOKS = {
    "warm_fade": Look(
        curve=(0.055, 0.27, 0.52, 0.76, 0.965),
        chroma=0.9,
        shadow_tone=(0.008, -0.006),
        highlight_tone=(0.006, 0.030),
    ),
    "cool_matte": Look(
        curve=(0.065, 0.25, 0.49, 0.745, 0.955),
        chroma=0.85,
        shadow_tone=(-0.006, -0.024),
        highlight_tone=(-0.008, -0.006),
    ),
    "golden": Look(
        mixing=((0.94, 0.08, -0.02), (0.03, 0.97, 0.0), (0.0, 0.04, 0.96)),
        curve=(0.0, 0.235, 0.53, 0.79, 1.0),
        chroma=1.05,
        shadow_tone=(0.006, 0.010),
        highlight_tone=(0.006, 0.036),
    ),
    "teal_shadow": Look(
        curve=(0.0, 0.215, 0.5, 0.78, 1.0),
        chroma=1.05,
        shadow_tone=(-0.034, -0.020),
        highlight_tone=(0.020, 0.026),
    ),
    "soft_film": Look(
        mixing=((0.88, 0.10, 0.02), (0.04, 0.90, 0.06), (0.02, 0.10, 0.88)),
        curve=(0.03, 0.235, 0.52, 0.785, 0.975),
        chroma=1.0,
        shadow_tone=(-0.010, -0.004),
        highlight_tone=(0.004, 0.014),
    ),
    "mono_warm": Look(
        curve=(0.015, 0.22, 0.5, 0.78, 0.985),
        chroma=0.0,
        shadow_tone=(0.006, 0.008),
        highlight_tone=(0.003, 0.014),
    ),
}


@cache
def look_lut(name: str) -> Lut3D:
    """The table of a look by its name."""
    return bake(lambda image: apply_look(image, LOOKS[name]), size=33, title=name)


def apply_look(image: Array, look: Look) -> Array:
    """Work a look out for sRGB colours (..., 3), numpy in float64."""
    linear = srgb_to_linear(image) @ np.asarray(look.mixing).T
    encoded = _curve(look.curve, np.clip(linear_to_srgb(linear), 0, 1))
    oklab = linear_to_oklab(srgb_to_linear(encoded))
    lightness = oklab[..., :1]
    oklab[..., 1:] *= look.chroma
    oklab[..., 1:] += _smoothstep(0.65, 0.1, lightness) * np.asarray(look.shadow_tone)
    bright = _smoothstep(0.45, 0.85, lightness) * (1 - 0.5 * _smoothstep(0.85, 1.0, lightness))
    oklab[..., 1:] += bright * np.asarray(look.highlight_tone)
    return np.clip(linear_to_srgb(_fit(oklab_to_linear(oklab))), 0, 1)


def _fit(linear: Array) -> Array:
    """Into the gamut: half by darkening, so that bright toned colours keep some of their tone."""
    peak = np.max(linear, axis=-1, keepdims=True)
    return fit_gamut(linear / np.sqrt(np.clip(peak, 1, None)))


def _curve(outputs: tuple[float, ...], x: Array) -> Array:
    """Monotone cubic through five even points (Fritsch and Carlson 1980, with harmonic-mean slopes)."""
    y = np.asarray(outputs)
    step = 1 / (len(y) - 1)
    rise = np.diff(y) / step
    slope = np.concatenate([rise[:1], 2 * rise[:-1] * rise[1:] / (rise[:-1] + rise[1:]), rise[-1:]])
    at = np.clip((x / step).astype(int), 0, len(y) - 2)
    t = x / step - at
    hermite = y[at] * (1 + 2 * t) * (1 - t) ** 2 + y[at + 1] * t * t * (3 - 2 * t)
    return hermite + step * (slope[at] * t * (1 - t) ** 2 - slope[at + 1] * t * t * (1 - t))


def _smoothstep(start: float, end: float, x: Array) -> Array:
    t = np.clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)
