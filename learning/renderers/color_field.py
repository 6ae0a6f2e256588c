"""A colour map as a small network: every pixel's new colour from its old one and a condition.

It knows nothing of places, so it keeps a photo's structure by construction, works at any
size, and can be baked into a LUT. The idea of a residual network from colour to colour:
M. V. Conde et al. (2024), NILUT.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

INJECTIONS = ("film", "concat")
PIXELS_AT_ONCE = 2**14
"""In `apply` on a CPU, which is 2.5 times as fast while the layers in between stay in its cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColorFieldConfig:
    width: int = 32
    depth: int = 2
    """Hidden layers."""
    condition: int = 128
    """Width of the condition that embedding and photo are merged into."""
    injection: str = "film"
    """film: scale and shift at every hidden layer; concat: at the first layer only, as published."""
    dropout: float = 0.1
    """In making the condition."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "condition"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.injection not in INJECTIONS:
            raise ValueError(f"injection is {self.injection!r}; it must be one of {', '.join(INJECTIONS)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


class ColorField(nn.Module):
    """Starts as the identity: the layer that gives the residual is 0."""

    def __init__(self, inputs: int, config: ColorFieldConfig) -> None:
        super().__init__()
        self.config = config
        self.condition = nn.Sequential(
            nn.Linear(inputs, config.condition),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.condition, config.condition),
            nn.GELU(),
        )
        widths = [3] + [config.width] * config.depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        if config.injection == "film":
            self.inject = nn.Linear(config.condition, 2 * config.width * config.depth)
        else:
            self.inject = nn.Linear(config.condition, config.width, bias=False)
        self.residual = nn.Linear(config.width, 3)
        nn.init.zeros_(self.residual.weight)
        nn.init.zeros_(self.residual.bias)

    def plan(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, inputs) → (B, condition): the edit, before it meets any pixel."""
        planned: torch.Tensor = self.condition(inputs)
        return planned

    def apply_to(self, colors: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        """Colours (B, P, 3) in [0, 1] and a plan (B, condition) → colours of the same shape, not clipped."""
        at_once = PIXELS_AT_ONCE if colors.device.type == "cpu" else 64 * PIXELS_AT_ONCE
        pieces = torch.split(colors, max(1, at_once // len(colors)), dim=1)
        return torch.cat([piece + self._residual(piece, plan) for piece in pieces], dim=1)

    def _residual(self, colors: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        x = 2 * colors - 1
        injected = self.inject(plan)[:, None]  # (B, 1, …): the same at every pixel
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if self.config.injection == "film":
                scale, shift = injected.chunk(2 * self.config.depth, dim=-1)[2 * number : 2 * number + 2]
                x = (1 + scale) * x + shift
            elif number == 0:
                # The same as concatenating the condition to every pixel's colour before this layer.
                x = x + injected
            x = nn.functional.gelu(x)
        residual: torch.Tensor = self.residual(x)
        return residual
