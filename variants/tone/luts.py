"""Lookup tables: what a colour map becomes when it travels between programs.

`cube.py` and `haldclut.py` bring them in and out of files; `lut_engine.py` applies them to
whole photos. Here stands what they are, and the arithmetic for any array library.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from array_api_compat import array_namespace, device

from variants.tone.color import Array

MIN_SIZE, MAX_SIZE = 2, 144
"""144 is the largest HaldCLUT in common use, level 12."""
MAX_CURVE_SIZE = 65536

Table = np.ndarray[Any, np.dtype[np.float32]]
Triple = tuple[float, float, float]
Interpolation = Literal["tetrahedral", "trilinear"]


class LutError(ValueError):
    """A LUT that cannot be used; for a file the message names it and the line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lut1D:
    """A curve for each channel, linear between points that are even over its domain and level outside."""

    table: Table  # (n, 3)
    domain_min: Triple = (0.0, 0.0, 0.0)
    domain_max: Triple = (1.0, 1.0, 1.0)
    title: str = ""

    def __post_init__(self) -> None:
        n = self.table.shape[0]
        if self.table.shape != (n, 3) or not MIN_SIZE <= n <= MAX_CURVE_SIZE:
            raise LutError(
                f"curves have the shape (n, 3) with n from {MIN_SIZE} to {MAX_CURVE_SIZE}, not {self.table.shape}"
            )
        _check(self)

    @property
    def size(self) -> int:
        return int(self.table.shape[0])

    @cached_property
    def key(self) -> str:
        """sha256 of what it does: the same for the same numbers, whatever file and title they came with."""
        return _key(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lut3D:
    """A colour map as a lattice: `table[r, g, b]` is the colour that lattice point becomes.

    The lattice is even over `domain_min`..`domain_max` in each channel; what lies
    outside is taken to its edge.
    """

    table: Table  # (n, n, n, 3), indexed by red, green, blue
    domain_min: Triple = (0.0, 0.0, 0.0)
    domain_max: Triple = (1.0, 1.0, 1.0)
    title: str = ""
    shaper: Lut1D | None = None
    """Curves that come first; `domain_min` and `domain_max` are then about what they give."""

    def __post_init__(self) -> None:
        n = self.table.shape[0]
        if self.table.shape != (n, n, n, 3) or not MIN_SIZE <= n <= MAX_SIZE:
            raise LutError(
                f"a table has the shape (n, n, n, 3) with n from {MIN_SIZE} to {MAX_SIZE}, not {self.table.shape}"
            )
        _check(self)

    @property
    def size(self) -> int:
        return int(self.table.shape[0])

    @cached_property
    def key(self) -> str:
        """sha256 of what it does, as of Lut1D."""
        return _key(self, self.shaper)


Lut = Lut1D | Lut3D


def identity(size: int) -> Lut3D:
    """The table that changes nothing."""
    return Lut3D(table=_lattice(size))


def bake(function: Callable[[Array], Array], size: int = 33, title: str = "") -> Lut3D:
    """Put a colour map (..., 3) → (..., 3) of [0, 1] into a table of `size`³ points."""
    table = np.asarray(function(_lattice(size).astype(np.float64)), dtype=np.float32)
    return Lut3D(table=table, title=title)


def resized(lut: Lut, size: int) -> Lut3D:
    """Any LUT as one table of `size`³ points over the same domain; what is finer than that is lost."""
    first = lut.shaper if isinstance(lut, Lut3D) and lut.shaper else lut
    low, high = np.asarray(first.domain_min), np.asarray(first.domain_max)
    table = apply(low + _lattice(size).astype(np.float64) * (high - low), lut)
    return Lut3D(
        table=table.astype(np.float32),
        domain_min=first.domain_min,
        domain_max=first.domain_max,
        title=lut.title,
    )


def apply(image: Array, lut: Lut, interpolation: Interpolation = "tetrahedral") -> Array:
    """Look up every colour of a floating-point image (..., 3), in its library and type.

    Tetrahedral keeps the greys of a table whose diagonal is grey exactly grey, and is what
    OpenColorIO is fastest at; trilinear is smoother across a cell. Both are linear in
    the table and give the same at lattice points.
    """
    if isinstance(lut, Lut1D):
        return _follow_curves(image, lut)
    if lut.shaper:
        image = _follow_curves(image, lut.shaper)
    xp = array_namespace(image)
    corner, part = _cell(xp.reshape(image, (-1, 3)), lut)
    table = _like(image, lut.table.reshape(-1, 3))
    look_up = _tetrahedral if interpolation == "tetrahedral" else _trilinear
    return xp.reshape(look_up(table, corner, part, lut.size), image.shape)


def _follow_curves(image: Array, lut: Lut1D) -> Array:
    xp = array_namespace(image)
    corner, part = _cell(image, lut)
    values = _like(image, lut.table.reshape(-1))
    first = xp.reshape(corner * 3 + xp.arange(3, device=device(image)), (-1,))
    at, after = (xp.reshape(xp.take(values, start), image.shape) for start in (first, first + 3))
    return at + part * (after - at)


def _cell(image: Array, lut: Lut) -> tuple[Array, Array]:
    """The lattice point at or below each value as integers, and how far on it is, 0 to 1."""
    xp = array_namespace(image)
    low = _like(image, lut.domain_min)
    span = _like(image, np.subtract(lut.domain_max, lut.domain_min))
    position = xp.clip((image - low) / span, 0, 1) * (lut.size - 1)
    corner = xp.clip(xp.floor(position), 0, lut.size - 2)
    return xp.astype(corner, xp.int64), position - corner


def _trilinear(table: Array, corner: Array, part: Array, n: int) -> Array:
    """Linear along blue, then green, then red: (N, 3)."""
    xp = array_namespace(table)

    def along_blue(start: Array) -> Array:
        at, after = xp.take(table, start, axis=0), xp.take(table, start + 1, axis=0)
        return at + part[:, 2:3] * (after - at)

    def along_green(start: Array) -> Array:
        at, after = along_blue(start), along_blue(start + n)
        return at + part[:, 1:2] * (after - at)

    first = _index(corner, n)
    at, after = along_green(first), along_green(first + n * n)
    return at + part[:, 0:1] * (after - at)


def _tetrahedral(table: Array, corner: Array, part: Array, n: int) -> Array:
    """From the cell's corner to the opposite one along its edges, the channel that is furthest on first: (N, 3)."""
    xp = array_namespace(table)
    order = xp.argsort(part, axis=-1, descending=True)
    part = xp.take_along_axis(part, order, axis=-1)
    step = xp.take(xp.asarray([n * n, n, 1], dtype=xp.int64, device=device(table)), xp.reshape(order, (-1,)))
    step = xp.reshape(step, order.shape)
    index = _index(corner, n)
    at = xp.take(table, index, axis=0)
    total = at
    for axis in range(3):
        index = index + step[:, axis]
        after = xp.take(table, index, axis=0)
        total = total + part[:, axis : axis + 1] * (after - at)
        at = after
    return total


def _index(corner: Array, n: int) -> Array:
    return (corner[:, 0] * n + corner[:, 1]) * n + corner[:, 2]


def _check(lut: Lut) -> None:
    if not np.isfinite(lut.table).all():
        raise LutError("the table holds values that are not finite")
    if not all(low < high for low, high in zip(lut.domain_min, lut.domain_max, strict=True)):
        raise LutError(f"domain_min {lut.domain_min} is not below domain_max {lut.domain_max}")
    if not lut.title.isprintable() or '"' in lut.title:
        raise LutError(f"the title {lut.title[:40]!r} holds a quote or a control character")


def _key(*stages: Lut | None) -> str:
    digest = hashlib.sha256()
    for lut in stages:
        if lut is None:
            continue
        digest.update(repr(lut.table.shape).encode())
        digest.update(np.array([lut.domain_min, lut.domain_max], dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(lut.table, dtype="<f4").tobytes())
    return digest.hexdigest()


def _like(image: Array, values: object) -> Array:
    return array_namespace(image).asarray(values, dtype=image.dtype, device=device(image))


def _lattice(size: int) -> Table:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise LutError(f"a table's size is from {MIN_SIZE} to {MAX_SIZE}, not {size}")
    axis = np.linspace(0, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
