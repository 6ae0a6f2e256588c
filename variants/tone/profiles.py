"""ICC profiles that are three curves and a matrix: ProPhoto RGB, Adobe RGB, Display P3 and their like.

littlecms, as Pillow has it, converts 8 bits a channel. For photos with 16 bits these profiles are
carried out here instead: what they say is little, and exact.

References:
    International Color Consortium (2010), "Specification ICC.1:2010 (Profile version 4.3.0.0)":
    section 7.3 for the table of tags, 10.5 and 10.15 for curves, annex F.3 for the model.
"""

import struct
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from variants.tone.color import linear_to_srgb

Levels = np.ndarray[Any, np.dtype[np.uint16]]
Curve = np.ndarray[Any, np.dtype[np.float32]]

SRGB_TO_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to XYZ under D50, as ICC profiles have it (Bradford adaptation, B. Lindbloom's table)."""

_PARAMETERS = (1, 3, 4, 5, 7)
"""How many numbers each type of parametric curve has (ICC.1:2010, table 66)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MatrixProfile:
    curves: Curve
    """(3, 65536): linear light for each 16-bit level of each channel."""
    matrix: np.ndarray[Any, np.dtype[np.float64]]
    """(3, 3): linear light to XYZ under D50."""

    @classmethod
    def from_bytes(cls, profile: bytes) -> Self | None:
        """The profile, or None where it is not three curves and a matrix, or is damaged."""
        try:
            tags = _tags(profile)
            # A table comes before the matrix where a profile has both (ICC.1:2010, 8.10).
            if profile[12:24] not in (b"mntrRGB XYZ ", b"scnrRGB XYZ ") or b"A2B0" in tags or b"A2B1" in tags:
                return None
            curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
            columns = [struct.unpack(">3i", tags[name][8:20]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        except (KeyError, struct.error, ValueError):
            return None
        return cls(curves=curves, matrix=np.transpose(columns) / 65536)

    def to_srgb(self, levels: Levels) -> np.ndarray[Any, np.dtype[np.float32]]:
        """SRGB in [0, 1] of 16-bit levels (..., 3), relative colorimetric; black is black in both."""
        light = np.stack([self.curves[c][levels[..., c]] for c in range(3)], axis=-1)
        matrix = np.linalg.inv(SRGB_TO_D50) @ self.matrix
        light = np.clip(light @ matrix.T.astype(np.float32), 0, 1)
        return np.asarray(linear_to_srgb(light), dtype=np.float32)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack(">I", profile[128:132])
    if count > 100:
        raise ValueError(f"{count} tags")
    entries = (struct.unpack(">4s2I", profile[132 + 12 * i : 144 + 12 * i]) for i in range(count))
    return {name: profile[offset : offset + size] for name, offset, size in entries}


def _curve(tag: bytes) -> Curve:
    """Linear light for every 16-bit level."""
    x = np.linspace(0, 1, 65536)
    if tag[:4] == b"para":
        return _parametric(x, tag).astype(np.float32)
    if tag[:4] != b"curv":
        raise ValueError(f"a curve of the kind {tag[:4]!r}")
    (count,) = struct.unpack(">I", tag[8:12])
    if count == 0:
        return x.astype(np.float32)
    points = np.array(struct.unpack(f">{count}H", tag[12 : 12 + 2 * count]), dtype=np.float64)
    if count == 1:
        return np.asarray(x ** (points[0] / 256), dtype=np.float32)
    return np.interp(x, np.linspace(0, 1, count), points / 65535).astype(np.float32)


def _parametric(x: np.ndarray[Any, Any], tag: bytes) -> np.ndarray[Any, Any]:
    """(a x + b)^g + e from d on, c x + f below: what a type leaves out is 0, and its a is 1."""
    (kind,) = struct.unpack(">H", tag[8:10])
    if kind >= len(_PARAMETERS):
        raise ValueError(f"a parametric curve of type {kind}")
    n = _PARAMETERS[kind]
    g, *rest = (value / 65536 for value in struct.unpack(f">{n}i", tag[12 : 12 + 4 * n]))
    a, b = (rest[0], rest[1]) if rest else (1.0, 0.0)
    c, d, e, f = 0.0, -np.inf, 0.0, 0.0
    if kind in (1, 2):
        d, e = -b / a if a else -np.inf, rest[2] if kind == 2 else 0.0
        f = e
    if kind in (3, 4):
        c, d = rest[2], rest[3]
    if kind == 4:
        e, f = rest[4], rest[5]
    power = np.clip(a * x + b, 0, None) ** g + e
    return np.clip(np.where(x >= d, power, c * x + f), 0, 1)
