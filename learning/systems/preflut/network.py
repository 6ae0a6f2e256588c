"""PrefLUT's networks: what reads pairs, what reads the photo, and what makes a LUT of both."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from learning.renderers import color_luts as luts
from learning.systems.preflut.config import NetworkConfig


def one_hidden_layer(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class ImageEncoder(nn.Module):
    """(B, 3, H, W) in [0, 1] → (B, width), at any size that the convolutions can halve."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *config.channels[:-1]), config.channels, strict=True):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1),
                nn.GroupNorm(min(8, after), after),
                nn.SiLU(),
            ]
        self.convolutions = nn.Sequential(*layers)
        self.out = nn.Linear(config.channels[-1], config.width)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.out(self.convolutions(2 * images - 1).mean(dim=(2, 3)))
        return features


class PairReader(nn.Module):
    """Features of reference pairs, in any order and number → profile."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.token = one_hidden_layer(3 * config.width, config.hidden, config.width)
        self.pool = nn.Parameter(0.02 * torch.randn(config.pool_tokens, config.width))
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            4 * config.width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, config.blocks, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, preferred: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        """(B, N, width) of both sides → (B, width)."""
        tokens = self.token(pair_features(preferred, rejected))
        pool = self.pool.expand(len(tokens), -1, -1)
        read = self.transformer(torch.cat([pool, tokens], dim=1))[:, : len(self.pool)]
        profile: torch.Tensor = self.norm(read.mean(dim=1))
        return profile


def pair_features(preferred: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """(..., D) of both sides → (..., 3D): both and their difference."""
    return torch.cat([preferred, rejected, preferred - rejected], dim=-1)


class LutDecoder(nn.Module):
    """Latent (B, width) → LUTs (B, 3, S, S, S) in [0, 1]; before any training it gives the identity."""

    neutral: torch.Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        first = config.volume[0]
        self.volume = nn.Linear(config.width, first * config.volume_size**3)
        layers: list[nn.Module] = []
        for before, after in zip(config.volume, (*config.volume[1:], 3), strict=True):
            layers += [nn.Conv3d(before, after, 3, padding=1), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers[:-1])
        last = self.convolutions[-1]
        assert isinstance(last, nn.Conv3d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("neutral", luts.identity(config.lut_size), persistent=False)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        return self.unclipped(latent).clamp(0, 1)

    def unclipped(self, latent: torch.Tensor) -> torch.Tensor:
        side = self.config.volume_size
        coarse = self.convolutions(self.volume(latent).unflatten(1, (-1, side, side, side)))
        size = (self.config.lut_size,) * 3
        change = F.interpolate(coarse, size, mode="trilinear", align_corners=True)
        return self.neutral + self.config.largest_shift * change.tanh()


class LutEncoder(nn.Module):
    """LUTs (B, 3, S, S, S) → latents (B, width). Only the pre-training has it."""

    neutral: torch.Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = (3, *reversed(config.volume))
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv3d(before, after, 3, stride=2, padding=1), nn.SiLU()]
        self.convolutions = nn.Sequential(*layers)
        self.side = config.volume_size
        self.out = nn.Linear(config.volume[0] * config.volume_size**3, config.width)
        self.register_buffer("neutral", luts.identity(config.lut_size), persistent=False)

    def forward(self, tables: torch.Tensor) -> torch.Tensor:
        volume = F.adaptive_avg_pool3d(self.convolutions(4 * (tables - self.neutral)), self.side)
        latent: torch.Tensor = self.out(volume.flatten(1))
        return latent


class Network(nn.Module):
    """All that a trained system has. `profile` reads a rater, `plan` makes a photo's LUT and strength."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.pair_encoder = ImageEncoder(config)
        self.query_encoder = ImageEncoder(config)
        self.reader = PairReader(config)
        self.edit = one_hidden_layer(2 * config.width, config.hidden, config.width)
        self.strength = one_hidden_layer(2 * config.width, config.width, 1)
        self.decoder = LutDecoder(config)

    def plan(self, profile: torch.Tensor, query: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Profiles and the photos' features, both (B, width) → LUTs (B, 3, S, S, S), logits of the strength (B,)."""
        both = torch.cat([profile, query], dim=-1)
        return self.decoder(self.edit(both)), self.strength(both)[:, 0]

    def weakened(self, tables: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
        """LUTs with (B,) of their change: 0 is the identity."""
        neutral = self.decoder.neutral
        return neutral + amount[:, None, None, None, None] * (tables - neutral)

    def freeze_pretrained(self) -> None:
        for part in (self.pair_encoder, self.query_encoder, self.decoder):
            part.requires_grad_(requires_grad=False)
