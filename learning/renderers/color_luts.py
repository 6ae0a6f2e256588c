"""Batches of 3D LUTs as tensors (B, 3, S, S, S): the lattice's axes are red, green, blue.

What holds them smooth and monotone, and the statistics of colour that images are compared by.
"""

from itertools import combinations

import torch
import torch.nn.functional as F


def identity(size: int) -> torch.Tensor:
    """(3, size, size, size): every lattice point becomes itself."""
    axis = torch.linspace(0, 1, size)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))


def look_up(luts: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, H, W), each by its own LUT (B, 3, S, S, S), trilinear; colours beyond [0, 1] go to the edge."""
    # grid_sample's x is the last axis of the volume, blue.
    at = (2 * images - 1).permute(0, 2, 3, 1).flip(-1)[:, None]  # (B, 1, H, W, 3)
    found = F.grid_sample(luts, at, mode="bilinear", padding_mode="border", align_corners=True)
    return found[:, :, 0]


def roughness(luts: torch.Tensor) -> torch.Tensor:
    """Mean square of how the change of colour differs between neighbours of the lattice; one number a LUT."""
    change = luts - identity(luts.shape[-1]).to(luts)
    return torch.stack([change.diff(dim=axis).square().mean(dim=(1, 2, 3, 4)) for axis in (2, 3, 4)]).sum(0)


def falls(luts: torch.Tensor) -> torch.Tensor:
    """Mean of how far each channel falls where its own input rises; 0 for a monotone LUT."""
    return torch.stack([F.relu(-luts[:, c].diff(dim=c + 1)).mean(dim=(1, 2, 3)) for c in range(3)]).sum(0)


def color_statistics(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) → (B, 10): means and then deviations of R, G, B, luma and the largest minus the smallest channel."""
    red, green, blue = images.flatten(2).unbind(1)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    spread = torch.stack([(a - b).abs() for a, b in combinations((red, green, blue), 2)]).amax(0)
    values = torch.stack([red, green, blue, luma, spread], dim=1)  # (B, 5, P)
    return torch.cat([values.mean(-1), values.std(-1, correction=0)], dim=1)


def statistics_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of two batches' colour statistics, (B,): it also serves images that do not align."""
    return (color_statistics(first) - color_statistics(second)).abs().mean(1)
