"""The stylized enhancer: a U-Net that edits a photo of a fixed size, with a style at every skip connection.

The published text fixes the encoder (ResNet-18), the pooled bottleneck, four steps up of
32, 2, 2 and 2, what each concatenates, and a residual in ImageNet's normalised units. Widths
of the decoder are chosen so that the systems have the published numbers of parameters.

Source: PieNet's enhancer as used by Kosugi and Yamasaki (2024).
"""

import torch
import torch.nn.functional as F
from torch import nn

from learning.systems.style_parts.encoders import DEVIATION, Block, ResNet18


class UpBlock(nn.Module):
    """What comes from below, the skip connection and the style, merged by a residual block."""

    def __init__(self, below: int, skip: int, style: int, outputs: int) -> None:
        super().__init__()
        self.style = nn.Conv2d(style, below, 1) if style else None
        self.merge = Block(below + skip + (below if style else 0), outputs, 1)

    def forward(self, below: torch.Tensor, skip: torch.Tensor, style: torch.Tensor | None) -> torch.Tensor:
        size = skip.shape[-2:]
        parts = [F.interpolate(below, size, mode="nearest"), skip]
        if self.style is not None:
            assert style is not None
            parts.append(self.style(style[:, :, None, None]).expand(-1, -1, *size))
        merged: torch.Tensor = self.merge(torch.cat(parts, dim=1))
        return merged


class Enhancer(nn.Module):
    """Photo and style → photo; with a style of 0 numbers it does one edit only.

    It starts as the identity: the layer that gives the residual is 0.
    """

    def __init__(self, width: int, style: int) -> None:
        super().__init__()
        self.encoder = ResNet18(width)
        w = width
        self.ups = nn.ModuleList(
            [
                UpBlock(8 * w, 4 * w, style, 4 * w),
                UpBlock(4 * w, 2 * w, style, 2 * w),
                UpBlock(2 * w, w, style, w),
                UpBlock(w, w, style, w),
            ]
        )
        self.residual = nn.Conv2d(w, 3, 3, padding=1)
        nn.init.zeros_(self.residual.weight)
        assert self.residual.bias is not None
        nn.init.zeros_(self.residual.bias)

    def forward(self, images: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """(B, 3, S, S) in [0, 1] and (B, style) → the edited photos, not clipped."""
        return images + self.change(images, style)

    def change(self, images: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """What is added, in units of the photo."""
        *skips, last = self.encoder(images)
        x = last.mean(dim=(2, 3), keepdim=True)
        for up, skip in zip(self.ups, [skips[3], skips[2], skips[1], skips[0]], strict=True):
            x = up(x, skip, style)
        x = F.interpolate(x, images.shape[-2:], mode="bilinear", align_corners=False)
        change: torch.Tensor = self.residual(x) * images.new_tensor(DEVIATION)[:, None, None]
        return change
