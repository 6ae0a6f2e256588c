"""A picture to share: one photo, its left half as it was and its right half in somebody's look. No words about them."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from learning.systems.interface import Pixels
from variants.tone.images import fit_size, to_8_bit

WIDTH = 1080
MAX_HEIGHT = 1350
"""Four to five: the tallest that the usual places show whole."""
MARGIN = 48
GREY = (0x77, 0x77, 0x77)
"""The surround that photos are judged on."""
INK = (0, 0, 0)
TITLE_SIZE = 34
SMALL_SIZE = 20
GAP = 28
LINE = 4
"""Between the halves, in pixels."""
FONT = Path("mpl-data/fonts/ttf/DejaVuSans.ttf")
"""In matplotlib's package, which the project needs anyway."""


def card_picture(before: Pixels, after: Pixels, *, title: str, attribution: str = "") -> np.ndarray[Any, Any]:
    """The card as 8-bit sRGB, (H, WIDTH, 3).

    Args:
        before: the photo.
        after: the same photo in the look; of the same shape.
        title: below the photo; left out where the font lacks one of its letters.
        attribution: whom the photo is owed to, smaller; likewise.
    """
    height, width = before.shape[:2]
    lines = [
        (text, size) for text, size in ((title, TITLE_SIZE), (attribution, SMALL_SIZE)) if can_write(text)
    ]
    below = sum(round(size * 1.5) for _, size in lines) + (GAP if lines else 0)
    room = (WIDTH - 2 * MARGIN, MAX_HEIGHT - 2 * MARGIN - below)
    scale = min(room[0] / width, room[1] / height)
    size = max(2, round(width * scale)), max(2, round(height * scale))
    halves = _halves(fit_size(before, size), fit_size(after, size))
    card = Image.new("RGB", (WIDTH, size[1] + 2 * MARGIN + below), GREY)
    card.paste(Image.fromarray(to_8_bit(halves)), ((WIDTH - size[0]) // 2, MARGIN))
    _write(card, lines, top=MARGIN + size[1] + GAP)
    return np.asarray(card)


def can_write(text: str) -> bool:
    """Whether there is a text, and the font has all of its letters."""
    return bool(text.strip()) and all(ord(letter) in _letters() for letter in text if not letter.isspace())


def _halves(before: Pixels, after: Pixels) -> Pixels:
    middle = before.shape[1] // 2
    halves = after.copy()
    halves[:, :middle] = before[:, :middle]
    halves[:, middle - LINE // 2 : middle + LINE // 2] = 1
    return halves


def _write(card: Image.Image, lines: list[tuple[str, int]], top: int) -> None:
    draw = ImageDraw.Draw(card)
    for text, size in lines:
        font = ImageFont.truetype(_font_path(), size)
        draw.text((WIDTH / 2, top), _fitting(text, font), font=font, fill=INK, anchor="ma")
        top += round(size * 1.5)


def _fitting(text: str, font: ImageFont.FreeTypeFont) -> str:
    """The text, or as much of it as there is room for."""
    shown = text
    while font.getlength(shown) > WIDTH - 2 * MARGIN and len(text) > 1:
        text = text[:-1]
        shown = f"{text.rstrip()}…"
    return shown


@cache
def _letters() -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_font_path())).get_charmap())


@cache
def _font_path() -> Path:
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / FONT
