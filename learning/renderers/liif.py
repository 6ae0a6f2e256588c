"""The local implicit image function: a photo's features, asked at any coordinate for a colour.

Here it answers with a residual to the photo itself, and a rater's embedding stands beside
the features. Sizes, order and signs are those of the published network.

References:
    Y. Chen, S. Liu, X. Wang (2021), Learning Continuous Image Representation with Local
    Implicit Image Function, CVPR. B. Lim et al. (2017), Enhanced Deep Residual Networks (EDSR).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

QUERIES_AT_ONCE = 30_000
UNFOLDED = 9
"""Neighbours in the 3 x 3 feature unfolding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LiifConfig:
    channels: int = 64
    blocks: int = 16
    hidden: int = 256
    hidden_layers: int = 4

    def __post_init__(self) -> None:
        for name in ("channels", "blocks", "hidden", "hidden_layers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")


class EdsrEncoder(nn.Module):
    """EDSR-baseline without its upsampling tail: (B, 3, H, W) → (B, channels, H, W)."""

    def __init__(self, channels: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(channels) for _ in range(blocks)))
        self.tail = nn.Conv2d(channels, channels, 3, padding=1)

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


class LiifDecoder(nn.Module):
    """Features, cell and embedding → a colour at any coordinate, by local ensemble."""

    def __init__(self, embedding: int, config: LiifConfig) -> None:
        super().__init__()
        widths = [UNFOLDED * config.channels + 2 + 2 + embedding] + [config.hidden] * config.hidden_layers
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(config.hidden, 3))

    def forward(self, features: torch.Tensor, embedding: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(B, C, h, w), (B, E), (H, W) → (B, 3, H, W)."""
        unfolded = F.unfold(features, 3, padding=1).view(len(features), -1, *features.shape[-2:])
        coordinates = pixel_centres(size, features.device).view(-1, 2)  # (H·W, 2), row first
        answers = [
            self._query(unfolded, embedding, piece, size)
            for piece in torch.split(coordinates, QUERIES_AT_ONCE)
        ]
        return torch.cat(answers, dim=1).transpose(1, 2).reshape(len(features), 3, *size)

    def _query(
        self, features: torch.Tensor, embedding: torch.Tensor, at: torch.Tensor, size: tuple[int, int]
    ) -> torch.Tensor:
        """Answer at the coordinates (Q, 2) → (B, Q, 3)."""
        height, width = features.shape[-2:]
        scale = at.new_tensor([height, width])
        cell = (2 / at.new_tensor(size) * scale).expand(len(features), len(at), 2)
        beside = embedding[:, None].expand(-1, len(at), -1)
        answers, areas = [], []
        for nearest, relative in _four_neighbours(features, at):
            inputs = [nearest, relative.expand(len(features), -1, -1), cell, beside]
            answers.append(self.mlp(torch.cat(inputs, dim=-1)))
            # Added to each side, so that at the photo's edge, where a side is 0, the other still counts.
            areas.append((relative.abs() + 1e-9).prod(dim=-1))  # (Q,)
        total = torch.stack(areas).sum(0)
        # Each answer weighs as much as the rectangle diagonally opposite of it.
        weights = [area / total for area in reversed(areas)]
        blended: torch.Tensor = sum(w[:, None] * a for w, a in zip(weights, answers, strict=True))
        return blended


def pixel_centres(size: tuple[int, int], device: torch.device | None = None) -> torch.Tensor:
    """(H, W, 2), row first: -1 + (2i + 1) / n, so that an image spans -1 to 1."""
    rows, columns = (-1 + (2 * torch.arange(n, device=device) + 1) / n for n in size)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)


def _four_neighbours(features: torch.Tensor, at: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """For the four corners: nearest features (B, Q, C) and the way from their centre, in cells (Q, 2)."""
    height, width = features.shape[-2:]
    scale = at.new_tensor([height, width])
    for row in (-1, 1):
        for column in (-1, 1):
            shifted = (at + at.new_tensor([row, column]) / scale + 1e-6).clamp(-1 + 1e-6, 1 - 1e-6)
            cells = ((shifted + 1) / 2 * scale).floor().long()
            cells = torch.minimum(cells, torch.tensor([height - 1, width - 1], device=at.device))
            centres = -1 + (2 * cells + 1) / scale
            nearest = features[:, :, cells[:, 0], cells[:, 1]].transpose(1, 2)
            yield nearest, (at - centres) * scale
