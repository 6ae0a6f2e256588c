"""Mean CIEDE2000, measured for many images at once: colours are converted once, however often they are compared."""

import torch

from variants.tone.color import srgb_to_lab
from variants.tone.difference import ciede2000

Planes = torch.Tensor
"""L, a, b as planes: (B, 3, H, W)."""

_AT_ONCE = 1 << 15
"""Pixels worked on at a time on a CPU: the planes in between stay in the cache, which is three times as fast."""


def lab_planes(images: torch.Tensor) -> Planes:
    """SRGB (B, H, W, 3) → CIELAB planes (B, 3, H, W)."""
    pixels = images.reshape(-1, 3)
    if pixels.device.type != "cpu":  # an accelerator wants all at once
        whole: torch.Tensor = srgb_to_lab(pixels).view(images.shape).movedim(-1, 1).contiguous()
        return whole
    lab = torch.cat([srgb_to_lab(part) for part in torch.split(pixels, _AT_ONCE // 4)])
    return lab.view(images.shape).movedim(-1, 1).contiguous()


def mean_delta_e(first: Planes, second: Planes) -> torch.Tensor:
    """Mean CIEDE2000 of each image of `first` to the same of `second`, shape (B,)."""
    ours, theirs = (planes.flatten(2).movedim(1, -1) for planes in (first, second))  # (B, pixels, 3)
    if first.device.type != "cpu":
        on_accelerator: torch.Tensor = ciede2000(ours, theirs).mean(1)
        return on_accelerator
    return torch.stack([_sum(*pair) for pair in zip(ours, theirs, strict=True)]) / ours.shape[1]


def _sum(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """Over the pixels of one image, (pixels, 3) twice."""
    parts = zip(torch.split(one, _AT_ONCE), torch.split(two, _AT_ONCE), strict=True)
    return torch.stack([ciede2000(*part).sum() for part in parts]).sum()
