"""Rule-based pseudo-users: ten classical enhancers and fifteen looks of our own.

Each treats every photo by the same rule. They teach a degrading model, which is trained
from their results back to the originals, and are users beside real ones in training.
The published system takes ten classical methods and fifteen presets of a commercial
editor; these stand for the same kinds of change.

All take (H, W, 3) sRGB float32 in [0, 1] and give the same.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage import exposure, filters

from learning.systems.interface import Pixels
from variants.tone.looks import LOOKS, apply_look
from variants.tone.recipes import Recipe, apply_recipe

Photo = npt.NDArray[Any]
"""(H, W, 3); what comes out of a rule is brought back to float32 in [0, 1] afterwards."""
Rule = Callable[[Photo], Any]
Plane = npt.NDArray[Any]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
MOST_GAIN = 8.0
"""Of a pixel whose luma is raised: nearly black ones hold noise, not colour."""


def gamma(image: Photo) -> Any:
    """Brighter by a power of 0.7."""
    return np.power(np.clip(image, 0, 1), 0.7)


def sigmoid(image: Photo) -> Any:
    """More contrast by an S curve around the middle."""
    return exposure.adjust_sigmoid(np.clip(image, 0, 1), cutoff=0.5, gain=6)  # type: ignore[no-untyped-call]


def equalisation(image: Photo) -> Any:
    """The luma's histogram made flat."""
    return _with_luma(image, exposure.equalize_hist(_luma(image)))  # type: ignore[no-untyped-call]


def clahe(image: Photo) -> Any:
    """Contrast-limited adaptive histogram equalisation of the luma (Zuiderveld 1994)."""
    luma = np.clip(_luma(image), 0, 1)
    # One tile at least; the method has no meaning on fewer pixels.
    tiles = tuple(max(1, n // 4) for n in luma.shape)
    return _with_luma(image, exposure.equalize_adapthist(luma, kernel_size=tiles, clip_limit=0.02))


def autocontrast(image: Photo) -> Any:
    """All channels stretched alike until 1 % of the luma is black and 1 % white."""
    low, high = np.percentile(_luma(image), (1, 99))
    return (image - low) / max(high - low, 1e-3)


def autolevels(image: Photo) -> Any:
    """Each channel stretched by itself, which also takes colour casts away."""
    low, high = np.percentile(image, (1, 99), axis=(0, 1))
    return (image - low) / np.maximum(high - low, 1e-3)


def grey_world(image: Photo) -> Any:
    """Channels scaled to one mean (Buchsbaum 1980)."""
    means = image.mean(axis=(0, 1))
    return image * (means.mean() / np.maximum(means, 1e-3))


def unsharp(image: Photo) -> Any:
    """Fine detail raised."""
    radius = max(1.0, max(image.shape) / 250)
    return filters.unsharp_mask(image, radius=radius, amount=1.0, channel_axis=2)  # type: ignore[no-untyped-call]


def retinex(image: Photo) -> Any:
    """Multi-scale Retinex of the luma (Jobson, Rahman, Woodell 1997), mixed half with the photo."""
    luma = np.maximum(_luma(image), 1e-3)
    scales = [max(image.shape) * part for part in (0.02, 0.1, 0.3)]
    detail = np.mean([np.log(luma / np.maximum(_blurred(luma, s), 1e-3)) for s in scales], axis=0)
    spread = max(float(detail.std()), 1e-3)
    return 0.5 * image + 0.5 * _with_luma(image, np.clip(0.5 + detail / (6 * spread), 0, 1))


def illumination(image: Photo) -> Any:
    """Divided by a smooth map of the light, as enhancers of dark photos do (after Guo, Li, Ling 2017)."""
    light = np.maximum(_blurred(image.max(axis=2), max(image.shape) * 0.05), 0.05)
    return image / np.power(light, 0.6)[..., None]


CLASSICAL: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        gamma,
        sigmoid,
        equalisation,
        clahe,
        autocontrast,
        autolevels,
        grey_world,
        unsharp,
        retinex,
        illumination,
    )
}
RECIPES = {
    "bright_airy": (("exposure", 0.6), ("shadow", 0.4), ("contrast", -0.2), ("saturation", -0.1)),
    "dark_moody": (("exposure", -0.6), ("contrast", 0.4), ("saturation", -0.2), ("vignetting", 0.6)),
    "vivid": (("contrast", 0.3), ("saturation", 0.5)),
    "muted": (("contrast", -0.3), ("saturation", -0.45)),
    "sunny": (("exposure", 0.2), ("temperature", 0.5), ("saturation", 0.15)),
    "winter": (("temperature", -0.5), ("highlight", -0.2), ("contrast", 0.15)),
    "rose": (("tint", 0.25), ("exposure", 0.2), ("contrast", -0.1)),
    "open_shadows": (("shadow", 0.7), ("highlight", -0.5)),
    "punchy": (("contrast", 0.6), ("shadow", -0.3), ("saturation", 0.2)),
}
"""Looks that are steps of a recipe; with the six of `variants.tone.looks` fifteen in all."""


def _by_look(name: str) -> Rule:
    return lambda image: apply_look(image.astype(np.float64), LOOKS[name])


def _by_recipe(steps: tuple[tuple[str, float], ...]) -> Rule:
    recipe = Recipe(steps=steps)
    return lambda image: apply_recipe(image, recipe)


RULES: dict[str, Rule] = (
    CLASSICAL
    | {name: _by_look(name) for name in LOOKS}
    | {name: _by_recipe(steps) for name, steps in RECIPES.items()}
)
"""Name → rule, the classical ones first."""


def apply_rule(name: str, image: Pixels) -> Pixels:
    """The photo as this pseudo-user would have it, float32 in [0, 1]; ValueError for an unknown name."""
    if name not in RULES:
        raise ValueError(f"there is no rule {name!r}; there are: {', '.join(RULES)}")
    treated: Pixels = np.clip(RULES[name](np.asarray(image, np.float32)), 0, 1).astype(np.float32)
    return treated


def _luma(image: Photo) -> Plane:
    luma: Plane = image @ LUMA
    return luma


def _with_luma(image: Photo, luma: Plane) -> Photo:
    """Scale every pixel to a new luma, hue and saturation kept."""
    gain = np.clip(luma / np.maximum(_luma(image), 1e-3), 0, MOST_GAIN)
    scaled: Photo = image * gain[..., None].astype(np.float32)
    return scaled


def _blurred(plane: Plane, sigma: float) -> Plane:
    blurred: Plane = filters.gaussian(plane, sigma, mode="nearest")  # type: ignore[no-untyped-call]
    return blurred
