"""The photographic concepts: one function each, numpy and torch from one definition.

Every `adjust_<concept>(image, strength)` takes sRGB images (..., H, W, 3) or, the
colour-only ones, any (..., 3) in [0, 1], gives the same shape in [0, 1], and at
strength 0 gives the image back. `strength` is a number or, so that it can be
learnt, a tensor: 0-dimensional, or of a shape such as (B, 1, 1, 1) that goes with the
images. Black stays black and white stays white wherever the concept allows it: a
rendition that clips tells little about taste.

`undo_<concept>(image, strength)` gives back what the concept has been applied to. What
was clipped, pulled into the gamut, or rounded to 8 bits between the two does not
come back as it was.

`weigh_<concept>(image)` says where in the photo a concept shows: (..., H, W, 1) in [0, 1].
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
"""A number, or an array of the image's library."""


@dataclass(frozen=True, kw_only=True)
class Concept:
    adjust: Callable[[Array, Strength], Array]
    weigh: Callable[[Array], Array]
    undo: Callable[[Array, float], Array] | None = None
    undo_above: float = -math.inf
    """Strengths at or below this one cannot be undone."""
    lost: str = ""
    """Why it cannot be undone, where it cannot."""
    unit: str
    low: float
    high: float
    """Strengths beyond [low, high] are refused in recipes."""
    is_color_map: bool = True
    """Whether a pixel's new colour depends on its old one alone, so that a 3D LUT can hold it."""
    neutral: float = 0.0

    def can_undo(self, strength: float) -> bool:
        return self.undo is not None and strength > self.undo_above


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


def undo_exposure(image: Array, strength: float) -> Array:
    return _encode(_ungain(srgb_to_linear(image), _like(image, 2.0**strength)))


def weigh_exposure(image: Array) -> Array:
    """The photo's mean HSV value, the same everywhere."""
    return _mean(highest(image)) + 0 * highest(image)


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


def undo_contrast(image: Array, strength: float) -> Array:
    """With v = 2y - 1 and u = 2x - 1 the curve is the cubic v = (1 + s/2)·u - s/2·u³; its middle root is wanted."""
    if abs(strength) < 1e-6:  # moves nothing that float32 could tell, and divides by nearly 0
        return image
    xp = array_namespace(image)
    width = math.sqrt(4 * (2 + strength) / (3 * abs(strength)))
    ratio = 8 / (abs(strength) * width**3) * (2 * image - 1)
    if strength > 0:
        return _clip(0.5 + width / 2 * xp.sin(xp.asin(xp.clip(ratio, -1, 1)) / 3))
    return _clip(0.5 + width / 2 * xp.sinh(xp.asinh(ratio) / 3))


def weigh_contrast(image: Array) -> Array:
    """How far the HSV value is from the photo's mean."""
    value = highest(image)
    return array_namespace(image).abs(value - _mean(value))


def adjust_highlight(image: Array, strength: Strength) -> Array:
    """Brighten (up to 1) or recover (down to -1) the bright tones.

    With V the HSV value: 1 - V is multiplied by 2^(-1.5·strength·V³), and the channels
    go along with V, so that hue and HSV saturation stay. Monotone, white stays white.
    """
    if _is_neutral(strength):
        return image
    return _follow_value(image, lambda xp, v: 1 - (1 - v) * _power_of_two(xp, -1.5 * strength * v * v * v, v))


def undo_highlight(image: Array, strength: float) -> Array:
    return _follow_value(image, lambda xp, v: 1 - _unbent(1 - v, -1.5 * strength))


def weigh_highlight(image: Array) -> Array:
    """0 below a value of 0.5, 1 above 0.9."""
    return _smoothstep(0.5, 0.9, highest(image))


def adjust_shadow(image: Array, strength: Strength) -> Array:
    """Lift (up to 1) or deepen (down to -1) the dark tones.

    The mirror image of highlight: V is multiplied by 2^(1.5·strength·(1 - V)³).
    """
    if _is_neutral(strength):
        return image
    return _follow_value(
        image, lambda xp, v: v * _power_of_two(xp, 1.5 * strength * (1 - v) * (1 - v) * (1 - v), v)
    )


def undo_shadow(image: Array, strength: float) -> Array:
    return _follow_value(image, lambda xp, v: _unbent(v, 1.5 * strength))


def weigh_shadow(image: Array) -> Array:
    """1 below a value of 0.1, 0 above 0.5."""
    return 1 - _smoothstep(0.1, 0.5, highest(image))


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
    stronger = xp.where(strength > 0, strength, 0.0)
    # Not by clip, which has no gradient at 0: a strength that is learnt begins there.
    factor = 1 + xp.where(strength > 0, stronger * room / (stronger + room), strength)
    grey = luminance(linear)
    return _encode(grey + factor * (linear - grey))


def undo_saturation(image: Array, strength: float) -> Array:
    """Where the colour was strengthened, the room r that it had follows from the room ρ that is left.

    ρ + 1 = (r + 1) / factor(r) is the quadratic r² - (1 + s)·ρ·r - s·ρ = 0.
    """
    xp = array_namespace(image)
    linear = srgb_to_linear(image)
    factor = 1 + strength
    if strength > 0:
        left = xp.clip(gamut_room(linear) - 1, 0, 1e6)
        half = factor * left / 2
        room = half + xp.sqrt(half * half + strength * left)
        factor = 1 + strength * room / (strength + room)
    grey = luminance(linear)
    return _encode(grey + (linear - grey) / factor)


def weigh_saturation(image: Array) -> Array:
    """HSV's saturation."""
    xp = array_namespace(image)
    value = highest(image)
    return (value + highest(-image)) / xp.clip(value, 1e-6, None)


def adjust_temperature(image: Array, strength: Strength) -> Array:
    """Warm (positive) or cool (negative) by `strength` stops between red and blue.

    Gains on linear light as a camera's white balance sets them: red ×2^(s/2), blue
    ×2^(-s/2), green ×2^(s/10), all divided so that greys keep their luminance. The
    green follows daylight, whose colours between 5000 and 10 000 K lie on such a
    line; without it warm photos would turn pink.
    """
    return _balance(image, strength, DAYLIGHT)


def undo_temperature(image: Array, strength: float) -> Array:
    return _unbalance(image, strength, DAYLIGHT)


def adjust_tint(image: Array, strength: Strength) -> Array:
    """Shift towards magenta (positive) or green (negative) by `strength` stops between them.

    Red and blue ×2^(s/2), green ×2^(-s/2), divided as in temperature.
    """
    return _balance(image, strength, MAGENTA)


def undo_tint(image: Array, strength: float) -> Array:
    return _unbalance(image, strength, MAGENTA)


def weigh_cast(image: Array) -> Array:
    """For temperature and tint: 1 less HSV's saturation, since what is nearly grey shows a cast."""
    return 1 - weigh_saturation(image)


def adjust_sharpness(image: Array, strength: Strength) -> Array:
    """Add `strength` times the detail: image - blurred image; -1 is the blurred image.

    The blur is a Gaussian of 1.5 pixels at a long side of 512, in proportion at others.
    """
    if _is_neutral(strength):
        return image
    sigma = 1.5 * max(image.shape[-3], image.shape[-2]) / 512
    return _clip(image + strength * (image - gaussian_blur(image, sigma)))


def weigh_sharpness(image: Array) -> Array:
    """The slope of the luma, the steepest place of the photo being 1."""
    xp = array_namespace(image)
    luma = luminance(image)
    square = 1e-12 + sum(_slope(luma, axis) ** 2 for axis in (-3, -2))  # no slope has no gradient at 0
    slope = xp.sqrt(square)
    return slope / xp.max(slope, axis=(-3, -2, -1), keepdims=True)


def adjust_vignetting(image: Array, strength: Strength) -> Array:
    """Darken (positive) or brighten (negative) the corners by `strength` stops.

    The light is multiplied by 2^(-strength·ρ²), ρ being 0 at the centre and 1 at the
    corners; brightening bends towards white as in exposure.
    """
    if _is_neutral(strength):
        return image
    gain = _power_of_two(array_namespace(image), -strength * _square_radius(image), image)
    return _encode(_gain(srgb_to_linear(image), gain))


def undo_vignetting(image: Array, strength: float) -> Array:
    gain = _power_of_two(array_namespace(image), -strength * _square_radius(image), image)
    return _encode(_ungain(srgb_to_linear(image), gain))


def weigh_vignetting(image: Array) -> Array:
    """ρ²: 0 at the centre, 1 at the corners."""
    return _square_radius(image) + 0 * highest(image)


DAYLIGHT = (0.5, 0.1, -0.5)
MAGENTA = (0.5, -0.5, 0.5)
"""Stops on red, green and blue for one of temperature or of tint."""

CONCEPTS = {
    "exposure": Concept(
        adjust=adjust_exposure, weigh=weigh_exposure, undo=undo_exposure, unit="stops", low=-2, high=2
    ),
    "contrast": Concept(
        adjust=adjust_contrast,
        weigh=weigh_contrast,
        undo=undo_contrast,
        unit="part of a smoothstep curve",
        low=-1,
        high=1,
    ),
    "highlight": Concept(
        adjust=adjust_highlight,
        weigh=weigh_highlight,
        undo=undo_highlight,
        unit="part of the strongest curve",
        low=-1,
        high=1,
    ),
    "shadow": Concept(
        adjust=adjust_shadow,
        weigh=weigh_shadow,
        undo=undo_shadow,
        unit="part of the strongest curve",
        low=-1,
        high=1,
    ),
    "saturation": Concept(
        adjust=adjust_saturation,
        weigh=weigh_saturation,
        undo=undo_saturation,
        undo_above=-0.999,
        lost="hardly any colour is left",
        unit="change of the colour's factor",
        low=-1,
        high=2,
    ),
    "temperature": Concept(
        adjust=adjust_temperature,
        weigh=weigh_cast,
        undo=undo_temperature,
        unit="stops of red over blue",
        low=-1.5,
        high=1.5,
    ),
    "tint": Concept(
        adjust=adjust_tint,
        weigh=weigh_cast,
        undo=undo_tint,
        unit="stops of magenta over green",
        low=-0.75,
        high=0.75,
    ),
    "sharpness": Concept(
        adjust=adjust_sharpness,
        weigh=weigh_sharpness,
        lost="detail beyond black and white is cut off, and what a blur takes away is gone",
        unit="times the fine detail",
        low=-1,
        high=2,
        is_color_map=False,
    ),
    "vignetting": Concept(
        adjust=adjust_vignetting,
        weigh=weigh_vignetting,
        undo=undo_vignetting,
        unit="stops off the corners",
        low=-1,
        high=2,
        is_color_map=False,
    ),
}
"""In the order in which a sampled recipe applies them: colour first, optics last."""


def gaussian_blur(image: Array, sigma: float) -> Array:
    """Blur (..., H, W, C) along both axes; edges are mirrored, sigma is in pixels."""
    radius = max(1, math.ceil(3 * sigma))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    for axis in (-3, -2):
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
    shoulder = xp.where(gain > 1, gain * gain - 1, 0.0)
    return gain * linear / xp.sqrt(1 + shoulder * linear * linear)


def _ungain(bent: Array, gain: Array) -> Array:
    """Undo _gain; x = y / sqrt(g² - (g² - 1)·y²) where there is a shoulder."""
    xp = array_namespace(bent)
    square = gain * gain
    shoulder = xp.sqrt(xp.clip(square - xp.clip(square - 1, 0, None) * bent * bent, 1e-12, None))
    return bent / shoulder


def _unbent(target: Array, stops: float) -> Array:
    """The x in [0, 1] of x·2^(stops·(1 - x)³) = target, by Newton's method; |stops| is at most 1.5."""
    xp = array_namespace(target)
    x = target
    for _ in range(8):  # from the worst start 6 come to float64's last digit
        there = target * _power_of_two(xp, -stops * (1 - x) ** 3, target)
        x = x - (x - there) / (1 - there * (3 * stops * math.log(2)) * (1 - x) ** 2)
    return x


def _follow_value(image: Array, curve: Callable[[Array, Array], Array]) -> Array:
    """Apply a curve to the HSV value and scale the channels with it."""
    xp = array_namespace(image)
    value = xp.clip(highest(image), 1e-6, None)
    return _clip(image * (curve(xp, value) / value))


def _balance(image: Array, strength: Strength, stops: tuple[float, float, float]) -> Array:
    """What leaves the gamut comes back along its luminance where it was grey, so that white stays white, and by
    darkening where it was vivid: paled to its own luminance, a yellow that is warmed would turn to skin.
    """
    if _is_neutral(strength):
        return image
    linear = srgb_to_linear(image)
    balanced = linear * _gains(image, strength, stops)
    paler = fit_gamut(balanced)
    darker = balanced / array_namespace(image).clip(highest(balanced), 1, None)
    return _encode(paler + weigh_saturation(linear) * (darker - paler))


def _unbalance(image: Array, strength: float, stops: tuple[float, float, float]) -> Array:
    return _encode(srgb_to_linear(image) / _gains(image, strength, stops))


def _gains(image: Array, strength: Strength, stops: tuple[float, float, float]) -> Array:
    """Factors on linear red, green and blue that keep a grey's luminance."""
    gains = _power_of_two(array_namespace(image), strength * _like(image, stops), image)  # (..., 3)
    return gains / luminance(gains)


def _square_radius(image: Array) -> Array:
    """ρ² of each pixel, (H, W, 1)."""
    height, width = image.shape[-3], image.shape[-2]
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    square = y[:, None] ** 2 + x[None, :] ** 2
    return _like(image, (square / max(square[0, 0], 1e-12))[..., None])


def _slope(plane: Array, axis: int) -> Array:
    """Half the difference of the two neighbours; at the edges the pixel itself stands in for one."""
    xp = array_namespace(plane)
    index = np.arange(plane.shape[axis])
    after, before = (
        xp.take(plane, xp.asarray(np.clip(index + by, 0, len(index) - 1), device=device(plane)), axis=axis)
        for by in (1, -1)
    )
    return (after - before) / 2


def _smoothstep(start: float, end: float, x: Array) -> Array:
    t = array_namespace(x).clip((x - start) / (end - start), 0, 1)
    return t * t * (3 - 2 * t)


def _mean(plane: Array) -> Array:
    """Over each photo: (..., H, W, 1) → (..., 1, 1, 1)."""
    return array_namespace(plane).mean(plane, axis=(-3, -2, -1), keepdims=True)


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
