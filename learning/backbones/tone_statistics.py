"""A photo's colours in 44 robust numbers: a backbone that needs no download.

What raters answer about here is tone, to which features trained to recognise things
are nearly blind: DINOv2 saw every photo with its colours jittered. These numbers hold
tone and nothing else, so they say little of what is in the photo.
"""

import torch
import torch.nn.functional as F

from learning.backbones import TONE_STATISTICS
from variants.tone.color import srgb_to_oklab

IMAGE_SIZE = 64
LIGHTNESS_QUANTILES = (0.02, 0.10, 0.25, 0.50, 0.75, 0.90, 0.98)
CHROMA_QUANTILES = (0.25, 0.50, 0.75, 0.95)
CHROMA_SCALE = 4.0
"""OKLab's chroma of real photos seldom passes 0.25: times 4 it is as large as lightness."""


class ToneStatistics:
    """See `learning.backbones.load.Backbone`.

    In order: 7 quantiles of OKLab lightness, 4 of chroma; mean a, b and chroma of shadows, middle and
    highlights (split toning, 9); mean and deviation of lightness, a, b and chroma (8); local contrast
    across and down (2); chroma-weighted hue moments of order 1 and 2 (4); and mean and deviation of
    R, G, B, luma and HSV chroma (10), which are the numbers of the distance for unaligned pairs in PrefLUT.
    """

    name = TONE_STATISTICS
    dim = 44
    image_size = IMAGE_SIZE
    identity = f"{TONE_STATISTICS} 1"
    """The number goes up with any change of what the statistics are."""

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) sRGB in [0, 1], any size → (B, 44)."""
        if max(images.shape[-2:]) > IMAGE_SIZE:
            images = F.interpolate(images, (IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", antialias=True)
        oklab = srgb_to_oklab(images.permute(0, 2, 3, 1))  # (B, H, W, 3)
        lightness, a, b = (oklab[..., channel] for channel in range(3))
        local_contrast = [
            (lightness[:, 1:] - lightness[:, :-1]).abs().mean((1, 2)),
            (lightness[:, :, 1:] - lightness[:, :, :-1]).abs().mean((1, 2)),
        ]
        return torch.stack(
            [
                *_oklab_statistics(lightness.flatten(1), a.flatten(1), b.flatten(1)),
                *(CHROMA_SCALE * contrast for contrast in local_contrast),
                *_hue_moments(a.flatten(1), b.flatten(1)),
                *_color_statistics(images.flatten(2)),
            ],
            dim=1,
        )

    def to(self, device: torch.device) -> "ToneStatistics":
        """It has no weights: it works wherever the images are."""
        return self


def _oklab_statistics(lightness: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Of pixels (B, P) → 28 tensors (B,)."""
    a, b = CHROMA_SCALE * a, CHROMA_SCALE * b
    chroma = torch.hypot(a, b)
    return [
        *_quantiles(lightness, LIGHTNESS_QUANTILES),
        *_quantiles(chroma, CHROMA_QUANTILES),
        *(_mean(value, weight) for weight in _tone_zones(lightness) for value in (a, b, chroma)),
        *(moment for value in (lightness, a, b, chroma) for moment in _mean_and_deviation(value)),
    ]


def _quantiles(values: torch.Tensor, parts: tuple[float, ...]) -> list[torch.Tensor]:
    """Without interpolation, which costs more than it tells over thousands of pixels."""
    ordered = values.sort(dim=1).values
    last = values.shape[1] - 1
    return [ordered[:, round(part * last)] for part in parts]


def _tone_zones(lightness: torch.Tensor) -> list[torch.Tensor]:
    """Soft weights of shadows, middle and highlights; they sum to 1 at every pixel."""
    shadows = (1 - 2 * lightness).clamp(0, 1)
    highlights = (2 * lightness - 1).clamp(0, 1)
    return [shadows, 1 - shadows - highlights, highlights]


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Drawn to 0 where hardly any pixel has weight."""
    return (weights * values).sum(1) / (weights.sum(1) + 0.01 * values.shape[1])


def _mean_and_deviation(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return values.mean(1), values.std(1, correction=0)


def _hue_moments(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Cos and sin of the hue and of twice the hue, each weighted by chroma, over the mean chroma."""
    chroma = torch.hypot(a, b)
    cos, sin = a / (chroma + 1e-4), b / (chroma + 1e-4)
    total = chroma.mean(1) + 0.01
    moments = (cos, sin, cos * cos - sin * sin, 2 * cos * sin)
    return [(chroma * moment).mean(1) / total for moment in moments]


def _color_statistics(pixels: torch.Tensor) -> list[torch.Tensor]:
    """(B, 3, P) → mean and deviation of R, G, B, luma (Rec. 709 weights) and largest minus smallest channel."""
    red, green, blue = pixels.unbind(1)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    spread = pixels.amax(1) - pixels.amin(1)
    return [m for value in (red, green, blue, luma, spread) for m in _mean_and_deviation(value)]
