"""The Matting Laplacian: how far a picture is from a locally affine recolouring of another.

Sources: A. Levin, D. Lischinski, Y. Weiss (2006), A closed form solution to natural image matting, for
the matrix; F. Luan, S. Paris, E. Shechtman, K. Bala (2017), Deep Photo Style Transfer, CVPR, for its use
as a loss and for the affine filter after it; their smoothing of the affine maps is a
bilateral one of radius 15.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Pixels = npt.NDArray[np.float32]
"""(H, W, 3) sRGB in [0, 1]."""
Array = npt.NDArray[np.float64]


def matting_laplacian(image: Pixels, *, epsilon: float = 1e-7) -> Any:
    """The matrix M (H·W, H·W), sparse CSR of float64, pixels in rows from the top left.

    M_ij is the sum over the 3 × 3 windows k that hold i and j of
    δ_ij - (1 + (I_i - μ_k)ᵀ (Σ_k + ε/9 · 1)⁻¹ (I_j - μ_k)) / 9. It is symmetric, its rows sum to 0,
    it is positive semi-definite, and vᵀMv is 0 (up to ε) for each v that is affine in the colours.

    Args:
        image: the content, at least 3 × 3.
        epsilon: of the windows' covariances.

    Raises:
        ValueError: the image is smaller than a window.
    """
    from scipy import sparse

    height, width = image.shape[:2]
    if height < 3 or width < 3:
        raise ValueError(f"the image is {width}×{height}; the Matting Laplacian needs 3×3 pixels at least")
    windows = _windows(image.astype(np.float64)).reshape(-1, 9, 3)
    centred = windows - windows.mean(axis=1, keepdims=True)
    covariance = centred.swapaxes(1, 2) @ centred / 9
    inverse = np.linalg.inv(covariance + epsilon / 9 * np.eye(3))
    values = np.eye(9) - (1 + centred @ inverse @ centred.swapaxes(1, 2)) / 9  # (windows, 9, 9)
    places = _windows(np.arange(height * width, dtype=np.int32).reshape(height, width, 1)).reshape(-1, 9)
    rows = np.repeat(places, 9, axis=1).ravel()
    columns = np.tile(places, (1, 9)).ravel()
    # Windows overlap: entries at one place are summed in going from triplets to CSR.
    return sparse.coo_matrix((values.ravel(), (rows, columns)), shape=(height * width,) * 2).tocsr()


class MattingEnergy:
    """Σ over channels of vᵀMv of a picture, as a loss with the gradient 2Mv."""

    def __init__(self, content: Pixels, device: torch.device | str = "cpu", *, epsilon: float = 1e-7) -> None:
        matrix = matting_laplacian(content, epsilon=epsilon).tocoo()
        places = torch.from_numpy(np.stack([matrix.row, matrix.col]).astype(np.int64))
        self._matrix = torch.sparse_coo_tensor(
            places, torch.from_numpy(matrix.data), matrix.shape, device=device, check_invariants=False
        ).coalesce()

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(1, 3, H, W) of the content's size → a scalar."""
        energy: torch.Tensor = _Energy.apply(images, self._matrix)
        return energy


class _Energy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        rows = images[0].flatten(1).T.double()  # (H·W, 3)
        product = torch.sparse.mm(matrix, rows)
        ctx.save_for_backward(product)
        ctx.shape, ctx.dtype = images.shape, images.dtype
        energy: torch.Tensor = (rows * product).sum().to(images.dtype)
        return energy

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (product,) = ctx.saved_tensors
        gradient = (2 * gradients[0].double() * product).T.reshape(ctx.shape)
        return gradient.to(ctx.dtype), None


def affine_filter(
    content: Pixels,
    result: Pixels,
    *,
    ridge: float = 1e-3,
    radius: int = 15,
    sigma_space: float = 5.0,
    sigma_range: float = 0.01,
) -> Pixels:
    """The content under local affine maps of colour that come nearest to the result: its noise and rings go.

    Around each pixel, in 3 × 3, the affine map from content to result is found by least squares;
    the maps are smoothed where the content's luminance is alike, and applied to the content.

    Args:
        content: (H, W, 3).
        result: the same picture recoloured, of the same shape.
        ridge: added to the squares of what is solved for beside the identity.
        radius: of the smoothing, in pixels; 0 for none.
        sigma_space: its deviation in pixels.
        sigma_range: its deviation in luminance.

    Returns:
        float32 in [0, 1].
    """
    if content.shape != result.shape:
        raise ValueError(f"content is {content.shape} and result {result.shape}; they must be of one shape")
    maps = _local_maps(content.astype(np.float64), result.astype(np.float64), ridge)  # (H, W, 4, 3)
    if radius:
        maps = _smoothed(maps, content, radius, sigma_space, sigma_range)
    colors = np.concatenate([content, np.ones((*content.shape[:2], 1))], axis=-1)
    return np.asarray(np.clip(np.einsum("hwi,hwij->hwj", colors, maps), 0, 1), np.float32)


def _local_maps(content: Array, result: Array, ridge: float) -> Array:
    """(H, W, 4, 3): of each pixel's window, its departure from the identity held small by the ridge."""
    height, width = content.shape[:2]
    inputs = np.concatenate([content, np.ones((height, width, 1))], axis=-1)
    squares = _summed(np.einsum("hwi,hwj->hwij", inputs, inputs).reshape(height, width, 16))
    products = _summed(np.einsum("hwi,hwj->hwij", inputs, result - content).reshape(height, width, 12))
    normal = squares.reshape(height, width, 4, 4) + ridge * np.eye(4)
    return np.eye(4, 3) + np.linalg.solve(normal, products.reshape(height, width, 4, 3))


def _summed(maps: Array) -> Array:
    """Sums over 3 × 3 windows, the edges repeated."""
    padded = np.pad(maps, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray(rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:])


def _smoothed(maps: Array, content: Pixels, radius: int, sigma_space: float, sigma_range: float) -> Array:
    height, width = content.shape[:2]
    luminance = torch.tensor(content @ np.array([0.2126, 0.7152, 0.0722], np.float32), dtype=torch.float32)
    flat = torch.tensor(maps.reshape(height, width, 12), dtype=torch.float32)
    total, weights = torch.zeros_like(flat), torch.zeros((height, width, 1))
    reach = min(radius, int(3 * sigma_space))  # beyond three deviations nothing is left
    for dy in range(-min(reach, height - 1), min(reach, height - 1) + 1):
        for dx in range(-min(reach, width - 1), min(reach, width - 1) + 1):
            near = float(np.exp(-(dy * dy + dx * dx) / (2 * sigma_space**2)))
            here, there = _shifted(height, dy), _shifted(width, dx)
            to, of = (here[0], there[0]), (here[1], there[1])
            alike = (
                torch.exp(-((luminance[to] - luminance[of]) ** 2) / (2 * sigma_range**2))[..., None] * near
            )
            total[to] += alike * flat[of]
            weights[to] += alike
    return np.asarray((total / weights).numpy().reshape(height, width, 4, 3), np.float64)


def _shifted(length: int, step: int) -> tuple[slice, slice]:
    """Where a shift by `step` falls, and what falls there."""
    return slice(max(0, -step), length - max(0, step)), slice(max(0, step), length - max(0, -step))


def _windows(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W, C) → (H - 2, W - 2, 3, 3, C)."""
    view = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
    return view.transpose(0, 1, 3, 4, 2)
