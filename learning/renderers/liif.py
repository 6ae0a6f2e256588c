"""The local implicit image function: a photo's features, asked at any coordinate for a colour.

Here it answers with a residual to the photo itself, and a rater's embedding may stand beside
the features. Sizes, order and signs are those of the published network.

References:
    Y. Chen, S. Liu, X. Wang (2021), Learning Continuous Image Representation with Local
    Implicit Image Function, CVPR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from learning.renderers import windows
from learning.renderers.edsr import EdsrEncoder as EdsrEncoder
from learning.renderers.windows import QUERIES_AT_ONCE, Axis, Window

UNFOLDED = 9
"""Neighbours in the 3 x 3 feature unfolding."""
LEAST_WEIGHT = 1e-6
"""Answers that weigh less than this everywhere are not asked for: at the photo's own size, three of the four."""


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


class LiifDecoder(nn.Module):
    """Features, cell and embedding → a colour at any coordinate, by local ensemble."""

    reach = 1
    """Cells beside the nearest ones that an answer hangs on, because of the unfolding."""
    summaries = 0
    """An answer needs no sums over the whole photo."""

    def __init__(self, embedding: int, config: LiifConfig) -> None:
        """`embedding` is its width; 0 for a decoder that has none."""
        super().__init__()
        self.unfolded = UNFOLDED * config.channels
        widths = [self.unfolded + 2 + 2 + embedding] + [config.hidden] * config.hidden_layers
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(config.hidden, 3))

    def start_as_identity(self) -> None:
        """Let the residual be 0 everywhere."""
        last = self.mlp[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, features: torch.Tensor, embedding: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """(B, C, h, w), (B, E), (H, W) → (B, 3, H, W)."""
        return self.answer(Window.whole(features, size), embedding)

    def summary(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Never needed; see `learning.renderers.hiif.HiifHead.summary`."""
        raise ValueError("a LIIF decoder sums nothing over the photo")

    def answer(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor] = ()
    ) -> torch.Tensor:
        """The asked pixels (B, 3, rows, columns) of the window, for embeddings (B, E)."""
        changed = self._first_layer(window, embedding)
        queries = window.shape[0] * window.shape[1] * len(changed)
        # A gradient needs all answers in memory at once anyway.
        pieces = window.in_pieces(queries if torch.is_grad_enabled() else QUERIES_AT_ONCE)
        return torch.cat([self._ensemble(piece, changed) for piece in pieces], dim=2)

    def _first_layer(self, window: Window, embedding: torch.Tensor) -> torch.Tensor:
        """What is the same for all that ask a cell: (B, hidden, h, w).

        The first layer of a 3 x 3 unfolding is a convolution; done once for each cell, it is not
        done again for each of the four answers.
        """
        weight, bias = self._first()
        kernel = weight[:, : self.unfolded].view(len(weight), -1, 3, 3)
        beside = weight[:, self.unfolded + 2 :]
        cell = window.features.new_tensor(window.cell).expand(len(embedding), 2)
        same = torch.cat([cell, embedding], dim=1) @ beside.T + bias  # (B, hidden)
        return F.conv2d(window.features, kernel, padding=1) + same[:, :, None, None]

    def _ensemble(self, window: Window, changed: torch.Tensor) -> torch.Tensor:
        rows, columns = (axis.merged() for axis in window.axes())
        blended = changed.new_zeros((len(changed), *window.shape, 3))
        total = changed.new_zeros(window.shape)
        for i, j in _counting(rows, columns):
            weights = rows.weights[i][:, None] * columns.weights[j]
            blended = blended + weights[..., None] * self._asked(changed, rows, columns, i, j)
            total = total + weights
        return (blended / total[..., None]).permute(0, 3, 1, 2)

    def _asked(self, changed: torch.Tensor, rows: Axis, columns: Axis, i: int, j: int) -> torch.Tensor:
        """What the cells at these sides answer: (B, rows, columns, 3)."""
        weight, _ = self._first()
        to_rows, to_columns = weight[:, self.unfolded], weight[:, self.unfolded + 1]
        x = changed[:, :, rows.cells[i]][..., columns.cells[j]].permute(0, 2, 3, 1)
        x = x + rows.offsets[i][:, None, None] * to_rows + columns.offsets[j][:, None] * to_columns
        for layer in self.mlp[1:]:
            x = layer(x)
        return x

    def _first(self) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.mlp[0]
        assert isinstance(first, nn.Linear)
        return first.weight, first.bias


def pixel_centres(size: tuple[int, int], device: torch.device | None = None) -> torch.Tensor:
    """(H, W, 2), row first: -1 + (2i + 1) / n, so that an image spans -1 to 1."""
    rows, columns = (windows.pixel_centres(n).float().to(device) for n in size)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)


def _counting(rows: Axis, columns: Axis) -> list[tuple[int, int]]:
    """The sides, before or after, whose answers weigh something anywhere."""
    heavy = [
        [side for side in range(2) if float(axis.weights[side].max()) >= LEAST_WEIGHT]
        for axis in (rows, columns)
    ]
    return [(i, j) for i in heavy[0] for j in heavy[1]]
