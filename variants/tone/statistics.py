"""A picture's colours in 44 robust numbers, of numpy or torch alike.

They hold tone and little of what is in the photo. In order: 7 quantiles of OKLab lightness, 4 of chroma;
mean a, b and chroma of shadows, middle and highlights (split toning, 9); mean and deviation of lightness,
a, b and chroma (8); local contrast across and down (2); chroma-weighted hue moments of order 1 and 2 (4);
and mean and deviation of R, G, B, luma and HSV chroma (10), which are the numbers of the distance for
unaligned pairs in PrefLUT.
"""

from functools import cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from variants.tone.color import Array, highest, srgb_to_oklab

N_STATISTICS = 44
VERSION = 1
"""Goes up with any change of what the statistics are."""
IMAGE_SIZE = 64
"""Larger pictures are brought to so many pixels on both sides first."""
LIGHTNESS_QUANTILES = (0.02, 0.10, 0.25, 0.50, 0.75, 0.90, 0.98)
CHROMA_QUANTILES = (0.25, 0.50, 0.75, 0.95)
CHROMA_SCALE = 4.0
"""OKLab's chroma of real photos seldom passes 0.25: times 4 it is as large as lightness."""


def tone_statistics(images: Array) -> Array:
    """(B, H, W, 3) sRGB in [0, 1], any size, of numpy or torch → (B, 44), of the same kind and dtype."""
    xp = array_namespace(images)
    if max(images.shape[1:3]) > IMAGE_SIZE:
        images = _resize(images)
    oklab = srgb_to_oklab(images)  # (B, H, W, 3)
    lightness, a, b = (oklab[..., channel] for channel in range(3))
    local_contrast = [
        xp.mean(xp.abs(lightness[:, 1:] - lightness[:, :-1]), axis=(1, 2)),
        xp.mean(xp.abs(lightness[:, :, 1:] - lightness[:, :, :-1]), axis=(1, 2)),
    ]
    return xp.stack(
        [
            *_oklab_statistics(*(_flat(value) for value in (lightness, a, b))),
            *(CHROMA_SCALE * contrast for contrast in local_contrast),
            *_hue_moments(_flat(a), _flat(b)),
            *_color_statistics(images),
        ],
        axis=1,
    )


def _resize(images: Array) -> Array:
    """(B, H, W, 3) → (B, IMAGE_SIZE, IMAGE_SIZE, 3)."""
    xp = array_namespace(images)
    n, height, width, _ = images.shape
    down, across = (
        xp.asarray(_triangles(side), dtype=images.dtype, device=device(images)) for side in (height, width)
    )
    rows = xp.reshape(down @ xp.reshape(images, (n, height, width * 3)), (n * IMAGE_SIZE, width, 3))
    return xp.reshape(across @ rows, (n, IMAGE_SIZE, IMAGE_SIZE, 3))


@cache
def _triangles(side: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """(IMAGE_SIZE, side) weights of Pillow's and torch's antialiased bilinear filter."""
    scale = side / IMAGE_SIZE
    wide = max(scale, 1.0)
    centers = (np.arange(IMAGE_SIZE) + 0.5) * scale
    distance = (np.arange(side) + 0.5 - centers[:, None]) / wide
    weights = np.maximum(1 - np.abs(distance), 0)
    parts: np.ndarray[Any, np.dtype[np.float64]] = weights / weights.sum(1, keepdims=True)
    return parts


def _flat(values: Array) -> Array:
    """(B, H, W) → (B, H·W)."""
    return array_namespace(values).reshape(values, (values.shape[0], -1))


def _oklab_statistics(lightness: Array, a: Array, b: Array) -> list[Array]:
    """Of pixels (B, P) → 28 arrays (B,)."""
    a, b = CHROMA_SCALE * a, CHROMA_SCALE * b
    chroma = array_namespace(a).hypot(a, b)
    return [
        *_quantiles(lightness, LIGHTNESS_QUANTILES),
        *_quantiles(chroma, CHROMA_QUANTILES),
        *(_mean(value, weight) for weight in tone_zones(lightness) for value in (a, b, chroma)),
        *(moment for value in (lightness, a, b, chroma) for moment in _mean_and_deviation(value)),
    ]


def _quantiles(values: Array, parts: tuple[float, ...]) -> list[Array]:
    """Without interpolation, which costs more than it tells over thousands of pixels."""
    ordered = array_namespace(values).sort(values, axis=1)
    last = values.shape[1] - 1
    return [ordered[:, round(part * last)] for part in parts]


def tone_zones(lightness: Array) -> list[Array]:
    """Soft weights of shadows, middle and highlights; they sum to 1 at every pixel."""
    xp = array_namespace(lightness)
    shadows = xp.clip(1 - 2 * lightness, 0, 1)
    highlights = xp.clip(2 * lightness - 1, 0, 1)
    return [shadows, 1 - shadows - highlights, highlights]


def _mean(values: Array, weights: Array) -> Array:
    """Drawn to 0 where hardly any pixel has weight."""
    xp = array_namespace(values)
    return xp.sum(weights * values, axis=1) / (xp.sum(weights, axis=1) + 0.01 * values.shape[1])


def _mean_and_deviation(values: Array) -> tuple[Array, Array]:
    xp = array_namespace(values)
    return xp.mean(values, axis=1), xp.std(values, axis=1, correction=0)


def _hue_moments(a: Array, b: Array) -> list[Array]:
    """Cos and sin of the hue and of twice the hue, each weighted by chroma, over the mean chroma."""
    xp = array_namespace(a)
    chroma = xp.hypot(a, b)
    cos, sin = a / (chroma + 1e-4), b / (chroma + 1e-4)
    total = xp.mean(chroma, axis=1) + 0.01
    moments = (cos, sin, cos * cos - sin * sin, 2 * cos * sin)
    return [xp.mean(chroma * moment, axis=1) / total for moment in moments]


def _color_statistics(images: Array) -> list[Array]:
    """(B, H, W, 3) → mean and deviation of R, G, B, luma (Rec. 709 weights) and largest minus smallest channel."""
    red, green, blue = (images[..., channel] for channel in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    spread = (highest(images) + highest(-images))[..., 0]
    return [m for value in (red, green, blue, luma, spread) for m in _mean_and_deviation(_flat(value))]
