"""EDSR-baseline as an encoder: residual blocks without normalisation, and no upsampling at the end.

Source: B. Lim et al. (2017), Enhanced Deep Residual Networks for Single Image Super-Resolution,
CVPR Workshops.
"""

import torch
from torch import nn


class EdsrEncoder(nn.Module):
    """(B, 3, H, W) in [0, 1] → (B, channels, H, W); with 64 channels and 16 blocks 1 220 416 parameters."""

    def __init__(self, channels: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(channels) for _ in range(blocks)))
        self.tail = nn.Conv2d(channels, channels, 3, padding=1)

    @property
    def reach(self) -> int:
        """How many pixels to each side a feature hangs on: one for each convolution."""
        return 2 + 2 * len(self.blocks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        head = self.head(2 * images - 1)
        features: torch.Tensor = head + self.tail(self.blocks(head))
        return features


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changed: torch.Tensor = x + self.body(x)
        return changed
