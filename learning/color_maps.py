"""Edits that are one map of colours, on photos at full size: through a table, in as many bits as the photo has.

A table on 8 bits takes a fraction of the time and of the memory of a network on floats, and what comes out is
what a `.cube` file of the edit gives elsewhere. For commands and the site; torch comes with it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from learning.systems.interface import ColorMapper, ConceptEditor, Pixels, Profile, System
from learning.systems.shared import reduced
from variants.tone import lut_engine
from variants.tone.images import from_8_bit
from variants.tone.luts import Lut3D

RESULT_POINTS = 65
"""Of the table through which a photo goes: within a mean ΔE00 of 0.01 of the network itself, and 36 times as fast at
6 megapixels on a CPU."""
CUBE_POINTS = 33
"""Of a file for other programs, unless they want another size."""
GUIDE_SIDE = 512
"""Short side in pixels of what an edit is computed from; systems see photos smaller still."""


def edited(
    system: System, photo: npt.NDArray[Any], profile: Profile, *, strength: float = 1.0
) -> npt.NDArray[Any]:
    """A photo edited to a taste, at its own size.

    Args:
        system: any; one that edits each place differently renders in floats.
        photo: (H, W, 3) sRGB, uint8 or float32 in [0, 1].
        profile: whose taste.
        strength: as in `System.render`.

    Returns:
        (H, W, 3); uint8 only where the photo is.
    """
    table = None
    # Where a photo has fewer pixels than the table has points, the pixels are worked out faster themselves.
    if photo.shape[0] * photo.shape[1] > RESULT_POINTS**3:
        table = baked(system, guide_of(photo), profile, strength, RESULT_POINTS)
    if table is None:
        pixels = from_8_bit(photo) if photo.dtype == np.uint8 else photo
        return system.render([pixels], profile, strength=strength)[0]
    return lut_engine.apply(photo, Lut3D(table=table))


def guide_of(photo: npt.NDArray[Any]) -> Pixels:
    """What the edit of a photo is computed from, small."""
    return reduced(photo, GUIDE_SIDE)


def baked(system: System, guide: Pixels, profile: Profile, strength: float, points: int) -> Pixels | None:
    """The edit of this photo as a table; None where it depends on the place."""
    if not isinstance(system, ColorMapper):
        return None
    try:
        return system.bake(guide, profile, size=points, strength=strength)
    except ValueError:  # of this preset only
        return None


def of_colors(system: System, profile: Profile) -> Profile:
    """The part of a taste that a LUT can hold: without the concepts that change each place differently."""
    if not (isinstance(system, ConceptEditor) and isinstance(system, ColorMapper)):
        return profile
    placed = {name: slider.neutral for name, slider in system.sliders.items() if not slider.is_color_map}
    return system.with_strengths(profile, placed)
