"""What a table of an edit does that nobody asks for: banding, tones turned round, clipping, hues gone astray.

Numbers of one table, and limits to hold them against. Pure; for checks, not for rendering.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.luts import Lut3D, apply

Array = npt.NDArray[np.floating[Any]]

RAMPS = {
    "grey": (1.0, 1.0, 1.0),
    "red": (1.0, 0.0, 0.0),
    "green": (0.0, 1.0, 0.0),
    "blue": (0.0, 0.0, 1.0),
    "skin": (1.0, 0.75, 0.62),
    "sky": (0.45, 0.70, 1.0),
}
"""Each from black to this colour in 256 levels."""
LARGEST_FALL = 0.5 / 255
"""Luma of a grey level under that of a darker one: less than this is rounded away in 8 bits."""
LARGEST_STEP = 3.0
"""ΔE00 between neighbouring 8-bit levels. Untouched ramps reach 1.0 (blue, in the shadows); about 1 is just seen between large
patches, and grain and rounding hide more."""
LARGEST_CLIPPED = 0.05
"""Share of a photo's pixels that newly touch 0 or 1 in some channel."""
LARGEST_HUE_SHIFT = 25.0
"""Degrees of CIELAB hue between what becomes of skin and sky and what the edit of greys alone would make of them."""
_LEVELS = 256
_LEAST_CHROMA = 15.0
_SEEN = 0.5 / 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    fall: float
    """How far the luma of the grey ramp falls below its highest so far, in [0, 1]; 0 where it never falls."""
    step: float
    """Largest ΔE00 between neighbouring 8-bit levels of the ramps."""
    grows: float
    """The largest factor by which a neighbouring pair's ΔE00 grows beyond its ramp's own largest."""
    clipped: float
    """Share of the photo's pixels that touch 0 or 1 in some channel, and did not before."""
    hue: float
    """Largest hue shift, in degrees, of skin and sky beyond that of the mean shift of greys."""

    def broken(self) -> list[str]:
        """What is over its limit, by name."""
        limits = {
            "fall": LARGEST_FALL,
            "step": LARGEST_STEP,
            "clipped": LARGEST_CLIPPED,
            "hue": LARGEST_HUE_SHIFT,
        }
        return [name for name, limit in limits.items() if getattr(self, name) > limit]


def quality(table: npt.NDArray[np.float32], photo: Array) -> Quality:
    """Measure a table, (S, S, S, 3), with a photo (H, W, 3) in [0, 1] for what it clips."""
    lut = Lut3D(table=np.asarray(table, np.float32))
    levels = np.linspace(0, 1, _LEVELS)[:, None]
    before = {name: levels * np.array(end) for name, end in RAMPS.items()}
    after = {name: apply(ramp, lut) for name, ramp in before.items()}
    luma = after["grey"] @ np.array([0.2126, 0.7152, 0.0722])
    steps = {name: _steps(ramp) for name, ramp in after.items()}
    edited = apply(np.asarray(photo, np.float64), lut)
    return Quality(
        fall=float((np.maximum.accumulate(luma) - luma).max()),
        step=max(float(found.max()) for found in steps.values()),
        grows=max(float(steps[name].max() / _steps(ramp).max()) for name, ramp in before.items()),
        clipped=float((_touches(edited) & ~_touches(photo)).mean()),
        hue=max(_hue_shift(before[name], after[name], after["grey"]) for name in ("skin", "sky")),
    )


def _steps(ramp: Array) -> Array:
    lab = srgb_to_lab(ramp)
    found: Array = ciede2000(lab[1:], lab[:-1])
    return found


def _touches(image: Array) -> npt.NDArray[np.bool_]:
    outside = np.asarray((image < _SEEN) | (image > 1 - _SEEN))
    return np.asarray(outside.any(axis=-1), np.bool_)


def _hue_shift(before: Array, after: Array, greys: Array) -> float:
    """Only where there is a hue; what the edit does to a grey of the same lightness is a cast, and wanted."""
    lab, edited, cast = srgb_to_lab(before), srgb_to_lab(after), srgb_to_lab(greys)
    level = np.linspace(0, 1, len(before))
    lightness = srgb_to_lab(np.repeat(level[:, None], 3, axis=-1))[:, 0]
    expected = lab[:, 1:] + np.stack(
        [np.interp(lab[:, 0], lightness, cast[:, axis]) for axis in (1, 2)], axis=-1
    )
    there = np.minimum(np.hypot(*expected.T), np.hypot(*edited[:, 1:].T)) > _LEAST_CHROMA
    if not there.any():
        return 0.0
    turned = np.arctan2(edited[:, 2], edited[:, 1]) - np.arctan2(expected[:, 1], expected[:, 0])
    return float(np.degrees(np.abs((turned + np.pi) % (2 * np.pi) - np.pi))[there].max())
