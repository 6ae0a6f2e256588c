"""Masks as pictures: the pixels of one colour are one segment.

A photo's mask is a lossless picture, most often PNG, with the name of its photo: lake.png is the mask of
lake.jpg. Equal colours in the masks of a taste and of a photo are the same segment.
"""

import io
from collections.abc import Iterable
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from variants.tone.images import ImageError, Limits, as_image_errors, read_file

FORMATS = ("PNG", "TIFF", "BMP", "GIF")
SUFFIXES = {".png", ".tif", ".tiff", ".bmp", ".gif"}
MAX_SEGMENTS = 64

Labels = npt.NDArray[np.int64]
"""(H, W): a grey's level, from 0 to 255; another colour's 24-bit number with a minus."""


def read_mask(source: Path | bytes, limits: Limits | None = None, name: str = "") -> Labels:
    """Read a mask as segments.

    Args:
        source: a file, or its bytes.
        limits: of bytes and pixels.
        name: for messages, where there are only bytes.

    Raises:
        ImageError: it cannot be read, is not lossless, or has too many colours to be a mask.
    """
    limits = limits or Limits()
    if isinstance(source, Path):
        name = source.name
        source = read_file(source, limits)
    if len(source) > limits.max_bytes:
        raise ImageError(f"{name}: the mask has more than {limits.max_bytes / 1e6:g} MB")
    with as_image_errors(name):
        try:
            image = Image.open(io.BytesIO(source), formats=FORMATS)
        except UnidentifiedImageError:
            raise ImageError(
                f"{name}: a mask must be {', '.join(FORMATS)}, whose colours stay as they are"
            ) from None
        if image.width * image.height > limits.max_pixels:
            raise ImageError(
                f"{name}: the mask is {image.width}×{image.height}; at most {limits.max_pixels / 1e6:g} megapixels are read"
            )
        if image.mode.startswith(("I", "F")):
            raise ImageError(f"{name}: the mask has {image.mode} levels; save it with 8 bits a channel")
        levels = np.asarray(image.convert("RGB"), np.int64)
    number = levels @ np.array([65536, 256, 1])
    labels = np.where((levels == levels[..., :1]).all(axis=-1), levels[..., 0], -number)
    if (n := len(np.unique(labels))) > MAX_SEGMENTS:
        raise ImageError(
            f"{name}: the mask has {n} colours; a segment has one, and there are {MAX_SEGMENTS} at most. "
            "Draw it without soft edges, and save it without JPEG"
        )
    return labels


def segment_name(label: int) -> str:
    """A grey by its level, another colour as #rrggbb."""
    return str(label) if label >= 0 else f"#{-label:06x}"


def masks_by_photo(masks: Iterable[str], photos: Iterable[str]) -> dict[str, str]:
    """Photo's name → its mask's name, by what stands before the last dot.

    Raises:
        ValueError: a mask has no photo, or two are of one.
    """
    by_stem: dict[str, str] = {}
    for mask in masks:
        if other := by_stem.get(PurePath(mask).stem):
            raise ValueError(f"{other} and {mask} are both masks of one photo; leave one out")
        by_stem[PurePath(mask).stem] = mask
    found = {photo: by_stem[PurePath(photo).stem] for photo in photos if PurePath(photo).stem in by_stem}
    if alone := sorted(set(by_stem.values()) - set(found.values())):
        raise ValueError(
            f"{alone[0]} is the mask of no photo here; a mask has its photo's name, as lake.png of lake.jpg"
        )
    return found
