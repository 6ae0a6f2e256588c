"""How near a result is to its style in colour, and to its content in structure.

Neural Preset is published with two measures of its own: a discriminator trained to tell
whether two photos have one style, and the SSIM of edge maps by a trained edge detector (LDC).
Neither network's weights come with this project, so these are others, and are named after
what they measure: they are not comparable with the published figures.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from learning.systems.interface import Pixels
from variants.tone.color import srgb_to_lab

DIRECTIONS = 64
COLORS = 4096
"""Of each image; quantiles of more are the same."""


class StyleReader(Protocol):
    """A trained Neural Preset, as far as `encoder_style_similarity` needs it."""

    def styles(self, photos: Sequence[Pixels]) -> npt.NDArray[np.float32]: ...


def lab_color_distance(image: Pixels, style: Pixels, *, seed: int = 0) -> float:
    """Sliced earth mover's distance of the colours of two images in CIELAB, in its units; 0 for equal colours.

    The mean over directions of the mean absolute difference of quantiles (N. Bonneel et al., 2015,
    Sliced and Radon Wasserstein barycenters). The images may differ in size and in place.
    """
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(3, DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    at = (np.arange(COLORS) + 0.5) / COLORS
    projected = [np.sort(_lab(pixels) @ directions, axis=0) for pixels in (image, style)]
    quantiles = [rows[np.minimum((at * len(rows)).astype(int), len(rows) - 1)] for rows in projected]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def edge_structure_similarity(image: Pixels, content: Pixels) -> float:
    """SSIM of the Sobel edges of two images of one size: 1 for equal edges.

    Raises:
        ValueError: the sizes differ, or are below 7 pixels.
    """
    from skimage import filters, metrics

    sobel: Any = filters.sobel
    ssim: Any = metrics.structural_similarity

    if image.shape != content.shape:
        raise ValueError(f"the images are {image.shape} and {content.shape}; edges are compared at one size")
    edges = [sobel(srgb_to_lab(np.asarray(pixels, np.float64))[..., 0] / 100) for pixels in (image, content)]
    return float(ssim(*edges, data_range=1.0))


def encoder_style_similarity(system: StyleReader, image: Pixels, style: Pixels) -> float:
    """Cosine of the two styles as a trained encoder reads them, less what the unit matrix has: -1 to 1.

    It judges a system by its own reader: for comparing presets, not systems.
    """
    one, other = system.styles([image, style])
    k = round(one.size**0.5)
    one, other = one - np.eye(k).ravel(), other - np.eye(k).ravel()
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other / length) if length > 0 else 1.0


def _lab(pixels: Pixels) -> Any:
    rows = np.asarray(pixels, np.float64).reshape(-1, 3)
    return srgb_to_lab(rows[:: max(1, len(rows) // (16 * COLORS))])
