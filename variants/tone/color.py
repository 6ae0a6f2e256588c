"""Colour spaces: sRGB, linear light, XYZ, CIELAB, OKLab, HSV.

Every function takes and gives arrays (..., 3), channels last, of numpy or torch,
and keeps dtype and device. White is D65 with the CIE 1931 2° observer.

References:
    IEC 61966-2-1 (1999): sRGB. CIE 15 (2018): XYZ and CIELAB.
    B. Ottosson (2020), "A perceptual color space for image processing": OKLab.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

Array = Any
"""A floating-point array of numpy or torch; the array API has no common type yet."""


def _srgb_matrix() -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Linear sRGB → XYZ, from the primaries' and white's chromaticities in IEC 61966-2-1."""
    xy = np.array([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06]])
    primaries = np.stack([xy[:, 0] / xy[:, 1], np.ones(3), (1 - xy.sum(1)) / xy[:, 1]])
    white = np.array([0.3127 / 0.3290, 1.0, (1 - 0.3127 - 0.3290) / 0.3290])
    return primaries * np.linalg.solve(primaries, white)


XYZ_FROM_LINEAR = _srgb_matrix()
WHITE = XYZ_FROM_LINEAR.sum(axis=1)
"""XYZ of (1, 1, 1): exact, so that greys have a = b = 0 to rounding."""
LUMINANCE = XYZ_FROM_LINEAR[1]
"""Weights of linear R, G, B in the luminance Y; they sum to 1."""

LMS_FROM_LINEAR = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
OKLAB_FROM_ROOTS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def srgb_to_linear(image: Array) -> Array:
    """Undo the sRGB transfer curve. Values below 0 go on along its straight part."""
    xp = array_namespace(image)
    # The power sees no value below the knee: there its gradient would be NaN for negative ones.
    power = _power((_at_least(image, 0.04045) + 0.055) / 1.055, 2.4)
    return xp.where(image <= 0.04045, image / 12.92, power)


def linear_to_srgb(linear: Array) -> Array:
    """Apply the sRGB transfer curve to linear light."""
    xp = array_namespace(linear)
    power = 1.055 * _power(_at_least(linear, 0.0031308), 1 / 2.4) - 0.055
    return xp.where(linear <= 0.0031308, linear * 12.92, power)


def luminance(linear: Array) -> Array:
    """Relative luminance Y of linear sRGB, (..., 3) → (..., 1)."""
    red, green, blue = (float(weight) for weight in LUMINANCE)
    return red * linear[..., 0:1] + green * linear[..., 1:2] + blue * linear[..., 2:3]


def srgb_to_xyz(image: Array) -> Array:
    """SRGB → CIE XYZ, Y of white being 1."""
    return _mix(srgb_to_linear(image), XYZ_FROM_LINEAR)


def xyz_to_srgb(xyz: Array) -> Array:
    """CIE XYZ → sRGB, not clipped: colours outside sRGB leave [0, 1]."""
    return linear_to_srgb(_mix(xyz, np.linalg.inv(XYZ_FROM_LINEAR)))


def srgb_to_lab(image: Array) -> Array:
    """SRGB → CIELAB (D65, 2°): L in 0..100, a and b about -110..110."""
    xp = array_namespace(image)
    # Rows divided by the white point: X/Xn, Y/Yn, Z/Zn in one product.
    ratios = _mix(srgb_to_linear(image), XYZ_FROM_LINEAR / WHITE[:, None])
    knee = (6 / 29) ** 3
    # The root of what is above the knee, less the straight part from there down: a third of the time of a `where`.
    roots = _power(_at_least(ratios, knee), 1 / 3) - (841 / 108) * _at_least(knee - ratios, 0)
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return xp.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_srgb(lab: Array) -> Array:
    """CIELAB → sRGB, not clipped."""
    xp = array_namespace(lab)
    y = (lab[..., 0] + 16) / 116
    roots = xp.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratios = xp.where(roots > 6 / 29, roots * roots * roots, (roots - 4 / 29) * (108 / 841))
    return linear_to_srgb(_mix(ratios, np.linalg.inv(XYZ_FROM_LINEAR / WHITE[:, None])))


def srgb_to_oklab(image: Array) -> Array:
    """SRGB → OKLab: L in 0..1, a and b about -0.4..0.4."""
    return linear_to_oklab(srgb_to_linear(image))


def oklab_to_srgb(oklab: Array) -> Array:
    """OKLab → sRGB, not clipped."""
    return linear_to_srgb(oklab_to_linear(oklab))


def linear_to_oklab(linear: Array) -> Array:
    return _mix(_root(_mix(linear, LMS_FROM_LINEAR)), OKLAB_FROM_ROOTS)


def oklab_to_linear(oklab: Array) -> Array:
    return _mix(_cube(_mix(oklab, np.linalg.inv(OKLAB_FROM_ROOTS))), np.linalg.inv(LMS_FROM_LINEAR))


# The cube root is straight below this, so that black has a finite gradient; it moves no colour by more
# than 1e-8 in sRGB, and `_cube` undoes it exactly.
_STRAIGHT_BELOW = 1e-9


def _root(x: Array) -> Array:
    xp = array_namespace(x)
    size = xp.abs(x)
    bent = _power(xp.clip(size, _STRAIGHT_BELOW, None), 1 / 3)
    return xp.sign(x) * xp.where(size > _STRAIGHT_BELOW, bent, size * _STRAIGHT_BELOW ** (-2 / 3))


def _cube(x: Array) -> Array:
    xp = array_namespace(x)
    return xp.where(xp.abs(x) > _STRAIGHT_BELOW ** (1 / 3), x * x * x, x * _STRAIGHT_BELOW ** (2 / 3))


def fit_gamut(linear: Array) -> Array:
    """Bring linear colours into [0, 1] by taking chroma away, keeping luminance and the direction from grey.

    Clipping each channel by itself would turn hues (orange to yellow, blue to cyan);
    here a colour moves towards the grey of its own luminance until it just fits.
    """
    xp = array_namespace(linear)
    grey = xp.clip(luminance(linear), 0, 1)
    offset = linear - grey
    return xp.clip(grey + xp.clip(_room(grey, offset), None, 1) * offset, 0, 1)


def gamut_room(linear: Array) -> Array:
    """By how much a colour's distance from the grey of its luminance can be multiplied within [0, 1]; (..., 1)."""
    grey = array_namespace(linear).clip(luminance(linear), 0, 1)
    return _room(grey, linear - grey)


def _room(grey: Array, offset: Array) -> Array:
    xp = array_namespace(grey)
    over, under = highest(offset), highest(-offset)
    tiny = 1e-12  # greys have all the room there is
    return xp.minimum((1 - grey) / xp.clip(over, tiny, None), grey / xp.clip(under, tiny, None))


def highest(image: Array) -> Array:
    """The highest of the three channels, (..., 3) → (..., 1)."""
    # Thirty times as fast in numpy as max over so short an axis.
    xp = array_namespace(image)
    return xp.maximum(xp.maximum(image[..., 0:1], image[..., 1:2]), image[..., 2:3])


def rgb_to_hsv(image: Array) -> Array:
    """RGB in [0, 1] → hue (0..1, red at 0), saturation and value (0..1)."""
    xp = array_namespace(image)
    red, green, blue = image[..., 0], image[..., 1], image[..., 2]
    value = highest(image)[..., 0]
    chroma = value + highest(-image)[..., 0]
    divisor = xp.where(chroma > 0, chroma, xp.ones_like(chroma))
    sector = xp.where(
        value == red,
        (green - blue) / divisor,
        xp.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    hue = xp.where(chroma > 0, (sector / 6) % 1, xp.zeros_like(chroma))
    saturation = chroma / xp.where(value > 0, value, xp.ones_like(value))
    return xp.stack([hue, saturation, value], axis=-1)


def hsv_to_rgb(hsv: Array) -> Array:
    """Undo rgb_to_hsv; hue is taken modulo 1."""
    xp = array_namespace(hsv)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    channels = []
    for shift in (5, 3, 1):
        k = (shift + 6 * hue) % 6
        channels.append(value * (1 - saturation * xp.clip(xp.minimum(k, 4 - k), 0, 1)))
    return xp.stack(channels, axis=-1)


def _at_least(x: Array, low: float) -> Array:
    """Numpy's clip takes three times as long as its maximum; in torch it is the faster one."""
    return np.maximum(x, low) if isinstance(x, np.ndarray) else array_namespace(x).clip(x, low, None)


def _power(x: Array, exponent: float) -> Array:
    """x^exponent of positive numbers: torch's own power takes eight times as long as these two together."""
    xp = array_namespace(x)
    return xp.exp(exponent * xp.log(x))


def _mix(x: Array, matrix: Any) -> Array:
    """Multiply each colour by a 3×3 matrix."""
    xp = array_namespace(x)
    weights = xp.asarray(matrix.T.copy(), dtype=x.dtype, device=device(x))
    # Flattened to two axes: one product instead of one for each row of the image.
    return xp.reshape(xp.reshape(x, (-1, 3)) @ weights, x.shape)
