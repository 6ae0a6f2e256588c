"""What a photo tells of each photographic concept: a few numbers, differentiable in the concepts' strengths.

A photo is kept as a `Sample`: pixels on a grid, taken and not averaged so that colours stay
what they are, and six sums that hold all that sharpening does to its detail. From samples of
average photos and strengths the statistics of what an edit makes of them are computed, so that
strengths can be fitted by gradient descent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from learning.systems.concepts import NAMES, WEIGHTS
from learning.systems.interface import Pixels
from learning.systems.shared import without_frame
from variants.tone.color import highest, luminance, srgb_to_oklab
from variants.tone.concepts import (
    CONCEPTS,
    adjust_exposure,
    gaussian_blur,
    weigh_cast,
    weigh_highlight,
    weigh_saturation,
    weigh_shadow,
)
from variants.tone.images import fit_long_side

DETAIL_SIZE = 448
"""Long side at which detail is measured; a smaller photo says nothing of sharpness."""

Strengths = npt.NDArray[np.float32]
"""(9,) in the order of NAMES, each in its concept's own unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """N photos, reduced to what the statistics need."""

    pixels: torch.Tensor  # (N, G, G, 3) sRGB in [0, 1]
    radius: torch.Tensor  # (N, G, G, 1): ρ², 0 at the centre and 1 at the corners
    detail: torch.Tensor  # (N, 6); not a number where the photo was too small

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: object) -> Self:
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def sample_photos(photos: Sequence[Pixels], grid: int) -> Sample:
    """Reduce photos (H, W, 3) of any sizes to grid × grid pixels; a frame of one colour around a photo is left out."""
    if not photos:
        raise ValueError("photos is empty; a taste is read from at least one photo")
    rows = [_sample_one(photo, grid) for photo in photos]
    pixels, radius, detail = (torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True))
    return Sample(pixels=pixels, radius=radius, detail=detail)


def perturbed(sample: Sample, strengths: torch.Tensor) -> Sample:
    """The samples of the photos after an edit by strengths (9,), or (N, 9) for one of each photo."""
    pixels = sample.pixels
    strength = dict(zip(NAMES, strengths.movedim(-1, 0), strict=True))
    by_name = {name: s.reshape(-1, 1, 1, 1) if s.ndim else s for name, s in strength.items()}
    for name in NAMES:
        if name == "vignetting":  # light times 2^(-s·ρ²): an exposure that depends on the place
            pixels = adjust_exposure(pixels, -by_name[name] * sample.radius)
        elif name != "sharpness":
            pixels = CONCEPTS[name].adjust(pixels, by_name[name])
    return replace(sample, pixels=pixels, detail=_sharpened(sample.detail, strength["sharpness"]))


def statistics(sample: Sample) -> dict[str, torch.Tensor]:
    """Of each concept its numbers (N, D_k), weighted by where it shows."""
    pixels = sample.pixels
    lab = srgb_to_oklab(pixels)
    light, chroma = lab[..., 0:1], torch.sqrt((lab[..., 1:] ** 2).sum(-1, keepdim=True) + 1e-8)
    value = highest(pixels)
    mean = _mean(light)
    saturated = weigh_saturation(pixels)
    cast, edge = weigh_cast(pixels), sample.radius
    return {
        "exposure": mean,
        "contrast": torch.cat(
            [torch.sqrt(_mean((light - mean[:, None, None]) ** 2) + 1e-8), _quantiles(light, (0.25, 0.75))],
            dim=-1,
        ),
        "highlight": torch.cat([_quantiles(value, (0.9, 0.98)), _mean(weigh_highlight(pixels))], dim=-1),
        "shadow": torch.cat([_quantiles(value, (0.02, 0.1)), _mean(weigh_shadow(pixels))], dim=-1),
        "saturation": torch.cat(
            [_mean(chroma), _weighted(chroma, saturated), _quantiles(chroma, (0.5, 0.9))], dim=-1
        ),
        "tint": torch.cat(
            [
                _weighted(lab[..., 1:], cast * part)
                for part in (1.0, weigh_highlight(pixels), weigh_shadow(pixels), chroma < 0.08)
            ],
            dim=-1,
        ),
        "sharpness": (torch.log(sample.detail[:, 0:1] + 1e-9) - torch.log(sample.detail[:, 3:4] + 1e-9)) / 2,
        "vignetting": _weighted(light, edge) - _weighted(light, 1 - edge),
    }


def weight_maps(sample: Sample, concepts: Sequence[str]) -> torch.Tensor:
    """(N, G, G, 1): where the concepts show, each map with the sum 1, added up; sharpness has none here.

    Source of the form: the reconstruction loss of PIF (2025), with the wanted photo's weights.
    """
    total = torch.zeros_like(sample.radius)
    for concept in concepts:
        if concept != "sharpness":
            weight = sample.radius if concept == "vignetting" else WEIGHTS[concept](sample.pixels)
            total = total + weight / (weight.sum((1, 2, 3), keepdim=True) + 1e-3)
    return total


def _sample_one(photo: Pixels, grid: int) -> tuple[npt.NDArray[np.float32], ...]:
    photo = np.asarray(photo, np.float32)
    if photo.ndim != 3 or photo.shape[2] != 3:
        raise ValueError(f"a photo has the shape {photo.shape}; it must be (height, width, 3)")
    if not np.isfinite(photo).all():
        raise ValueError("a photo has values that are no numbers; they must be from 0 to 1")
    photo = without_frame(np.clip(photo, 0, 1))
    height, width = photo.shape[:2]
    # The middles of grid × grid equal parts.
    y, x = (np.minimum((np.arange(grid) + 0.5) * n / grid, n - 1).astype(np.intp) for n in (height, width))
    small = fit_long_side(photo, DETAIL_SIZE)
    # Pixels of the whole photo would bring its noise along: those of one size are compared.
    rows, columns = (
        np.minimum((np.arange(grid) + 0.5) * n / grid, n - 1).astype(np.intp) for n in small.shape[:2]
    )
    down, across = y - (height - 1) / 2, x - (width - 1) / 2
    corner = max(((height - 1) / 2) ** 2 + ((width - 1) / 2) ** 2, 1e-12)
    radius = (down[:, None] ** 2 + across[None, :] ** 2) / corner
    return (
        small[rows[:, None], columns[None, :]].astype(np.float32),
        radius[..., None].astype(np.float32),
        _detail(small),
    )


def _detail(photo: Pixels) -> npt.NDArray[np.float32]:
    """Means of squares and products of a fine and a coarser band, of the luma and of what sharpening adds to it.

    Sharpening adds s·d, d being luma less blurred luma, so a band's energy is A + 2·s·B + s²·C.
    """
    if max(photo.shape[:2]) < DETAIL_SIZE:
        return np.full(6, np.nan, np.float32)
    luma = luminance(photo)
    added = luma - gaussian_blur(luma, 1.5 * DETAIL_SIZE / 512)
    fine, fine_added = (plane - gaussian_blur(plane, 0.8) for plane in (luma, added))
    coarse, coarse_added = (gaussian_blur(plane, 2.0) - gaussian_blur(plane, 4.0) for plane in (luma, added))
    pairs = [(fine, fine_added), (coarse, coarse_added)]
    return np.array(
        [v for a, b in pairs for v in ((a * a).mean(), (a * b).mean(), (b * b).mean())], np.float32
    )


def _sharpened(detail: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """The six sums after sharpening; products beyond the first order are those of a detail that is sharpened again."""
    energies = detail.reshape(-1, 2, 3)
    s = strength.reshape(-1, 1)
    first, second, third = energies.unbind(-1)
    return torch.stack(
        [first + 2 * s * second + s * s * third, second + s * third, third + 0 * s], dim=-1
    ).reshape(-1, 6)


def _mean(plane: torch.Tensor) -> torch.Tensor:
    """(N, G, G, C) → (N, C)."""
    return plane.mean((1, 2))


def _weighted(plane: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """(N, G, G, C) → (N, C); what hardly weighs anything counts as 0."""
    return (weight * plane).mean((1, 2)) / (weight.float().mean((1, 2)) + 0.02)


def _quantiles(plane: torch.Tensor, at: Sequence[float]) -> torch.Tensor:
    """(N, G, G, 1) → (N, len(at))."""
    flat = plane.flatten(1).sort(dim=1).values
    columns = [min(flat.shape[1] - 1, round(q * flat.shape[1])) for q in at]
    return flat[:, columns]
