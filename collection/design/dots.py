"""Pseudo-isochromatic plates: digits of dots among dots, told apart by colour alone. Pure and seeded.

A person who lacks one kind of cone sees two colours alike when only that cone tells them apart.
Such pairs lie on the lines of confusion of his type, which all run through one point of the
chromaticity diagram; here they are made from cone responses themselves: figure and ground differ in
one cone and in nothing else. Each dot's lightness and amount of blue vary at random, over figure
and ground alike, and by more than the two differ: lightness gives nothing away, and a screen that
is not calibrated gives away little.

References:
    V. C. Smith, J. Pokorny (1975), "Spectral sensitivity of the foveal cone photopigments between
    400 and 500 nm", Vision Research 15, 161-171: the cone responses.
    F. Viénot, H. Brettel, J. D. Mollon (1999), "Digital video colourmaps for checking the
    legibility of displays by dichromats", Color Research and Application 24, 243-252: these
    responses from XYZ, and the colours that a dichromat sees.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from variants.tone.color import XYZ_FROM_LINEAR, linear_to_srgb

Array = NDArray[np.float64]

CONES_FROM_XYZ = np.array([[0.15514, 0.54312, -0.03286], [-0.15514, 0.45684, 0.03286], [0.0, 0.0, 0.01608]])
"""L, M and S, of which L + M is the luminance; Smith and Pokorny's, as Viénot, Brettel and Mollon give them."""
CONES_FROM_LINEAR = CONES_FROM_XYZ @ XYZ_FROM_LINEAR
WHITE_CONES = CONES_FROM_LINEAR.sum(axis=1)

SIDE = 640
"""Of a plate, in pixels."""
DISC = 312
"""Radius of the plate's disc."""
PAGE, PAPER = 0x77, 0xE0
"""Grey around the disc and between the dots, 8 bit."""
RADII = (10.5, 9.0, 7.5, 6.0, 4.5, 3.5)
"""Of the dots, largest first."""
GAP = 1.5
"""Between two dots, at least."""
GRID = 2
"""Dots have their centres on every second pixel."""

GLYPH = 155.0
"""Width of a digit between the middles of its strokes; it is twice as high."""
STROKE = 60.0
"""Width of the strokes: three dots and more."""
SPACING = 105.0
"""Between the middles of two digits' nearest strokes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DotColors:
    """Figure and ground as cone responses (L, M, S) relative to white of the same lightness, and their noise."""

    figure: tuple[float, float, float]
    ground: tuple[float, float, float]
    lightness: float = 0.23
    """Luminance of a dot of response 1, linear."""
    lightness_noise: float = 1.6
    """A dot is lighter or darker by up to this factor."""
    blue_noise: float = 1.6
    """The S cone's response is larger or smaller by up to this factor."""


def dot_picture(digits: str, colors: DotColors, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw digits in a disc of dots; (SIDE, SIDE, 3) of 8-bit sRGB."""
    dots = pack_dots(rng)
    is_figure = stroke_distance(digits, dots[:, :2]) <= STROKE / 2
    return _paint(dots, dot_colors(is_figure, colors, rng))


def dot_colors(is_figure: NDArray[np.bool_], colors: DotColors, rng: np.random.Generator) -> Array:
    """Give each dot a colour; (n,) → (n, 3), linear sRGB."""
    n = len(is_figure)
    cones = np.where(is_figure[:, None], colors.figure, colors.ground) * WHITE_CONES
    cones[:, 2] *= colors.blue_noise ** rng.uniform(-1, 1, n)
    cones *= colors.lightness * colors.lightness_noise ** rng.uniform(-1, 1, (n, 1))
    linear: Array = cones @ np.linalg.inv(CONES_FROM_LINEAR).T
    return linear


def pack_dots(rng: np.random.Generator) -> Array:
    """Fill the disc with dots that do not touch; (n, 3) of x, y and radius in pixels."""
    axis = np.arange(0, SIDE, GRID, dtype=np.float64)
    middle = SIDE / 2
    # How far each place is from the nearest dot, or from the edge of the disc.
    room = DISC - np.hypot(axis[None, :] - middle, axis[:, None] - middle)
    dots = []
    for radius in RADII:
        places = np.flatnonzero(room.ravel() >= radius + GAP)
        for place in rng.permutation(places).tolist():
            row, column = divmod(place, len(axis))
            if room[row, column] >= radius + GAP:
                dots.append((axis[column], axis[row], radius))
                _take_room(room, row, column, radius)
    return np.array(dots)


def _take_room(room: Array, row: int, column: int, radius: float) -> None:
    """Lower the room around a new dot, as far as a dot of the largest size could feel it."""
    reach = math.ceil((radius + GAP + RADII[0]) / GRID) + 1
    top, left = max(0, row - reach), max(0, column - reach)
    near = room[top : row + reach + 1, left : column + reach + 1]
    down = np.arange(top, top + near.shape[0])[:, None] - row
    along = np.arange(left, left + near.shape[1])[None, :] - column
    np.minimum(near, GRID * np.hypot(along, down) - radius, out=near)


def _paint(dots: Array, colors: Array) -> NDArray[np.uint8]:
    """Draw dots with smooth edges on the disc; colours are linear sRGB."""
    axis = np.arange(SIDE, dtype=np.float64)
    inside = _cover(np.hypot(axis[None, :] - SIDE / 2, axis[:, None] - SIDE / 2), DISC)[..., None]
    image = np.repeat((PAGE + (PAPER - PAGE) * inside) / 255, 3, axis=2)
    for (x, y, radius), color in zip(dots, linear_to_srgb(np.clip(colors, 0, 1)), strict=True):
        rows, columns = (slice(int(c - radius - 1), int(c + radius + 2)) for c in (y, x))
        cover = _cover(np.hypot(axis[None, columns] - x, axis[rows, None] - y), radius)[..., None]
        image[rows, columns] += cover * (color - image[rows, columns])
    return np.rint(255 * image).astype(np.uint8)


def _cover(distance: Array, radius: float) -> Array:
    """How much of a pixel at this distance from the middle a dot covers."""
    cover: Array = np.clip(radius + 0.5 - distance, 0, 1)
    return cover


def stroke_distance(digits: str, points: Array) -> Array:
    """Distance of points (n, 2) from the middle of the nearest stroke of digits centred on the plate, in pixels."""
    width = len(digits) * GLYPH + (len(digits) - 1) * SPACING
    corner = np.array([(SIDE - width) / 2, SIDE / 2 - GLYPH])
    lines = [corner + GLYPH * STROKES[digit] + (k * (GLYPH + SPACING), 0) for k, digit in enumerate(digits)]
    start = np.concatenate([line[:-1] for line in lines])  # (m, 2), all segments of all digits
    along = np.concatenate([np.diff(line, axis=0) for line in lines])
    offset = points[:, None] - start  # (n, m, 2)
    part = np.clip((offset * along).sum(-1) / (along * along).sum(-1), 0, 1)
    nearest: Array = np.linalg.norm(offset - part[..., None] * along, axis=-1).min(axis=1)
    return nearest


def _arc(
    x: float, y: float, across: float, down: float, start: float, end: float
) -> list[tuple[float, float]]:
    """Points of an ellipse around (x, y), from one angle to another in degrees; 0 is right and 90 is down."""
    angles = np.radians(np.linspace(start, end, 25))
    return [(x + across * math.cos(t), y + down * math.sin(t)) for t in angles.tolist()]


STROKES = {
    digit: np.array(points)
    for digit, points in {
        "2": [*_arc(0.5, 0.5, 0.5, 0.5, -180, 35), (0, 2), (1, 2)],
        "3": [*_arc(0.5, 0.5, 0.5, 0.5, -160, 90), *_arc(0.5, 1.5, 0.5, 0.5, -80, 160)],
        "5": [(0.95, 0), (0.1, 0), *_arc(0.5, 1.4, 0.5, 0.6, -140, 150)],
        "6": [*_arc(1, 1.45, 1, 1.45, -100, -180), *_arc(0.5, 1.45, 0.5, 0.55, -165, 180)],
        "7": [(0, 0), (1, 0), (0.3, 2)],
        "9": [*_arc(0, 0.55, 1, 1.45, 80, 0), *_arc(0.5, 0.55, 0.5, 0.55, 15, 360)],
    }.items()
}
"""Digits in a box from (0, 0) to (1, 2). Without 0, 1, 4 and 8, which read as others, or as none, among dots."""
