"""An edit known at a small size, lifted to any size: fit a colour map to it and apply that instead.

A network that edits at a fixed size, or an optimisation that is only affordable on a small
photo, gives a pair (before, after). A LUT fitted to the pair does the same edit at any size
as long as the edit depends on colour alone; a bilateral grid of affine maps also follows
edits that change over the picture, like a vignette. Both are one problem: values on a
regular grid, read by trilinear interpolation, found by least squares with a preference for
smooth departures from the identity. So colours and places that were not seen follow their
neighbours.

Sources: J. Chen, S. Paris, F. Durand (2007), Real-time edge-aware image processing with the
bilateral grid; J. Chen, A. Adams, N. Wadhwa, S. W. Hasinoff (2016), Bilateral guided
upsampling, for fitting affine maps on it by regularised least squares.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

Pixels = npt.NDArray[np.float32]
"""(H, W, 3) sRGB in [0, 1]."""
Array = npt.NDArray[np.float32]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. 709, on encoded values: it only tells where a pixel stands in the grid."""
IDENTITY = np.eye(3, 4, dtype=np.float32)
METHODS = ("lut", "bilateral_grid")
MOST_PIXELS = 2**18
"""That a fit looks at; of larger pictures every second, third, ... pixel is taken."""
TILE_PIXELS = 2**18
"""That are edited at a time, which bounds the memory."""


def fit_lut(
    before: Pixels,
    after: Pixels,
    *,
    size: int = 17,
    smoothness: float = 1e-2,
    pull: float = 1e-4,
) -> Array:
    """The LUT (size, size, size, 3), indexed [red, green, blue], that does the edit best.

    Args:
        before: (H, W, 3) in [0, 1].
        after: the same picture edited, of the same shape.
        size: points of the lattice in each channel, 2 to 65.
        smoothness: weight of the squared second differences along the axes, in units of the
            mean number of pixels at a lattice point.
        pull: weight of the squared first differences of the departure from the identity: where
            nothing was seen, the departure stays what it is at the nearest colours seen.

    Returns:
        float32; trilinear interpolation is what it was fitted for. Not clipped.

    Raises:
        ValueError: the pictures differ in shape or hold what is no number, or the size is out of range.
    """
    _check_pair(before, after)
    if not 2 <= size <= 65:
        raise ValueError(f"size is {size}; a LUT has from 2 to 65 points in each channel")
    before, after = _thinned(before), _thinned(after)
    colors = before.reshape(-1, 3)
    departure = _fit_grid(
        np.clip(colors, 0, 1) * (size - 1),
        np.ones((len(colors), 1), np.float32),
        after.reshape(-1, 3) - colors,
        shape=(size, size, size),
        smoothness=smoothness,
        pull=pull,
        tolerance=1e-7,  # far from what was seen the equations are weak
    )
    return identity_lut(size) + departure.reshape(size, size, size, 3)


def fit_bilateral_grid(
    before: Pixels,
    after: Pixels,
    *,
    shape: tuple[int, int, int] = (12, 12, 8),
    smoothness: float = 3e-3,
    pull: float = 1e-4,
) -> Array:
    """Affine colour maps (*shape, 3, 4) over height, width and luma that do the edit best.

    Args:
        before: (H, W, 3) in [0, 1].
        after: the same picture edited, of the same shape.
        shape: points of the grid along height, width and luma, each from 2 to 64.
        smoothness: as in `fit_lut`.
        pull: as in `fit_lut`.

    Returns:
        float32: output = grid[…, :3] @ (r, g, b) + grid[…, 3], the grid read by trilinear interpolation.

    Raises:
        ValueError: as in `fit_lut`.
    """
    _check_pair(before, after)
    if not all(2 <= n <= 64 for n in shape):
        raise ValueError(f"shape is {tuple(shape)}; a bilateral grid has from 2 to 64 points along each axis")
    height, width = before.shape[:2]
    places = _places(height, width, shape)
    before, after, places = _thinned(before), _thinned(after), _thinned(places)
    colors = before.reshape(-1, 3)
    depth = np.clip(colors @ LUMA, 0, 1) * np.float32(shape[2] - 1)
    departure = _fit_grid(
        np.concatenate([places.reshape(-1, 2), depth[:, None]], axis=1),
        np.concatenate([colors, np.ones((len(colors), 1), np.float32)], axis=1),
        after.reshape(-1, 3) - colors,
        shape=shape,
        smoothness=smoothness,
        pull=pull,
        tolerance=1e-5,
    )  # (points, 4, 3)
    return IDENTITY + departure.swapaxes(1, 2).reshape(*shape, 3, 4)


def apply_lut(image: Pixels, table: Array) -> Pixels:
    """Look every colour of (H, W, 3) up by trilinear interpolation, clipped to [0, 1], in row tiles."""
    if table.ndim != 4 or table.shape[3] != 3 or len(set(table.shape[:3])) != 1:
        raise ValueError(f"a LUT has the shape (n, n, n, 3), not {table.shape}")
    volume = torch.tensor(table, dtype=torch.float32).permute(3, 0, 1, 2)[None]  # (1, 3, r, g, b)

    def look_up(tile: torch.Tensor, top: int) -> torch.Tensor:
        # grid_sample takes the last axis of the volume first.
        at = (2 * tile.clamp(0, 1) - 1).flip(-1)[None, None]
        return _sampled(volume, at)[0, :, 0].permute(1, 2, 0)

    return _in_tiles(image, look_up)


def through_table(image: Pixels, table: Array) -> Pixels:
    """A table over a whole photo, then clipped: by OpenColorIO where it is installed, else by torch, in the same way."""
    if find_spec("PyOpenColorIO") is None:
        return apply_lut(image, table)
    from variants.tone.lut_engine import apply
    from variants.tone.luts import Lut3D

    looked_up: Pixels = apply(np.asarray(image, np.float32), Lut3D(table=table), "trilinear")
    return np.clip(looked_up, 0, 1, out=looked_up)


def apply_bilateral_grid(image: Pixels, grid: Array) -> Pixels:
    """Slice the grid (gy, gx, gz, 3, 4) at every pixel of (H, W, 3), clipped to [0, 1], in row tiles."""
    if grid.ndim != 5 or grid.shape[3:] != (3, 4):
        raise ValueError(f"a bilateral grid has the shape (height, width, luma, 3, 4), not {grid.shape}")
    volume = torch.tensor(grid.reshape(*grid.shape[:3], 12), dtype=torch.float32).permute(3, 0, 1, 2)[None]
    luma = torch.from_numpy(LUMA)
    height, width = image.shape[:2]
    x = (2 * torch.arange(width, dtype=torch.float32) + 1) / width - 1

    def slice_grid(tile: torch.Tensor, top: int) -> torch.Tensor:
        rows = torch.arange(top, top + len(tile), dtype=torch.float32)
        y = ((2 * rows + 1) / height - 1)[:, None].expand(tile.shape[:2])
        z = 2 * (tile @ luma).clamp(0, 1) - 1
        at = torch.stack([z, x.expand_as(z), y], dim=-1)[None, None]
        maps = _sampled(volume, at)[0, :, 0].permute(1, 2, 0).reshape(*tile.shape[:2], 3, 4)
        return (maps[..., :3] * tile[..., None, :]).sum(-1) + maps[..., 3]

    return _in_tiles(image, slice_grid)


def lift(before: Pixels, after: Pixels, image: Pixels, *, method: str = "lut") -> Pixels:
    """Do at the image's size what was done from `before` to `after`.

    Args:
        before: (h, w, 3), the image reduced.
        after: the same edited.
        image: (H, W, 3), of any size.
        method: lut or bilateral_grid.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; it must be one of {', '.join(METHODS)}")
    if method == "lut":
        return apply_lut(image, fit_lut(before, after))
    return apply_bilateral_grid(image, fit_bilateral_grid(before, after))


def identity_lut(size: int) -> Array:
    """(size, size, size, 3): the table that changes nothing."""
    axis = np.linspace(0, 1, size, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)


def _fit_grid(
    at: Array,
    features: Array,
    wanted: Array,
    *,
    shape: tuple[int, int, int],
    smoothness: float,
    pull: float,
    tolerance: float,
) -> Array:
    """Coefficients (points, f, 3) whose interpolation, times the features, comes nearest to what is wanted.

    Args:
        at: (n, 3), where each sample stands, in steps of the grid.
        features: (n, f).
        wanted: (n, 3).
        shape: of the grid.
        smoothness: weight of second differences.
        pull: weight of first differences.
        tolerance: of the conjugate gradients' residual, relative.
    """
    from scipy import sparse
    from scipy.sparse.linalg import cg

    n_points, f = int(np.prod(shape)), features.shape[1]
    matrix, right = _normal_equations(at, features, wanted, shape)
    unit = len(at) / n_points
    # The last term keeps the equations regular where nothing else holds a value.
    penalty = unit * 1e-8 * sparse.identity(n_points)
    for axis in range(3):
        penalty = penalty + unit * smoothness * _squared_differences(shape, axis, 2)
        penalty = penalty + unit * pull * _squared_differences(shape, axis, 1)
    matrix = (matrix + sparse.kron(penalty, sparse.identity(f))).tocsr()
    inverse_diagonal = sparse.diags(1 / matrix.diagonal())
    solved = np.zeros_like(right)
    for channel in range(3):
        solved[:, channel], _ = cg(
            matrix, right[:, channel], rtol=tolerance, maxiter=2000, M=inverse_diagonal
        )
    return solved.reshape(n_points, f, 3).astype(np.float32)


def _normal_equations(
    at: Array, features: Array, wanted: Array, shape: tuple[int, int, int]
) -> tuple[Any, npt.NDArray[np.float64]]:
    """XᵀX, sparse (points·f, points·f), and Xᵀ·wanted, one dense product for each cell of the grid."""
    from scipy import sparse

    f, top = features.shape[1], np.array(shape) - 2
    corner = np.minimum(at.astype(np.int64), top)
    part = at - corner
    cell = (corner[:, 0] * shape[1] + corner[:, 1]) * shape[2] + corner[:, 2]
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    steps = np.array([(i * shape[1] + j) * shape[2] + k for i in (0, 1) for j in (0, 1) for k in (0, 1)])
    sides = [np.stack([1 - part[:, axis], part[:, axis]], axis=1) for axis in range(3)]
    weights = np.einsum("ni,nj,nk->nijk", *sides).reshape(-1, 8)
    rows = (weights[:, :, None] * features[:, None, :]).reshape(-1, 8 * f)[order]
    ordered = wanted[order]
    right = np.zeros((int(np.prod(shape)) * f, 3))
    blocks = np.empty((len(cells), 8 * f, 8 * f))
    places = ((cells[:, None] + steps)[:, :, None] * f + np.arange(f)).reshape(len(cells), 8 * f)
    ends = np.append(starts[1:], len(order))
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        x = rows[start:end]
        blocks[number] = x.T @ x
        right[places[number]] += x.T @ ordered[start:end]
    row, column = np.broadcast_arrays(places[:, :, None], places[:, None, :])
    matrix = sparse.coo_matrix((blocks.ravel(), (row.ravel(), column.ravel())), shape=(len(right),) * 2)
    return matrix.tocsr(), right


def _squared_differences(shape: tuple[int, int, int], axis: int, order: int) -> Any:
    """DᵀD of the differences along one axis of the grid; of second ones none where the axis is too short."""
    from scipy import sparse

    along = sparse.identity(shape[axis])
    for _ in range(min(order, shape[axis] - 1)):
        n = along.shape[0]
        along = sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) @ along
    parts = [along if number == axis else sparse.identity(n) for number, n in enumerate(shape)]
    difference = sparse.kron(sparse.kron(parts[0], parts[1]), parts[2])
    return difference.T @ difference


def _sampled(volume: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    return F.grid_sample(volume, at, mode="bilinear", padding_mode="border", align_corners=True)


def _in_tiles(image: Pixels, edit: Callable[[torch.Tensor, int], torch.Tensor]) -> Pixels:
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"an image has the shape (height, width, 3), not {image.shape}")
    edited = np.empty(image.shape, np.float32)
    rows = max(1, TILE_PIXELS // image.shape[1])
    with torch.inference_mode():
        for top in range(0, len(image), rows):
            tile = torch.tensor(image[top : top + rows], dtype=torch.float32)
            edited[top : top + rows] = edit(tile, top).clamp(0, 1).numpy()
    return edited


def _places(height: int, width: int, shape: tuple[int, int, int]) -> Array:
    """(height, width, 2): rows and columns of pixel centres in steps of the grid."""
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * (shape[0] - 1)
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * (shape[1] - 1)
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


def _thinned(image: Array) -> Array:
    step = 1
    while -(-image.shape[0] // step) * -(-image.shape[1] // step) > MOST_PIXELS:
        step += 1
    return image[::step, ::step]


def _check_pair(before: Pixels, after: Pixels) -> None:
    if before.ndim != 3 or before.shape[2] != 3 or not before.size:
        raise ValueError(f"before has the shape {before.shape}; it must be (height, width, 3)")
    if before.shape != after.shape:
        raise ValueError(
            f"before has the shape {before.shape} and after {after.shape}; they must be the same"
        )
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("before or after holds values that are no numbers; there is nothing to fit to them")
