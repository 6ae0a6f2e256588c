"""Masked style modeling: from styles and contents of examples, the style of a photo whose own is masked.

Each example is a token of style and content; the photo to edit is one too, with a learned
mask in place of its style. A transformer without positions sees all, and the last token's
output is the style, in whitened components. The simple average that the authors compare
with weighs each example's style by the likeness of its content.

Source: Kosugi and Yamasaki (2024); for pairs of answers with [z_p, z_n, z_c] and a linear
map, the adaptation in J. Kim, J. Yoo, S. J. Kim (2026).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

KINDS = ("transformer", "weighted_average")


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictorConfig:
    kind: str = "transformer"
    """transformer, or weighted_average for ablation."""
    width: int = 1024
    heads: int = 8
    layers: int = 6
    hidden: int = 2048
    """Of the feed-forward parts."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}; it must be one of {', '.join(KINDS)}")
        for name in ("width", "heads", "layers", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}; it must be a multiple of heads ({self.heads})")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


class MaskedStyle(nn.Module):
    """Tokens, transformer and output. With one style per example, style and content are interleaved."""

    def __init__(self, embedding: int, styles: int, config: PredictorConfig) -> None:
        super().__init__()
        self.styles = styles
        self.mask = nn.Parameter(torch.randn(embedding))
        inputs = (styles + 1) * embedding
        # With one style a token has the transformer's width as published; two need a map.
        self.token = nn.Identity() if inputs == config.width else nn.Linear(inputs, config.width)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, config.hidden, config.dropout, batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.out = nn.Linear(config.width, embedding)

    def forward(
        self,
        styles: torch.Tensor,
        contents: torch.Tensor,
        query: torch.Tensor,
        absent: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The masked style, in whitened components.

        Args:
            styles: (B, N, k, D), k styles of each example.
            contents: (B, N, D).
            query: (B, D), content of the photo to edit.
            absent: (B, N), true for examples that are not to be seen.

        Returns:
            (B, D).
        """
        tokens = self.tokens(styles, contents, query)
        hidden = None if absent is None else F.pad(absent, (0, 1))
        answer: torch.Tensor = self.out(self.transformer(tokens, src_key_padding_mask=hidden)[:, -1])
        return answer

    def tokens(self, styles: torch.Tensor, contents: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """(B, N + 1, width), the query's last."""
        mask = F.normalize(self.mask, dim=0).expand(len(query), 1, self.styles, -1)
        styles = torch.cat([styles, mask], dim=1)
        contents = torch.cat([contents, query[:, None]], dim=1)
        parts = torch.cat([styles, contents[:, :, None]], dim=2)  # (B, N + 1, k + 1, D)
        if self.styles == 1:
            parts = parts.transpose(2, 3)  # style at even places, content at odd ones
        tokens: torch.Tensor = self.token(parts.flatten(2))
        return tokens

    def attention(self, styles: torch.Tensor, contents: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
        """Mean attention over the heads of every layer: (layers, N + 1, N + 1) for one photo (B = 1)."""
        x = self.tokens(styles, contents, query)
        seen = []
        for layer in self.transformer.layers:
            assert isinstance(layer, nn.TransformerEncoderLayer)
            mixed, weights = layer.self_attn(x, x, x, need_weights=True)
            seen.append(weights[0])
            x = layer.norm1(x + mixed)
            x = layer.norm2(x + layer.linear2(F.relu(layer.linear1(x))))
        return torch.stack(seen)


def weighted_average(styles: torch.Tensor, contents: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Mean over the examples of their style (B, N, D) times the cosine of their content and the query's."""
    likeness = F.cosine_similarity(contents, query[:, None], dim=-1)  # (B, N)
    return (likeness[..., None] * styles).mean(dim=1)
