"""A photo of any size, edited by strengths."""

import numpy as np
import numpy.typing as npt

from learning.systems.concepts import NAMES
from learning.systems.interface import Pixels
from variants.tone.concepts import CONCEPTS, adjust_exposure, gaussian_blur
from variants.tone.recipes import Recipe, apply_recipe


def apply_strengths(image: Pixels, strengths: npt.NDArray[np.float32]) -> Pixels:
    """Edit a photo (H, W, 3) of any size by strengths (9,), in bands of rows."""
    by_name = dict(zip(NAMES, (float(s) for s in strengths), strict=True))
    steps = tuple((name, s) for name, s in by_name.items() if s and CONCEPTS[name].is_color_map)
    image = apply_recipe(np.asarray(image, np.float32), Recipe(steps=steps))
    sharpness, vignetting = by_name["sharpness"], by_name["vignetting"]
    if not sharpness and not vignetting:
        return image
    height, width = image.shape[:2]
    sigma = 1.5 * max(height, width) / 512
    halo = max(1, int(np.ceil(3 * sigma)))
    rows = max(64, min(height, 2**21 // max(1, width)))
    result = np.empty_like(image)
    for top in range(0, height, rows):
        band = slice(top, min(height, top + rows))
        result[band] = _optics(image, band, sharpness, vignetting, sigma, halo)
    return result


def _optics(
    image: Pixels, band: slice, sharpness: float, vignetting: float, sigma: float, halo: int
) -> Pixels:
    height, width = image.shape[:2]
    part = image[band]
    if sharpness:
        first = max(0, band.start - halo)
        around = image[first : min(height, band.stop + halo)]
        blurred = gaussian_blur(around, sigma)[band.start - first :][: len(part)]
        part = np.clip(part + np.float32(sharpness) * (part - blurred), 0, 1).astype(np.float32)
    if vignetting:
        y = np.arange(band.start, band.stop, dtype=np.float32)[:, None] - (height - 1) / 2
        x = np.arange(width, dtype=np.float32)[None, :] - (width - 1) / 2
        corner = max(((height - 1) / 2) ** 2 + ((width - 1) / 2) ** 2, 1e-12)
        square = ((y * y + x * x) / corner)[..., None].astype(np.float32)
        part = adjust_exposure(part, np.float32(-vignetting) * square).astype(np.float32)
    return part
