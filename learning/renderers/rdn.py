"""RDN as an encoder: densely connected blocks, each fused by a 1 x 1 convolution; no upsampling at the end.

Source: Y. Zhang et al. (2018), Residual Dense Network for Image Super-Resolution, CVPR;
configuration "B": 16 blocks of 8 convolutions that add 64 channels each.
"""

import torch
from torch import nn


class RdnEncoder(nn.Module):
    """(B, 3, H, W) in [0, 1] → (B, channels, H, W); by default 21 973 952 parameters."""

    def __init__(self, channels: int = 64, blocks: int = 16, convolutions: int = 8, growth: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(_DenseBlock(channels, convolutions, growth) for _ in range(blocks))
        self.fuse = nn.Conv2d(blocks * channels, channels, 1)
        self.tail = nn.Conv2d(channels, channels, 3, padding=1)
        self._reach = 3 + blocks * convolutions

    @property
    def reach(self) -> int:
        """How many pixels to each side a feature hangs on: one for each 3 x 3 convolution."""
        return self._reach

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first = self.first(2 * images - 1)
        x, found = self.second(first), []
        for block in self.blocks:
            x = block(x)
            found.append(x)
        features: torch.Tensor = first + self.tail(self.fuse(torch.cat(found, dim=1)))
        return features


class _DenseBlock(nn.Module):
    """Every convolution sees the outputs of all before it."""

    def __init__(self, channels: int, convolutions: int, growth: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels + n * growth, growth, 3, padding=1) for n in range(convolutions)
        )
        self.fuse = nn.Conv2d(channels + convolutions * growth, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = [x]
        for convolution in self.convolutions:
            seen.append(torch.relu(convolution(torch.cat(seen, dim=1))))
        fused: torch.Tensor = x + self.fuse(torch.cat(seen, dim=1))
        return fused
