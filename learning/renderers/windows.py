"""Parts of a photo's answer: which cells of a feature map each asked pixel stands between.

A map of features lies over the photo like a grid of cells; a pixel is answered from the four
cells whose centres are nearest. Rows and columns are worked out apart, in double precision:
a part of the photo gets the very numbers that the whole would.

Source: Y. Chen, S. Liu, X. Wang (2021), Learning Continuous Image Representation with Local
Implicit Image Function, CVPR (pixel centres, the four shifts, the ensemble's areas).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

QUERIES_AT_ONCE = 30_000
SHIFT = 1e-6
"""Added to a shifted coordinate, so that one on the border of two cells is always in the later one."""
LEAST_AREA = 1e-9
"""Added to each side of a rectangle, so that at the photo's edge, where a side is 0, the other still counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """For n asked rows (or columns), the cell before and the cell after each."""

    cells: torch.Tensor
    """(2, n) whole numbers, in the window's own features."""
    offsets: torch.Tensor
    """(2, n): the way from the cell's centre, in half cells."""
    weights: torch.Tensor
    """(2, n), summing to 1: each cell's part is the distance to the other one."""

    def merged(self) -> "Axis":
        """At the photo's edge both cells are the same: the first then has all the weight."""
        same = self.cells[0] == self.cells[1]
        weights = torch.where(same, torch.tensor([[1.0], [0.0]], device=same.device), self.weights)
        return replace(self, weights=weights)

    @property
    def local(self) -> torch.Tensor:
        """(n,) from 0, the centre of the cell before, to below 1, the centre of the cell after."""
        return (self.offsets[0] / 2).clamp(0, 1 - SHIFT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Asked pixels, and the part of the feature map that their answers hang on."""

    features: torch.Tensor
    """(B, C, h, w)."""
    corner: tuple[int, int]
    """Row and column of the first of these features in the whole map."""
    map_size: tuple[int, int]
    """Of the whole feature map."""
    rows: range
    columns: range
    """The asked pixels."""
    size: tuple[int, int]
    """Of the whole answer."""

    @classmethod
    def whole(cls, features: torch.Tensor, size: tuple[int, int]) -> "Window":
        """All pixels of an answer of this size."""
        height, width = features.shape[-2:]
        return cls(
            features=features,
            corner=(0, 0),
            map_size=(height, width),
            rows=range(size[0]),
            columns=range(size[1]),
            size=size,
        )

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), len(self.columns)

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of an asked pixel, in half cells of the map."""
        (rows, columns), (height, width) = self.map_size, self.size
        return 2 * rows / height, 2 * columns / width

    def axes(self) -> tuple[Axis, Axis]:
        """Of the rows and of the columns."""
        row, column = (
            axis(asked, n, cells, start=start, device=self.features.device)
            for asked, n, cells, start in zip(
                (self.rows, self.columns), self.size, self.map_size, self.corner, strict=True
            )
        )
        return row, column

    def in_pieces(self, queries: int) -> Iterator["Window"]:
        """The window in bands of whole rows, each of at most so many pixels, but of one row at least."""
        at_once = max(1, queries // (len(self.columns) * len(self.features)))
        for start in range(0, len(self.rows), at_once):
            yield replace(self, rows=self.rows[start : start + at_once])


def axis(asked: range, n: int, cells: int, *, start: int = 0, device: torch.device | None = None) -> Axis:
    """Where pixels `asked` of `n` along one axis stand among `cells` cells that span the same length.

    `start` is the number of the first cell that the caller has; cells are counted from there.
    """
    at = pixel_centres(n)[asked.start : asked.stop]
    shifts = torch.tensor([[-1.0], [1.0]], dtype=torch.float64) / cells
    shifted = (at + shifts + SHIFT).clamp(-1 + SHIFT, 1 - SHIFT)
    found = ((shifted + 1) / 2 * cells).floor().long().clamp(max=cells - 1)
    offsets = (at - pixel_centres(cells)[found]) * cells
    areas = offsets.abs() + LEAST_AREA
    return Axis(
        cells=(found - start).to(device),
        offsets=offsets.float().to(device),
        weights=(areas.flip(0) / areas.sum(0)).float().to(device),
    )


def pixel_centres(n: int) -> torch.Tensor:
    """(n,) in double precision: -1 + (2i + 1) / n, so that the image spans -1 to 1."""
    return -1 + (2 * torch.arange(n, dtype=torch.float64) + 1) / n


def cells_needed(asked: range, n: int, cells: int, reach: int) -> range:
    """The cells that these pixels hang on, with `reach` more on both sides where the map has them."""
    found = axis(asked, n, cells).cells
    return range(max(0, int(found.min()) - reach), min(cells, int(found.max()) + 1 + reach))
