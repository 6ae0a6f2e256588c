"""Photos of any size through an encoder and a head, in bounded memory, with the same result as in one piece.

A tile is encoded with as much of the photo around it as its features hang on: one pixel to each
side for each 3 x 3 convolution (34 in EDSR-baseline), and what the head reaches further (1). At
the photo's own edges the convolutions pad as they do for the whole. Where a head sums over the
whole photo, all tiles are gone through once for each sum before the answers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch

from learning.renderers.windows import Window, cells_needed

TILE = 256
"""Side of a tile in pixels on a CPU, twice as fast as 512 because the layers in between stay nearer; on an accelerator
four times that."""
KEPT_BYTES = 2**29
"""A photo's features up to this size are kept between the passes of a head that needs several."""


class Encoder(Protocol):
    @property
    def reach(self) -> int: ...

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) → (B, C, H, W)."""


class Head(Protocol):
    @property
    def reach(self) -> int: ...

    @property
    def summaries(self) -> int: ...

    def summary(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor: ...

    def answer(
        self, window: Window, embedding: torch.Tensor, contexts: Sequence[torch.Tensor]
    ) -> torch.Tensor: ...


@torch.inference_mode()
def residual_in_tiles(
    encoder: Encoder,
    head: Head,
    guide: torch.Tensor,
    embedding: torch.Tensor,
    size: tuple[int, int],
    *,
    tile: int | None = None,
) -> torch.Tensor:
    """The head's residual for a photo of any size.

    Args:
        encoder: gives features of the guide's size.
        head: answers from them.
        guide: (1, 3, h, w) in [0, 1]: what is encoded; need not have the size of the answer.
        embedding: (1, E), beside the features; E may be 0.
        size: height and width of the answer.
        tile: side of a tile in pixels; None for what suits the device.

    Returns:
        (1, 3, *size).
    """
    tile = tile or (TILE if guide.device.type == "cpu" else 4 * TILE)
    passes = _windows(encoder, head.reach, guide, size, tile)
    contexts: list[torch.Tensor] = []
    for _ in range(head.summaries):
        summed: torch.Tensor | None = None
        for window in passes:
            part = head.summary(window, embedding, contexts)
            summed = part if summed is None else summed + part
        assert summed is not None
        contexts.append(summed / (size[0] * size[1]))
    residual = guide.new_empty((1, 3, *size))
    for window in passes:
        rows, columns = window.rows, window.columns
        answer = head.answer(window, embedding, contexts)
        residual[..., rows.start : rows.stop, columns.start : columns.stop] = answer
    return residual


class _Encoded:
    """The windows of a photo, encoded anew whenever they are gone through."""

    def __init__(
        self, encoder: Encoder, reach: int, guide: torch.Tensor, size: tuple[int, int], tile: int
    ) -> None:
        self._encoder, self._reach, self._guide = encoder, reach, guide
        self._size, self._tile = size, tile

    def __iter__(self) -> Iterator[Window]:
        for rows in _bands(self._size[0], self._tile):
            for columns in _bands(self._size[1], self._tile):
                yield self._window(rows, columns)

    def _window(self, rows: range, columns: range) -> Window:
        height, width = self._guide.shape[-2:]
        wanted, seen = [], []
        for asked, n, cells in ((rows, self._size[0], height), (columns, self._size[1], width)):
            wanted.append(cells_needed(asked, n, cells, self._reach))
            seen.append(cells_needed(asked, n, cells, self._reach + self._encoder.reach))
        (top, bottom), (left, right) = (
            (w.start - s.start, w.stop - s.start) for w, s in zip(wanted, seen, strict=True)
        )
        part = self._guide[..., seen[0].start : seen[0].stop, seen[1].start : seen[1].stop]
        return Window(
            features=self._encoder(part)[..., top:bottom, left:right],
            corner=(wanted[0].start, wanted[1].start),
            map_size=(height, width),
            rows=rows,
            columns=columns,
            size=self._size,
        )


def _windows(
    encoder: Encoder, reach: int, guide: torch.Tensor, size: tuple[int, int], tile: int
) -> Iterable[Window]:
    encoded = _Encoded(encoder, reach, guide, size, tile)
    first = next(iter(encoded)).features
    whole = first.shape[1] * first.element_size() * guide.shape[-2] * guide.shape[-1]
    return list(encoded) if whole <= KEPT_BYTES else encoded


def _bands(length: int, tile: int) -> list[range]:
    return [range(start, min(start + tile, length)) for start in range(0, length, tile)]
