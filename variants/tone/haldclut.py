"""HaldCLUT: a 3D table as a picture, red fastest, that any program's edit can be caught in.

References:
    E. Eskelund (2008), "Hald images": a square of level³ pixels on a side holds level² points a channel.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from variants.tone.cube import rows_of, table_of
from variants.tone.images import FORMATS, ImageError, Limits, as_image_errors, read_file
from variants.tone.luts import Lut, Lut3D, LutError, Table, resized
from variants.tone.png16 import decode_png16, encode_png16, is_png16

LEVELS = range(2, 13)
"""Level 2 is a table of 4³ in 8×8 pixels, level 8 of 64³ in 512×512, level 12 of 144³ in 1728×1728."""
_LIMITS = Limits(max_bytes=100_000_000)


def read_haldclut(path: str | Path) -> Lut3D:
    """Read a HaldCLUT of any level from 2 to 12, 8 or 16 bit; an embedded colour profile is not minded.

    Raises:
        LutError: it names the file and says what is wrong.
    """
    path = Path(path)
    try:
        data = read_file(path, _LIMITS)
    except ImageError as error:
        raise LutError(str(error)) from error
    if len(data) > _LIMITS.max_bytes:
        raise LutError(f"{path.name}: more than {_LIMITS.max_bytes:,} bytes; a HaldCLUT has at most that")
    return parse_haldclut(data, path.name)


def parse_haldclut(data: bytes, name: str) -> Lut3D:
    """As read_haldclut, from a file's bytes; `name` is what errors call it."""
    if not data:
        raise LutError(f"{name}: the file is empty (0 bytes).")
    try:
        with as_image_errors(name):
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        level = _level(image.size, name)
        with as_image_errors(name):
            rows = _rows(data, image).reshape(-1, 3)
    except ImageError as error:
        raise LutError(str(error)) from error
    return Lut3D(table=np.ascontiguousarray(table_of(rows, level**2)), title=_title(name))


def write_haldclut(lut: Lut, path: str | Path, level: int = 8) -> None:
    """Write a LUT as a HaldCLUT, a PNG of 16 bits; values outside [0, 1] are cut off."""
    Path(path).write_bytes(format_haldclut(lut, level))


def format_haldclut(lut: Lut, level: int = 8) -> bytes:
    """A LUT as the bytes of a HaldCLUT.

    Raises:
        LutError: the level is not from 2 to 12, or the LUT is about other inputs than [0, 1].
    """
    if level not in LEVELS:
        raise LutError(f"a HaldCLUT's level is from {LEVELS[0]} to {LEVELS[-1]}, not {level}")
    table = resized(lut, level**2)
    if (table.domain_min, table.domain_max) != ((0, 0, 0), (1, 1, 1)):
        raise LutError(
            f"a HaldCLUT is about inputs from 0 to 1; this LUT takes {table.domain_min} to {table.domain_max}"
        )
    levels = np.clip(rows_of(table), 0, 1).astype(np.float64) * 65535 + 0.5
    return encode_png16(levels.astype(np.uint16).reshape(level**3, level**3, 3))


def _level(size: tuple[int, int], name: str) -> int:
    for level in LEVELS:
        if size == (level**3, level**3):
            return level
    sides = ", ".join(str(level**3) for level in LEVELS)
    raise LutError(
        f"{name}: {size[0]}×{size[1]} pixels are no cube; a HaldCLUT is a square of {sides} pixels on a side"
    )


def _rows(data: bytes, image: Image.Image) -> Table:
    """Red, green and blue in [0, 1] with all the bits that the file has, (H, W, 3)."""
    if is_png16(data):
        return _colours(decode_png16(data))
    if image.format == "TIFF" and 16 in np.atleast_1d(image.tag_v2.get(258, 1)):  # type: ignore[attr-defined]
        return _colours(tifffile.imread(io.BytesIO(data)))
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are {image.mode}; save it as RGB, 8 or 16 bit")
    return np.asarray(image.convert("RGB"), dtype=np.float32) / np.float32(255)


def _colours(levels: np.ndarray[Any, Any]) -> Table:
    """16-bit levels of any number of channels as RGB in [0, 1]; alpha is left out, grey is all three."""
    if levels.ndim == 2 or levels.shape[2] < 3:
        levels = np.atleast_3d(levels)[..., :1].repeat(3, axis=-1)
    return levels[..., :3].astype(np.float32) / np.float32(65535)


def _title(name: str) -> str:
    return "".join(letter for letter in Path(name).stem if letter.isprintable() and letter != '"')
