"""The hierarchical head that the first author's code runs: features and position bits → a residual.

The four nearest features, each times its area's weight, go through layers that each get one more
bit of where between the features the pixel stands; two blocks of linear attention let every
pixel see the whole photo. At one size in and out all bits are 0, and the head is a network of
colour and neighbourhood.

The attention sums over all pixels. `HiifHead` can gather these sums part by part, so that a photo
in tiles gets the same answer as in one piece.

Sources: Y. Jiang et al. (2025), HIIF: Hierarchical Encoding based Implicit Image Function, CVPR;
S. Cao (2021), Choose a Transformer: Fourier or Galerkin, NeurIPS (the attention); the use for
personal style and its sizes: J. Kim, J. Yoo, S. J. Kim (2026), CVPR, public development code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from learning.renderers.windows import QUERIES_AT_ONCE, Window

INJECTIONS = ("concat", "film")
ATTENTION_BLOCKS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class HiifConfig:
    """Defaults: a rater's own head, 1 587 359 parameters and 147 712 in the convolution before it."""

    channels: int = 64
    """Of the encoder's features."""
    blocks: int = 16
    """Residual blocks of the encoder."""
    width: int = 256
    heads: int = 16
    """Of the attention; they share the width."""
    layers: int = 6
    hidden: int = 256
    """Inner width of every layer."""
    injection: str = "concat"
    """How an embedding comes in. concat: at the first layer's input, as published; film: scale and shift after
    every layer but the last."""

    def __post_init__(self) -> None:
        for name in ("channels", "blocks", "width", "heads", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not 2 <= self.layers <= 16:
            raise ValueError(f"layers is {self.layers}; it must be from 2 to 16")
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}; it must be a multiple of heads ({self.heads})")
        if self.injection not in INJECTIONS:
            raise ValueError(f"injection is {self.injection!r}; it must be one of {', '.join(INJECTIONS)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Asked pixels as the decoder is given them."""

    neighbours: torch.Tensor  # (B, Q, 4 · width), each times its weight
    cell: tuple[float, float]
    local: torch.Tensor  # (Q, 2) in [0, 1): row and column between the nearest features


class HiifHead(nn.Module):
    """A convolution and the decoder: features (B, channels, h, w) → residual (B, 3, H, W)."""

    reach = 1
    """Cells beside the nearest ones that an answer hangs on, because of the convolution."""
    summaries = ATTENTION_BLOCKS
    """How many sums over the whole photo an answer needs."""

    def __init__(self, embedding: int, config: HiifConfig) -> None:
        """`embedding` is its width; 0 for a head that has none."""
        super().__init__()
        self.freq = nn.Conv2d(config.channels, config.width, 3, padding=1)
        self.decoder = HiifDecoder(embedding, config)

    def start_as_identity(self) -> None:
        """Let the residual be 0 everywhere."""
        last = self.decoder.layers[-1]
        assert isinstance(last, _Layer)
        nn.init.zeros_(last.out.weight)
        nn.init.zeros_(last.out.bias)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(B, channels, h, w), (B, E), (H, W) → (B, 3, H, W); in bounded memory where no gradient is needed."""
        window = Window.whole(features, size)
        if torch.is_grad_enabled() or len(features) * size[0] * size[1] <= QUERIES_AT_ONCE:
            answers = self.decoder(self._tokens(window, self.freq(features)), embedding)
            return _as_image(answers, window)
        contexts: list[torch.Tensor] = []
        for _ in range(self.summaries):
            contexts.append(self.summary(window, embedding, contexts) / (size[0] * size[1]))
        return self.answer(window, embedding, contexts)

    def summary(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """The next attention's sum over the window's pixels.

        Args:
            window: some of the photo's pixels.
            embedding: (B, E).
            contexts: the attentions before, each as the mean over all pixels of the photo.
        """
        changed = self.freq(window.features)
        pieces = window.in_pieces(QUERIES_AT_ONCE)
        sums = [self.decoder.summary(self._tokens(p, changed), embedding, contexts) for p in pieces]
        return torch.stack(sums).sum(0)

    def answer(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """The residual (B, 3, rows, columns) of the window, all `summaries` contexts being known."""
        changed = self.freq(window.features)
        answers = [
            _as_image(self.decoder.answer(self._tokens(p, changed), embedding, contexts), p)
            for p in window.in_pieces(QUERIES_AT_ONCE)
        ]
        return torch.cat(answers, dim=2)

    def _tokens(self, window: Window, changed: torch.Tensor) -> Tokens:
        rows, columns = window.axes()
        nearest = [
            changed[:, :, rows.cells[i]][..., columns.cells[j]]
            * (rows.weights[i][:, None] * columns.weights[j])
            for i in range(2)
            for j in range(2)
        ]
        local = torch.stack(torch.meshgrid(rows.local, columns.local, indexing="ij"), dim=-1)
        return Tokens(
            neighbours=torch.cat(nearest, dim=1).flatten(2).transpose(1, 2),
            cell=window.cell,
            local=local.view(-1, 2),
        )


class HiifDecoder(nn.Module):
    """Tokens → (B, Q, 3)."""

    def __init__(self, embedding: int, config: HiifConfig) -> None:
        super().__init__()
        concat = embedding if config.injection == "concat" else 0
        widths = [4 * config.width + 2 + 2 + concat] + [config.width + 2] * (config.layers - 1)
        outs = [config.width] * (config.layers - 1) + [3]
        self.layers = nn.ModuleList(_Layer(a, config.hidden, b) for a, b in zip(widths, outs, strict=True))
        self.attentions = nn.ModuleList(
            LinearAttention(config.width, config.heads) for _ in range(ATTENTION_BLOCKS)
        )
        self.film: nn.Linear | None = None
        if config.injection == "film" and embedding:
            self.film = nn.Linear(embedding, 2 * config.width * (config.layers - 1))

    def forward(self, tokens: Tokens, embedding: torch.Tensor) -> torch.Tensor:
        """All pixels of the photo at once."""
        x = self._first(tokens, embedding)
        for attention in self._blocks():
            x = attention(x, attention.summary(x) / x.shape[1])
        return self._rest(x, tokens, embedding)

    def summary(
        self, tokens: Tokens, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """What the attention after those in `contexts` sums over these pixels: (B, heads, w, w)."""
        attention = self._blocks()[len(contexts)]
        return attention.summary(self._attended(tokens, embedding, contexts))

    def answer(
        self, tokens: Tokens, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        return self._rest(self._attended(tokens, embedding, contexts), tokens, embedding)

    def _attended(
        self, tokens: Tokens, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        x = self._first(tokens, embedding)
        for attention, context in zip(self._blocks(), contexts, strict=False):
            x = attention(x, context)
        return x

    def _blocks(self) -> list["LinearAttention"]:
        return [block for block in self.attentions if isinstance(block, LinearAttention)]

    def _first(self, tokens: Tokens, embedding: torch.Tensor) -> torch.Tensor:
        shape = tokens.neighbours.shape[:2]
        parts = [
            tokens.neighbours,
            tokens.neighbours.new_tensor(tokens.cell).expand(*shape, 2),
            _bits(tokens.local, 0).expand(*shape, 2),
        ]
        if self.film is None:
            parts.append(embedding[:, None].expand(*shape, -1))
        return self._modulated(self.layers[0](torch.cat(parts, dim=-1)), 0, embedding)

    def _rest(self, x: torch.Tensor, tokens: Tokens, embedding: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.layers[1:], start=1):
            bits = _bits(tokens.local, number).expand(*x.shape[:2], 2)
            x = layer(torch.cat([x, bits], dim=-1))
            if number < len(self.layers) - 1:
                x = self._modulated(x, number, embedding)
        return x

    def _modulated(self, x: torch.Tensor, number: int, embedding: torch.Tensor) -> torch.Tensor:
        if self.film is None:
            return x
        scale, shift = self.film(embedding)[:, None].chunk(2 * (len(self.layers) - 1), dim=-1)[
            2 * number : 2 * number + 2
        ]
        modulated: torch.Tensor = (1 + scale) * x + shift
        return modulated


class _Layer(nn.Module):
    """The bit beside the input makes it wider than the output, so there is no skip around it."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs)
        self.inner = nn.Linear(inputs, hidden)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.out(F.gelu(self.inner(self.norm(x))))
        return out


class LinearAttention(nn.Module):
    """Galerkin attention: q · (LN(k)ᵀ LN(v)) / n, then Linear, GELU, Linear, with skips; linear in the pixels."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.key_norm = nn.LayerNorm(width // heads)
        self.value_norm = nn.LayerNorm(width // heads)
        self.inner = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def summary(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels (B, Q, width) → the sum of LN(k)ᵀ LN(v) over them: (B, heads, w, w)."""
        _, key, value = self._heads_of(x)
        summed: torch.Tensor = self.key_norm(key).transpose(-2, -1) @ self.value_norm(value)
        return summed

    def forward(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Pixels and the mean over all pixels of the photo of what `summary` sums → pixels."""
        query, _, _ = self._heads_of(x)
        seen = (query @ context).transpose(1, 2).reshape(x.shape)
        changed: torch.Tensor = x + self.out(F.gelu(self.inner(x + seen)))
        return changed

    def _heads_of(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Query, key, value: (B, heads, Q, w) each."""
        split = self.qkv(x).view(*x.shape[:2], 3, self.heads, -1)
        return tuple(split.permute(2, 0, 3, 1, 4))


def _bits(local: torch.Tensor, level: int) -> torch.Tensor:
    """The level's binary digit of each coordinate in [0, 1): which half of the half of … it stands in."""
    bits: torch.Tensor = (local * 2.0 ** (level + 1)).floor().remainder(2)
    return bits


def _as_image(answers: torch.Tensor, window: Window) -> torch.Tensor:
    """(B, Q, 3) → (B, 3, rows, columns)."""
    return answers.transpose(1, 2).reshape(len(answers), 3, *window.shape)
