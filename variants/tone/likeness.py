"""Photos that are nearly the same: scaled, compressed or toned copies of each other."""

from typing import Any

import numpy as np
from PIL import Image

from variants.tone.color import LUMINANCE
from variants.tone.images import Pixels

NEAR = 8
"""Bits of 64 by which near-duplicates differ at most.

Of 45 photos (Kodak, gb82) no two are less than 18 apart; their copies at half size, as JPEG of
quality 50, in grey or with 0.7 stops, contrast 0.5 or temperature 0.8 more are at most 8 apart.
A crop by 3 % on each side is 8 apart on average: half of those are found.
"""

_SIDE = 32
_COSINES = np.cos(np.pi * (np.arange(_SIDE) + 0.5) * np.arange(9)[:, None] / _SIDE)


def perceptual_hash(pixels: Pixels) -> str:
    """64 bits as 16 hexadecimal digits: which of the lowest frequencies are above their median.

    From the luma at 32×32, the cosine transform's 8×8 lowest frequencies without those that are
    constant along an axis, so that neither exposure nor a gradient of light decides.

    References:
        C. Zauner (2010), "Implementation and benchmarking of perceptual image hash functions",
        section 3.2.1.
    """
    luma = (pixels @ LUMINANCE.astype(np.float32)).astype(np.float32)
    small = np.asarray(Image.fromarray(luma).resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    low = (_COSINES @ small @ _COSINES.T)[1:, 1:]
    return f"{_number(low > np.median(low)):016x}"


def bits_apart(one: str, other: str) -> int:
    """How many of two hashes' 64 bits differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def _number(bits: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes())
