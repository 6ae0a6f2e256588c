"""How far two colours are apart: CIEDE2000."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from array_api_compat import array_namespace

from variants.cores import usable_cores
from variants.tone.color import Array, srgb_to_lab

_AT_ONCE = 1 << 15
"""Pixels worked on at a time: what is kept in between stays in a core's cache."""


def mean_ciede2000(image1: Array, image2: Array) -> float:
    """Mean CIEDE2000 over the pixels of two sRGB images of one size, on all cores."""
    if image1.shape != image2.shape:
        raise ValueError(f"the images have different shapes: {image1.shape} and {image2.shape}")
    one, other = image1.reshape(-1, 3), image2.reshape(-1, 3)

    def total(start: int) -> float:
        first, second = (srgb_to_lab(image[start : start + _AT_ONCE]) for image in (one, other))
        return float(ciede2000(first, second).sum())

    starts = range(0, len(one), _AT_ONCE)
    if len(starts) == 1:
        return total(0) / len(one)
    with ThreadPoolExecutor(usable_cores()) as pool:
        return sum(pool.map(total, starts)) / len(one)


def ciede2000(lab1: Array, lab2: Array) -> Array:
    """CIEDE2000 colour difference with kL = kC = kH = 1, (..., 3) twice → (...).

    Where the two hues are exactly opposite the formula jumps; what is opposite to rounding
    counts as opposite.

    References:
        G. Sharma, W. Wu, E. N. Dalal (2005), "The CIEDE2000 color-difference formula:
        Implementation notes, supplementary test data, and mathematical observations",
        Color Research and Application 30(1), 21-30. Equation numbers below are theirs.
    """
    xp = array_namespace(lab1, lab2)
    lightness1, a1, b1 = lab1[..., 0], lab1[..., 1], lab1[..., 2]
    lightness2, a2, b2 = lab2[..., 0], lab2[..., 1], lab2[..., 2]

    # (2)-(7): a stretched where colours are near grey, then chroma and hue
    mean_chroma = (_root(a1 * a1 + b1 * b1) + _root(a2 * a2 + b2 * b2)) / 2
    stretch = 1.5 - 0.5 * _root(_seventh(mean_chroma))
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = _root(a1 * a1 + b1 * b1), _root(a2 * a2 + b2 * b2)
    hue1, hue2 = _hue(a1, b1, chroma1), _hue(a2, b2, chroma2)

    # (8)-(11): differences. The hue's goes the short way round, which turns the sine's sign. Where one colour
    # is grey the product of the chromas is 0, and with it all that hues have a part in.
    turn = hue2 - hue1
    opposite = math.pi + 8 * float(xp.finfo(turn.dtype).eps)  # to rounding
    far = xp.astype(xp.abs(turn) > opposite, turn.dtype)  # 0 or 1: a product takes less time than a `where`
    d_lightness, d_chroma = lightness2 - lightness1, chroma2 - chroma1
    d_hue = 2 * _root(chroma1 * chroma2) * (1 - 2 * far) * xp.sin(turn / 2)

    # (12)-(14): means; of hues, on the side where the two are near each other and from 0 to 2π
    lightness, chroma = (lightness1 + lightness2) / 2, (chroma1 + chroma2) / 2
    hue = (hue1 + hue2) / 2
    hue = hue - math.pi * xp.copysign(far, hue - math.pi)

    # (15)-(21): weights and the turn of the blue region's ellipses
    t = (
        1
        - 0.17 * xp.cos(hue - math.radians(30))
        + 0.24 * xp.cos(2 * hue)
        + 0.32 * xp.cos(3 * hue + math.radians(6))
        - 0.20 * xp.cos(4 * hue - math.radians(63))
    )
    away = (lightness - 50) * (lightness - 50)
    term_l = d_lightness / (1 + 0.015 * away / xp.sqrt(20 + away))
    term_c = d_chroma / (1 + 0.045 * chroma)
    term_h = d_hue / (1 + 0.015 * chroma * t)
    blue = (hue - math.radians(275)) / math.radians(25)
    # Held above e⁻⁴⁰, 4e-18: smaller angles turn nothing, and sines of them take numpy thirty times as long.
    angle = math.radians(60) * xp.exp(xp.maximum(-blue * blue, -40.0))
    rotation = -2 * _root(_seventh(chroma)) * xp.sin(angle)

    # (22)
    square = term_l * term_l + term_c * term_c + term_h * term_h + rotation * term_c * term_h
    return _root(square)


def _hue(a: Array, b: Array, chroma: Array) -> Array:
    """Hue angle from 0 to 2π: half a turn from the opposite hue, whose arc tangent is from -π to π."""
    xp = array_namespace(a)
    if _carries_gradient(a):  # greys get a = 1 first: the gradient of the angle at the origin is NaN
        a = xp.where(chroma > 0, a, xp.ones_like(a))
    return math.pi + xp.atan2(-b, -a)


def _seventh(chroma: Array) -> Array:
    """C⁷ / (C⁷ + 25⁷), scaled by 25 first so that float32 keeps its digits."""
    ratio = chroma / 25
    square = ratio * ratio
    power = ratio * square * square * square
    return power / (power + 1)


def _root(x: Array) -> Array:
    """Square root that is 0 with gradient 0 at and below 0, where the plain one has none."""
    if isinstance(x, np.ndarray):
        return np.sqrt(np.maximum(x, 0))
    xp = array_namespace(x)
    if not _carries_gradient(x):
        return xp.sqrt(xp.clip(x, 0, None))
    return xp.where(x > 0, xp.sqrt(xp.clip(x, 1e-30, None)), xp.zeros_like(x))


def _carries_gradient(x: Array) -> bool:
    """Where none is asked for, what keeps it finite is left out: a quarter of the time."""
    return getattr(x, "requires_grad", False)
