"""PNG with 16 bits a channel in colour, of which Pillow by itself reads and writes 8."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image

Levels = np.ndarray[Any, np.dtype[np.uint16]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_png16(data: bytes) -> bool:
    """Whether a file says that it is a PNG of 16 bits; it is not decoded."""
    return data.startswith(SIGNATURE) and data[12:16] == b"IHDR" and data[24:25] == b"\x10"


def decode_png16(data: bytes) -> Levels:
    """The levels of a 16-bit PNG as they are: (H, W) of grey, (H, W, 3 or 4) of colour.

    Pillow keeps the upper byte of each number; read as if the bytes were the other way
    round, it keeps the lower. What it raises on damaged files is passed on.
    """
    planes = []
    for order in ("B", "L"):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.mode not in ("RGB", "RGBA"):
                return np.asarray(image, dtype=np.uint16)
            image.tile = [tile._replace(args=f"{image.mode};16{order}") for tile in image.tile]
            planes.append(np.asarray(image, dtype=np.uint16))
    upper, lower = planes
    return (upper << 8 | lower).astype(np.uint16)


def encode_png16(levels: Levels) -> bytes:
    """Write (H, W, 3) levels; equal levels give equal bytes."""
    height, width, _ = levels.shape
    raw = np.ascontiguousarray(levels, dtype=">u2").view(np.uint8).reshape(height, width, 6)
    lines = np.ones((height, 1 + width * 6), dtype=np.uint8)  # filter 1: less the pixel on the left
    lines[:, 1:] = np.diff(raw, axis=1, prepend=np.zeros((height, 1, 6), dtype=np.uint8)).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
