"""LUTs on whole photos: through OpenColorIO, in bands on all cores.

What it gives differs from `luts.apply` by rounding only, in a hundredth of the time.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from variants.cores import usable_cores
from variants.tone import luts
from variants.tone.luts import Interpolation, Lut, Lut1D, Lut3D

Image = np.ndarray[Any, np.dtype[Any]]

MAX_SIZE = 129
"""OpenColorIO takes no larger table; those are worked out by the formula."""
_BAND = 1 << 18
"""Fewer pixels than this are not worth a thread."""
_FORMULA_AT_ONCE = 1 << 16
"""Pixels that the formula takes at a time, so that what it keeps in between stays small."""


def apply(image: Image, lut: Lut, interpolation: Interpolation = "tetrahedral") -> Image:
    """Look up every colour of an image (H, W, 3), uint8 or float32 in [0, 1]; the same type comes out."""
    if image.dtype not in (np.uint8, np.float32) or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image is uint8 or float32 (H, W, 3), not {image.dtype} {image.shape}")
    image = np.ascontiguousarray(image)
    result = np.empty_like(image)
    run = _runner(lut, interpolation, image.dtype.name)
    height, width, _ = image.shape
    bands = min(usable_cores(), height, max(1, height * width // _BAND))
    parts = list(zip(np.array_split(image, bands), np.array_split(result, bands), strict=True))
    if bands == 1:
        run(*parts[0])
        return result
    with ThreadPoolExecutor(bands) as pool:
        list(pool.map(lambda part: run(*part), parts))
    return result


Runner = Callable[[Image, Image], None]
"""Reads the first image, writes the second."""


@lru_cache(maxsize=8)
def _runner(lut: Lut, interpolation: Interpolation, dtype: str) -> Runner:
    """Prepared once for all photos of a batch."""
    if isinstance(lut, Lut3D) and lut.size > MAX_SIZE:
        return lambda image, result: _by_formula(lut, interpolation, image, result)
    import PyOpenColorIO as ocio  # takes 80 ms to load, which the web process spares itself

    depth = ocio.BIT_DEPTH_UINT8 if dtype == "uint8" else ocio.BIT_DEPTH_F32
    size = np.dtype(dtype).itemsize
    transform = ocio.GroupTransform(_stages(ocio, lut, interpolation))
    processor = ocio.Config.CreateRaw().getProcessor(transform)
    cpu = processor.getOptimizedCPUProcessor(depth, depth, ocio.OPTIMIZATION_LOSSLESS)

    def describe(image: Image) -> Any:
        height, width, _ = image.shape
        order = ocio.CHANNEL_ORDERING_RGB
        return ocio.PackedImageDesc(image, width, height, order, depth, size, 3 * size, 3 * size * width)

    return lambda image, result: cpu.apply(describe(image), describe(result))


def _stages(ocio: Any, lut: Lut, interpolation: Interpolation) -> list[Any]:
    if isinstance(lut, Lut1D):
        return [*_domain(ocio, lut), _curves(ocio, lut)]
    before = _stages(ocio, lut.shaper, interpolation) if lut.shaper else []
    table = ocio.Lut3DTransform(lut.size)
    table.setData(np.ascontiguousarray(lut.table).reshape(-1))
    table.setInterpolation(ocio.INTERP_TETRAHEDRAL if interpolation == "tetrahedral" else ocio.INTERP_LINEAR)
    return [*before, *_domain(ocio, lut), table]


def _domain(ocio: Any, lut: Lut) -> list[Any]:
    """The way from the LUT's domain to 0..1, which is all that OpenColorIO's tables know."""
    low, span = np.asarray(lut.domain_min), np.subtract(lut.domain_max, lut.domain_min)
    if not low.any() and (span == 1).all():
        return []
    return [ocio.MatrixTransform(np.diag([*(1 / span), 1]).reshape(-1), [*(-low / span), 0])]


def _curves(ocio: Any, lut: Lut1D) -> Any:
    curves = ocio.Lut1DTransform(lut.size, False)
    curves.setData(np.ascontiguousarray(lut.table).reshape(-1))
    curves.setInterpolation(ocio.INTERP_LINEAR)
    return curves


def _by_formula(lut: Lut3D, interpolation: Interpolation, image: Image, result: Image) -> None:
    colours, found = image.reshape(-1, 3), result.reshape(-1, 3)
    for start in range(0, len(colours), _FORMULA_AT_ONCE):
        part = colours[start : start + _FORMULA_AT_ONCE]
        if image.dtype == np.uint8:
            looked_up = luts.apply(part.astype(np.float32) / np.float32(255), lut, interpolation)
            looked_up = np.clip(looked_up, 0, 1) * 255 + 0.5
        else:
            looked_up = luts.apply(part, lut, interpolation)
        found[start : start + _FORMULA_AT_ONCE] = looked_up
