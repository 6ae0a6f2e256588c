"""`.cube` files: 1D, 3D, and curves before a table, as Adobe and as Resolve write them.

References:
    Adobe (2013), "Cube LUT Specification 1.0".
    Blackmagic Design, "DaVinci Resolve: LUT formats": LUT_1D_INPUT_RANGE, LUT_3D_INPUT_RANGE, and
    both tables in one file, the curves first.
"""

import io
import math
import operator
import stat
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from variants.tone.luts import MAX_CURVE_SIZE, MAX_SIZE, MIN_SIZE, Lut, Lut1D, Lut3D, LutError, Table, Triple

SIZES = (17, 33, 65)
"""What other programs are sure to read; 65 is the most that Pillow takes."""
MAX_WRITTEN_SIZE = 129
"""OpenColorIO reads no more."""
MAX_BYTES = 200_000_000
"""A table of 144³ with 40 characters a row is 120 MB; nothing sensible is larger."""
MAX_LINES = 3_200_000
"""144³ rows, the longest curves, and comments."""

_SIZES = {"LUT_1D_SIZE": MAX_CURVE_SIZE, "LUT_3D_SIZE": MAX_SIZE}
_RANGES = ("LUT_1D_INPUT_RANGE", "LUT_3D_INPUT_RANGE")
_DOMAINS = ("DOMAIN_MIN", "DOMAIN_MAX")


def read_cube(path: str | Path) -> Lut:
    """Read a .cube file: Lut1D for curves alone, else Lut3D, with the curves as its shaper where there are both.

    Raises:
        LutError: it names the file and the line of what is wrong.
    """
    path = Path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise LutError(f"{path.name}: it is not a regular file")
        if status.st_size > MAX_BYTES:
            raise LutError(f"{path.name}: {status.st_size:,} bytes; a .cube file has at most {MAX_BYTES:,}")
        data = path.read_bytes()
    except OSError as error:
        raise LutError(f"{path.name}: {error.strerror or error}") from error
    return parse_cube(data, path.name)


def parse_cube(data: bytes, name: str) -> Lut:
    """As read_cube, from a file's bytes; `name` is what errors call it."""
    return _Cube(name).read(_text(data, name))


def write_cube(lut: Lut, path: str | Path) -> None:
    """Write a .cube file, with the digits that float32 needs to come back the same."""
    Path(path).write_text(format_cube(lut), encoding="utf-8", newline="\n")


def format_cube(lut: Lut) -> str:
    """A LUT as the text of a .cube file in Adobe's dialect, which all programs read.

    Raises:
        LutError: it has curves and a table, or more points than others read; `luts.resized`
            makes one table of any LUT.
    """
    if isinstance(lut, Lut3D) and lut.shaper:
        raise LutError(
            "curves and a table in one file are read by few programs; bake both into one table first"
        )
    if isinstance(lut, Lut3D) and lut.size > MAX_WRITTEN_SIZE:
        raise LutError(
            f"a table of {lut.size}³ is read by few programs; at most {MAX_WRITTEN_SIZE}³ is written"
        )
    text = io.StringIO()
    if lut.title:
        text.write(f'TITLE "{lut.title}"\n')
    text.write(f"LUT_{'1D' if isinstance(lut, Lut1D) else '3D'}_SIZE {lut.size}\n")
    text.write("DOMAIN_MIN " + " ".join(f"{x:.9g}" for x in lut.domain_min) + "\n")
    text.write("DOMAIN_MAX " + " ".join(f"{x:.9g}" for x in lut.domain_max) + "\n")
    np.savetxt(text, rows_of(lut), fmt="%.9g")
    return text.getvalue()


def rows_of(lut: Lut) -> Table:
    """The table as files have it, (N, 3): red fastest, then green, then blue."""
    return lut.table if isinstance(lut, Lut1D) else lut.table.transpose(2, 1, 0, 3).reshape(-1, 3)


def table_of(rows: Table, size: int) -> Table:
    """Undo rows_of for a 3D table."""
    return rows.reshape(size, size, size, 3).transpose(2, 1, 0, 3)


def _text(data: bytes, name: str) -> str:
    """UTF-8 with or without a byte-order mark, else the code page that old programs write titles in."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    if (lines := max(text.count("\n"), text.count("\r"))) > MAX_LINES:
        raise LutError(f"{name}: {lines:,} lines; a .cube file has at most {MAX_LINES:,}")
    for position, character in enumerate(text[:1000]):
        if not (character.isprintable() or character in "\t\r\n"):
            raise LutError(f"{name}: not a text file (character {position + 1} is {character!r})")
    return text


class _Cube:
    """The state of reading one file: its header, and where each thing was said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.header: dict[str, Any] = {}
        self.numbers: dict[str, int] = {}
        """The line of each keyword."""
        self.lines: list[str] = []
        self.begin = 0
        """Index in `lines` of the table's first row."""

    def read(self, text: str) -> Lut:
        self.lines = text.splitlines()
        begins = (index for index, line in enumerate(self.lines) if _is_row(line))
        self.begin = next(begins, len(self.lines))
        for index in range(self.begin):
            self._take(index + 1, self.lines[index].strip())
        sizes = {keyword: self.header[keyword] for keyword in _SIZES if keyword in self.header}
        if not sizes:
            raise LutError(f"{self.name}: neither LUT_1D_SIZE nor LUT_3D_SIZE is given before the numbers")
        rows = self._rows(sizes)
        return self._lut(rows)

    def _lut(self, rows: Table) -> Lut:
        curve_size, size = (self.header.get(keyword) for keyword in _SIZES)
        title = self.header.get("TITLE", "")
        if size is None:
            low, high = self._domain("LUT_1D_INPUT_RANGE")
            return Lut1D(table=rows, title=title, domain_min=low, domain_max=high)
        if curve_size is None:
            low, high = self._domain("LUT_3D_INPUT_RANGE")
            return Lut3D(table=table_of(rows, size), title=title, domain_min=low, domain_max=high)
        low, high = self._domain("LUT_1D_INPUT_RANGE")
        shaper = Lut1D(table=rows[:curve_size], domain_min=low, domain_max=high)
        low, high = self._range("LUT_3D_INPUT_RANGE")
        table = table_of(rows[curve_size:], size)
        return Lut3D(table=table, title=title, domain_min=low, domain_max=high, shaper=shaper)

    def _domain(self, input_range: str) -> tuple[Triple, Triple]:
        """What comes into the file: DOMAIN_MIN and DOMAIN_MAX as Adobe says it, or Resolve's range."""
        low, high = self._range(input_range)
        return self._rising(self.header.get("DOMAIN_MIN", low), self.header.get("DOMAIN_MAX", high), _DOMAINS)

    def _range(self, keyword: str) -> tuple[Triple, Triple]:
        low, high = self.header.get(keyword, (0.0, 1.0))
        return self._rising((low, low, low), (high, high, high), (keyword,))

    def _rising(self, low: Triple, high: Triple, said: tuple[str, ...]) -> tuple[Triple, Triple]:
        """Both as they are; where `low` is not below `high`, the last line that said so is named."""
        if not all(map(operator.lt, low, high)):
            number = max(self.numbers.get(keyword, 0) for keyword in said)
            self._refuse(number, f"the inputs' least values {low} are not all below the greatest {high}")
        return low, high

    def _take(self, number: int, line: str) -> None:
        # A title may have a # in it; elsewhere a comment begins there.
        line = line if line.upper().startswith("TITLE") else line.partition("#")[0].rstrip()
        if not line:
            return
        keyword, *rest = line.split(maxsplit=1)
        keyword = keyword.upper()
        if keyword in self.header:
            self._refuse(number, f"{keyword} is given twice")
        self.header[keyword] = self._header_value(number, keyword, "".join(rest))
        self.numbers[keyword] = number
        if len({k.startswith("DOMAIN") for k in self.header if k in _DOMAINS + _RANGES}) > 1:
            self._refuse(number, "DOMAIN_MIN or DOMAIN_MAX beside an INPUT_RANGE: which of them counts?")

    def _header_value(self, number: int, keyword: str, rest: str) -> Any:
        if keyword == "TITLE":
            return "".join(letter for letter in rest if letter.isprintable() and letter != '"')
        if keyword in _SIZES:
            return self._size(number, keyword, rest)
        if keyword in _DOMAINS:
            return self._numbers(number, keyword, rest, 3)
        if keyword in _RANGES:
            return self._numbers(number, keyword, rest, 2)
        if keyword.endswith("VIDEO_RANGE"):
            self._refuse(number, f"{keyword}: a LUT for video levels (16 to 235). Export it for full range.")
        self._refuse(number, f"unknown keyword {keyword[:40]!r}")

    def _size(self, number: int, keyword: str, rest: str) -> int:
        most = _SIZES[keyword]
        if not (rest.isascii() and rest.isdecimal() and MIN_SIZE <= int(rest[:9]) <= most):
            self._refuse(number, f"{keyword} is {rest[:20]!r}; it must be from {MIN_SIZE} to {most}")
        return int(rest)

    def _numbers(self, number: int, keyword: str, rest: str, n: int) -> tuple[float, ...]:
        try:
            values = tuple(float(word) for word in rest.split())
        except ValueError:
            values = ()
        if len(values) != n or not all(map(math.isfinite, values)):
            self._refuse(number, f"{keyword} needs {n} numbers, not {rest[:40]!r}")
        return values

    def _rows(self, sizes: dict[str, int]) -> Table:
        """All rows of numbers, (N, 3)."""
        needed = sum(n if keyword == "LUT_1D_SIZE" else n**3 for keyword, n in sizes.items())
        lines = self.lines[self.begin :]
        try:
            rows = np.loadtxt(lines, dtype=np.float64, ndmin=2) if lines else np.empty((0, 3))
        except ValueError:
            rows = np.empty((0, 3))
        if rows.shape != (needed, 3) or not (np.abs(rows) <= np.finfo(np.float32).max).all():
            self._refuse_first_bad_row(needed, " and ".join(f"{keyword} {n}" for keyword, n in sizes.items()))
        return rows.astype(np.float32)

    def _refuse_first_bad_row(self, needed: int, said: str) -> NoReturn:
        """Look at each line: numpy has counted rows, and people look for lines."""
        count, number = 0, self.begin
        for number, line in enumerate(self.lines[self.begin :], start=self.begin + 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            if not _is_row(text):
                self._refuse(number, f"{text[:40]!r} after the table has begun")
            if not _are_three_numbers(text):
                self._refuse(number, f"{text[:40]!r} is not three finite numbers")
            count += 1
            if count > needed:
                self._refuse(number, f"a row too many: {said} needs {needed:,} of them")
        self._refuse(number, f"the file ends after {count:,} rows; {said} needs {needed:,}")

    def _refuse(self, number: int, what: str) -> NoReturn:
        raise LutError(f"{self.name}, line {number}: {what}")


def _is_row(line: str) -> bool:
    """Whether a line begins with what is meant as a number."""
    word = line.lstrip()
    return word[:1] in tuple("+-.0123456789") or word[:3].lower() in ("nan", "inf")


def _are_three_numbers(text: str) -> bool:
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError:
        return False
    return values.shape == (3,) and bool((np.abs(values) <= np.finfo(np.float32).max).all())
