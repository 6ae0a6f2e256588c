"""3D lookup tables: what a colour map becomes when it leaves for other programs.

References:
    Adobe (2013), "Cube LUT Specification 1.0": the text format.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from variants.tone.color import Array

MIN_SIZE, MAX_SIZE = 2, 129
MAX_BYTES = 200_000_000
"""A table of 129³ with 25 characters a number is 160 MB; nothing sensible is larger."""


class LutError(ValueError):
    """A LUT file that cannot be used; the message names the file and the line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lut3D:
    """A colour map as a lattice: `table[r, g, b]` is the colour that lattice point becomes.

    The lattice is even over `domain_min`..`domain_max` in each channel; what lies
    outside is taken to its edge.
    """

    table: np.ndarray[Any, np.dtype[np.float32]]  # (n, n, n, 3), indexed by red, green, blue
    domain_min: tuple[float, float, float] = (0.0, 0.0, 0.0)
    domain_max: tuple[float, float, float] = (1.0, 1.0, 1.0)
    title: str = ""

    def __post_init__(self) -> None:
        n = self.table.shape[0]
        if self.table.shape != (n, n, n, 3) or not MIN_SIZE <= n <= MAX_SIZE:
            raise ValueError(
                f"a table has the shape (n, n, n, 3) with n from {MIN_SIZE} to {MAX_SIZE}, not {self.table.shape}"
            )
        if not np.isfinite(self.table).all():
            raise ValueError("the table holds values that are not finite")
        if not all(low < high for low, high in zip(self.domain_min, self.domain_max, strict=True)):
            raise ValueError(f"domain_min {self.domain_min} is not below domain_max {self.domain_max}")
        if not self.title.isprintable() or '"' in self.title:
            raise ValueError(f"the title {self.title[:40]!r} holds a quote or a control character")

    @property
    def size(self) -> int:
        return int(self.table.shape[0])


def identity(size: int) -> Lut3D:
    """The table that changes nothing."""
    return Lut3D(table=_lattice(size))


def bake(function: Callable[[Array], Array], size: int = 33, title: str = "") -> Lut3D:
    """Put a colour map (..., 3) → (..., 3) into a table of `size`³ points."""
    table = np.asarray(function(_lattice(size).astype(np.float64)), dtype=np.float32)
    return Lut3D(table=table, title=title)


def apply(image: Array, lut: Lut3D) -> Array:
    """Look up every colour of (..., 3) with trilinear interpolation, in the image's library and type."""
    xp = array_namespace(image)
    n = lut.size
    table = xp.asarray(lut.table.reshape(-1, 3), dtype=image.dtype, device=device(image))
    low = xp.asarray(lut.domain_min, dtype=image.dtype, device=device(image))
    span = xp.asarray(np.subtract(lut.domain_max, lut.domain_min), dtype=image.dtype, device=device(image))

    position = xp.clip((xp.reshape(image, (-1, 3)) - low) / span, 0, 1) * (n - 1)  # (N, 3)
    corner = xp.clip(xp.floor(position), 0, n - 2)
    part = position - corner
    corner = xp.astype(corner, xp.int64)
    first = (corner[:, 0] * n + corner[:, 1]) * n + corner[:, 2]

    def along_blue(start: Array) -> Array:
        at, after = xp.take(table, start, axis=0), xp.take(table, start + 1, axis=0)
        return at + part[:, 2:3] * (after - at)

    def along_green(start: Array) -> Array:
        at, after = along_blue(start), along_blue(start + n)
        return at + part[:, 1:2] * (after - at)

    at, after = along_green(first), along_green(first + n * n)
    return xp.reshape(at + part[:, 0:1] * (after - at), image.shape)


def read_cube(path: str | Path) -> Lut3D:
    """Read a 3D .cube file; LutError names the file and the line of what is wrong."""
    path = Path(path)
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise LutError(f"{path.name}: {size:,} bytes; a .cube file has at most {MAX_BYTES:,}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise LutError(f"{path.name}: not a text file ({error.reason} at byte {error.start})") from error
    return _Cube(path.name).read(text)


def write_cube(lut: Lut3D, path: str | Path) -> None:
    """Write a .cube file, red fastest, with the digits that float32 needs to come back the same."""
    text = io.StringIO()
    if lut.title:
        text.write(f'TITLE "{lut.title}"\n')
    text.write(f"LUT_3D_SIZE {lut.size}\n")
    text.write("DOMAIN_MIN " + " ".join(f"{x:.9g}" for x in lut.domain_min) + "\n")
    text.write("DOMAIN_MAX " + " ".join(f"{x:.9g}" for x in lut.domain_max) + "\n")
    np.savetxt(text, lut.table.transpose(2, 1, 0, 3).reshape(-1, 3), fmt="%.9g")
    Path(path).write_text(text.getvalue(), encoding="utf-8", newline="\n")


class _Cube:
    """The state of reading one file: its header, and where each thing was said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.header: dict[str, Any] = {}
        self.rows: list[tuple[int, str]] = []

    def read(self, text: str) -> Lut3D:
        for number, line in enumerate(text.splitlines(), start=1):
            # A title may have a # in it; elsewhere a comment begins there.
            line = line.strip()
            self._take(number, line if line.startswith("TITLE") else line.partition("#")[0].strip())
        size = self.header.get("LUT_3D_SIZE")
        if size is None:
            raise LutError(f"{self.name}: no LUT_3D_SIZE; only 3D tables can be read")
        if len(self.rows) != size**3:
            raise LutError(f"{self.name}: {len(self.rows):,} rows of numbers; size {size} needs {size**3:,}")
        table = self._numbers().reshape(size, size, size, 3).transpose(2, 1, 0, 3)
        fields = {name.lower(): value for name, value in self.header.items() if name != "LUT_3D_SIZE"}
        try:
            return Lut3D(table=table, **fields)
        except ValueError as error:
            raise LutError(f"{self.name}: {error}") from error

    def _take(self, number: int, line: str) -> None:
        if not line:
            return
        if line[0] in "+-.0123456789" or line[:3].lower() in ("nan", "inf"):
            self._take_row(number, line)
            return
        keyword, *rest = line.split(maxsplit=1)
        if self.rows:
            self._refuse(number, f"{line[:40]!r} after the table has begun")
        if keyword in self.header:
            self._refuse(number, f"{keyword} is given twice")
        self.header[keyword] = self._header_value(number, keyword, "".join(rest))

    def _take_row(self, number: int, line: str) -> None:
        if len(self.rows) >= MAX_SIZE**3:
            self._refuse(number, f"more than {MAX_SIZE}³ rows")
        if len(line.split()) != 3:
            self._refuse(number, f"a row has three numbers, not {line[:40]!r}")
        self.rows.append((number, line))

    def _header_value(self, number: int, keyword: str, rest: str) -> Any:
        if keyword == "TITLE":
            return rest.removeprefix('"').removesuffix('"')
        if keyword == "LUT_3D_SIZE":
            return self._size(number, rest)
        if keyword in ("DOMAIN_MIN", "DOMAIN_MAX"):
            return self._three_numbers(number, keyword, rest)
        if keyword.startswith("LUT_1D"):
            self._refuse(number, "a 1D table; only 3D tables can be read")
        return self._refuse(number, f"unknown keyword {keyword[:40]!r}")

    def _size(self, number: int, rest: str) -> int:
        if not rest.isdecimal() or not MIN_SIZE <= int(rest) <= MAX_SIZE:
            self._refuse(number, f"LUT_3D_SIZE is {rest[:20]!r}; it must be from {MIN_SIZE} to {MAX_SIZE}")
        return int(rest)

    def _three_numbers(self, number: int, keyword: str, rest: str) -> tuple[float, ...]:
        try:
            values = tuple(float(word) for word in rest.split())
        except ValueError:
            values = ()
        if len(values) != 3 or not all(map(math.isfinite, values)):
            self._refuse(number, f"{keyword} needs three numbers, not {rest[:40]!r}")
        return values

    def _numbers(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        words = " ".join(line for _, line in self.rows).split()
        try:
            values = _float32(words)
        except ValueError:
            values = np.array([np.nan], dtype=np.float32)
        if not np.isfinite(values).all():
            self._refuse_first_bad_row()
        return values

    def _refuse_first_bad_row(self) -> None:
        for number, line in self.rows:
            try:
                good = np.isfinite(_float32(line.split())).all()
            except ValueError:
                good = False
            if not good:
                self._refuse(number, f"{line[:40]!r} is not three finite numbers")

    def _refuse(self, number: int, what: str) -> Any:
        raise LutError(f"{self.name}, line {number}: {what}")


def _float32(words: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused
        return np.array(words, dtype=np.float64).astype(np.float32)


def _lattice(size: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"a table's size is from {MIN_SIZE} to {MAX_SIZE}, not {size}")
    axis = np.linspace(0, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
