"""From a rater's reference pairs to one embedding, whatever their order and number."""

import torch
import torch.nn.functional as F
from torch import nn

from learning.systems.upe.config import ReaderConfig


class Reader(nn.Module):
    """Reference pairs, in any order and number → embedding.

    Args:
        features: numbers in a feature vector.
        config: sizes, and what else a token tells.
        colors: how many of the features, the last ones, are colour statistics: of these a token holds the
            difference alone.
    """

    def __init__(self, features: int, config: ReaderConfig, colors: int = 0) -> None:
        super().__init__()
        self.config = config
        self.colors = colors
        inputs = (features - colors) * (5 if config.unscaled else 2) + int(config.log_length) + colors
        self.token = nn.Sequential(
            nn.Linear(inputs, 2 * config.token),
            nn.ReLU(),
            nn.Linear(2 * config.token, config.token),
            nn.ReLU(),
            nn.Linear(config.token, config.hidden),
        )
        layer = nn.TransformerEncoderLayer(
            config.hidden,
            config.heads,
            4 * config.hidden,
            config.dropout,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.out = nn.Sequential(nn.Linear(config.hidden, config.embedding), nn.LayerNorm(config.embedding))

    def forward(self, preferred: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
        """Features (B, N, D) of both sides → (B, embedding)."""
        tokens = self.token(pair_token(preferred, rejected, self.config, self.colors))  # (B, N, hidden)
        embedding: torch.Tensor = self.out(self.transformer(tokens).mean(dim=1))
        return embedding


def pair_token(
    preferred: torch.Tensor, rejected: torch.Tensor, config: ReaderConfig, colors: int = 0
) -> torch.Tensor:
    """Features (..., D) of both sides → (..., 2D or more): content and style, each of length 1, first.

    Swapping the sides leaves the content as it is and turns the style's sign, and that of the difference
    of the `colors` last features, which comes last and as it is.
    """
    split = preferred.shape[-1] - colors
    color_difference = (preferred - rejected)[..., split:]
    preferred, rejected = preferred[..., :split], rejected[..., :split]
    content, style = preferred + rejected, preferred - rejected
    parts = [F.normalize(content, dim=-1), F.normalize(style, dim=-1)]
    if config.log_length:
        parts.append((style.norm(dim=-1, keepdim=True) + 1e-3).log())
    if config.unscaled:
        parts += [preferred, rejected, style]
    return torch.cat([*parts, color_difference], dim=-1)
