"""The photographic concepts: one function each, numpy and torch from one definition.

Every `adjust_<concept>(image, strength)` takes an sRGB image (H, W, 3) or, the
colour-only ones, any (..., 3) in [0, 1], gives the same shape in [0, 1], and at
strength 0 gives the image back. `strength` is a number or, so that it can be
learnt, a 0-dimensional tensor. Black stays black and white stays white wherever
the concept allows it: a rendition that clips tells little about taste.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, device

from variants.tone.color import (
    Array,
    fit_gamut,
    gamut_room,
    highest,
    linear_to_srgb,
    luminance,
    srgb_to_linear,
)

Strength = Array
"""A number, or a 0-dimensional array of the image's library."""


@dataclass(frozen=True, kw_only=True)
class Concept:
    adjust: Callable[[Array, Strength], Array]
    unit: str
    low: float
    high: float
    """Strengths beyond [low, high] are refused in recipes."""
    is_color_map: bool = True
    """Whether a pixel's new colour depends on its old one alone, so that a 3D LUT can hold it."""
    neutral: float = 0.0


def adjust_exposure(image: Array, strength: Strength) -> Array:
    """Change the light by `strength` stops, a factor 2^strength in linear light.

    Brightening bends into a shoulder that ends at white: with gain g,
    y = g·x / sqrt(1 + (g² - 1)·x²). Mid-grey still gets 0.93 of the first stop, the
    shadows all of it, and no highlight is cut off. Darkening is the plain factor.
    """
    if _is_neutral(strength):
        return image
    xp = array_namespace(image)
    return _encode(_gain(srgb_to_linear(image), _power_of_two(xp, strength, image)))


def adjust_contrast(image: Array, strength: Strength) -> Array:
    """Steepen (up to 1) or flatten (down to -1) the middle of the tone curve.

    y = x + strength·x·(1 - x)·(2x - 1) on each encoded channel: slope 1 + strength/2
    at the middle, 1 - strength at black and white, which stay where they are. Unlike
    a stretch about the photo's mean it clips nothing, means the same on every
    photo, and fits into a LUT; 1 is the smoothstep curve.
    """
    if _is_neutral(strength):
        return image
    return _clip(image + strength * (image * (1 - image) * (2 * image - 1)))


def adjust_highlight(image: Array, strength: Strength) -> Array:
    """Brighten (up to 1) or recover (down to -1) the bright tones.

    With V the HSV value: 1 - V is multiplied by 2^(-1.5·strength·V³), and the channels
    go along with V, so that hue and HSV saturation stay. Monotone, white stays white.
    """
    if _is_neutral(strength):
        return image
    return _follow_value(image, lambda xp, v: 1 - (1 - v) * _power_of_two(xp, -1.5 * strength * v * v * v, v))


def adjust_shadow(image: Array, strength: Strength) -> Array:
    """Lift (up to 1) or deepen (down to -1) the dark tones.

    The mirror image of highlight: V is multiplied by 2^(1.5·strength·(1 - V)³).
    """
    if _is_neutral(strength):
        return image
    return _follow_value(
        image, lambda xp, v: v * _power_of_two(xp, 1.5 * strength * (1 - v) * (1 - v) * (1 - v), v)
    )


def adjust_saturation(image: Array, strength: Strength) -> Array:
    """Multiply the colour's distance from grey by 1 + strength: -1 is grey, 1 at most twice the colour.

    In linear light, away from the grey of the same luminance, so that luminance stays
    and -1 is a true black-and-white photo; HSV's saturation would turn blue and
    yellow into the same grey. With `room` the factor that sRGB still allows less 1,
    strengthening adds strength·room / (strength + room): nearly as asked for dull
    colours, little for vivid ones, and none is pushed against the edge and clipped.
    """
    if _is_neutral(strength):
        return image
    xp = array_namespace(image)
    linear = srgb_to_linear(image)
    room = xp.clip(gamut_room(linear) - 1, 1e-6, None)
    strength = strength + xp.zeros_like(room)
    stronger = xp.clip(strength, 0, None)
    factor = 1 + xp.clip(strength, None, 0) + stronger * room / (stronger + room)
    grey = luminance(linear)
    return _encode(grey + factor * (linear - grey))


def adjust_temperature(image: Array, strength: Strength) -> Array:
    """Warm (positive) or cool (negative) by `strength` stops between red and blue.

    Gains on linear light as a camera's white balance sets them: red ×2^(s/2), blue
    ×2^(-s/2), green ×2^(s/10), all divided so that greys keep their luminance. The
    green follows daylight, whose colours between 5000 and 10 000 K lie on such a
    line; without it warm photos would turn pink.
    """
    return _balance(image, strength, (0.5, 0.1, -0.5))


def adjust_tint(image: Array, strength: Strength) -> Array:
    """Shift towards magenta (positive) or green (negative) by `strength` stops between them.

    Red and blue ×2^(s/2), green ×2^(-s/2), divided as in temperature.
    """
    return _balance(image, strength, (0.5, -0.5, 0.5))


def adjust_sharpness(image: Array, strength: Strength) -> Array:
    """Add `strength` times the detail: image - blurred image; -1 is the blurred image.

    The blur is a Gaussian of 1.5 pixels at a long side of 512, in proportion at others.
    """
    if _is_neutral(strength):
        return image
    sigma = 1.5 * max(image.shape[0], image.shape[1]) / 512
    return _clip(image + strength * (image - gaussian_blur(image, sigma)))


def adjust_vignetting(image: Array, strength: Strength) -> Array:
    """Darken (positive) or brighten (negative) the corners by `strength` stops.

    The light is multiplied by 2^(-strength·ρ²), ρ being 0 at the centre and 1 at the
    corners; brightening bends towards white as in exposure.
    """
    if _is_neutral(strength):
        return image
    xp = array_namespace(image)
    height, width = image.shape[0], image.shape[1]
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    square = y[:, None] ** 2 + x[None, :] ** 2
    radius = _like(image, (square / max(square[0, 0], 1e-12))[..., None])  # (H, W, 1)
    return _encode(_gain(srgb_to_linear(image), _power_of_two(xp, -strength * radius, image)))


CONCEPTS = {
    "exposure": Concept(adjust=adjust_exposure, unit="stops", low=-2, high=2),
    "contrast": Concept(adjust=adjust_contrast, unit="part of a smoothstep curve", low=-1, high=1),
    "highlight": Concept(adjust=adjust_highlight, unit="part of the strongest curve", low=-1, high=1),
    "shadow": Concept(adjust=adjust_shadow, unit="part of the strongest curve", low=-1, high=1),
    "saturation": Concept(adjust=adjust_saturation, unit="change of the colour's factor", low=-1, high=2),
    "temperature": Concept(adjust=adjust_temperature, unit="stops of red over blue", low=-1.5, high=1.5),
    "tint": Concept(adjust=adjust_tint, unit="stops of magenta over green", low=-0.75, high=0.75),
    "sharpness": Concept(
        adjust=adjust_sharpness, unit="times the fine detail", low=-1, high=2, is_color_map=False
    ),
    "vignetting": Concept(
        adjust=adjust_vignetting, unit="stops off the corners", low=-1, high=2, is_color_map=False
    ),
}
"""In the order in which a sampled recipe applies them: colour first, optics last."""


def gaussian_blur(image: Array, sigma: float) -> Array:
    """Blur (H, W, C) along both axes; edges are mirrored, sigma is in pixels."""
    radius = max(1, math.ceil(3 * sigma))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        image = _correlate(image, weights, axis)
    return image


def _correlate(
    image: Array, weights: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", axis: int
) -> Array:
    xp = array_namespace(image)
    size, radius = image.shape[axis], len(weights) // 2
    mirror = np.abs(np.arange(-radius, size + radius)) % max(1, 2 * size - 2)
    mirror = np.minimum(mirror, 2 * size - 2 - mirror) if size > 1 else np.zeros_like(mirror)
    padded = xp.take(image, xp.asarray(mirror, device=device(image)), axis=axis)
    moved = xp.moveaxis(padded, axis, 0)
    total = float(weights[0]) * moved[:size, ...]
    for offset, weight in enumerate(weights[1:], start=1):
        total = total + float(weight) * moved[offset : offset + size, ...]
    return xp.moveaxis(total, 0, axis)


def _is_neutral(strength: Strength) -> bool:
    """Whether the image may be given back as it is; never for tensors, which carry a gradient."""
    return isinstance(strength, int | float) and strength == 0


def _gain(linear: Array, gain: Array) -> Array:
    """Multiply light; gains above 1 bend so that white stays white."""
    xp = array_namespace(linear)
    shoulder = xp.clip(gain * gain - 1, 0, None)
    return gain * linear / xp.sqrt(1 + shoulder * linear * linear)


def _follow_value(image: Array, curve: Callable[[Array, Array], Array]) -> Array:
    """Apply a curve to the HSV value and scale the channels with it."""
    xp = array_namespace(image)
    value = xp.clip(highest(image), 1e-6, None)
    return _clip(image * (curve(xp, value) / value))


def _balance(image: Array, strength: Strength, stops: tuple[float, float, float]) -> Array:
    if _is_neutral(strength):
        return image
    xp = array_namespace(image)
    gains = _power_of_two(xp, strength * _like(image, stops), image)  # (3,)
    return _encode(fit_gamut(srgb_to_linear(image) * (gains / luminance(gains))))


def _power_of_two(xp: Array, exponent: Strength, like: Array) -> Array:
    """2^exponent as an array of `like`'s type."""
    if isinstance(exponent, int | float):
        return xp.asarray(2.0**exponent, dtype=like.dtype, device=device(like))
    return xp.exp(exponent * math.log(2))


def _like(image: Array, values: object) -> Array:
    return array_namespace(image).asarray(values, dtype=image.dtype, device=device(image))


def _encode(linear: Array) -> Array:
    return _clip(linear_to_srgb(linear))


def _clip(image: Array) -> Array:
    return array_namespace(image).clip(image, 0, 1)
