"""Level plates: shapes that are hardly darker or lighter than their ground. Pure and seeded."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDE = 640
"""Of a plate, in pixels."""
CELLS = 4
"""In each direction; a cell holds one shape at most."""
REACH = 56.0
"""From the middle of a shape to its corners, in pixels."""
CORNERS = (3, 4, 6)
"""Triangles, squares and hexagons."""


def shape_picture(ground: int, levels: Sequence[int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a shape of each level on a ground, all of them grey; (SIDE, SIDE, 3) of 8-bit sRGB.

    Args:
        ground: its level, 0..255.
        levels: of the shapes, at most CELLS² of them.
        rng: places, kinds and turns of the shapes.
    """
    image = np.full((SIDE, SIDE), float(ground))
    cell = SIDE / CELLS
    slack = cell / 2 - REACH - 4
    for place, level in zip(rng.permutation(CELLS**2).tolist(), levels, strict=False):
        row, column = divmod(place, CELLS)
        y, x = cell * (np.array([row, column]) + 0.5) + rng.uniform(-slack, slack, 2)
        rows, columns = (slice(int(c - REACH - 1), int(c + REACH + 2)) for c in (y, x))
        down, along = np.ogrid[rows, columns]
        cover = _polygon_cover(along - x, down - y, int(rng.choice(CORNERS)), rng)
        image[rows, columns] += cover * (level - ground)
    return np.repeat(np.rint(image).astype(np.uint8)[..., None], 3, axis=2)


def _polygon_cover(x: Array, y: Array, corners: int, rng: np.random.Generator) -> Array:
    """How much of each pixel a regular polygon around (0, 0) covers; its corners are REACH away."""
    angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners
    farthest = np.max([np.cos(angle) * x + np.sin(angle) * y for angle in angles], axis=0)
    cover: Array = np.clip(REACH * np.cos(np.pi / corners) + 0.5 - farthest, 0, 1)
    return cover
