"""Structural similarity with a Gaussian window, as scikit-image computes it.

Equal to `skimage.metrics.structural_similarity(x, y, gaussian_weights=True, sigma=1.5,
use_sample_covariance=False, data_range=1, channel_axis=-1)`: an 11 × 11 window, the mean
over all pixels but a border of 5 and over the channels.

References:
    Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli (2004), "Image quality
    assessment: from error visibility to structural similarity", IEEE TIP 13(4).
"""

from collections.abc import Iterator

import torch

RADIUS, SIGMA = 5, 1.5
C1, C2 = 0.01**2, 0.03**2
BLOCK = 64

Moments = tuple[torch.Tensor, ...]
"""What SSIM needs of a batch of images: the images as planes (B, 3, H, W), and where the whole
window fits (B, 3, H - 10, W - 10) their local means and variances."""


def moments(images: torch.Tensor) -> Moments:
    """Of images (B, H, W, 3) in [0, 1]; measured once, whatever they are compared with."""
    planes = images.movedim(-1, 1).contiguous()
    mean = _windowed(planes)
    return planes, mean, _windowed(planes * planes).sub_(mean * mean)


def ssim(first: Moments, second: Moments) -> torch.Tensor:
    """Mean SSIM of each image of `first` to the same of `second`, shape (B,)."""
    planes1, mean1, variance1 = first
    planes2, mean2, variance2 = second
    product = mean1 * mean2
    covariance = _windowed(planes1 * planes2).sub_(product)
    squares = (mean1 * mean1).addcmul_(mean2, mean2)
    above = product.mul_(2).add_(C1).mul_(covariance.mul_(2).add_(C2))
    below = squares.add_(C1).mul_((variance1 + variance2).add_(C2))
    return above.div_(below).flatten(1).mean(1)


def _windowed(planes: torch.Tensor) -> torch.Tensor:
    """Gaussian means of every plane, without the border where the window does not fit.

    A product with a banded matrix along each axis, in blocks that leave little of the
    band empty: on a CPU ten times faster than the same convolutions.
    """
    batch, channels, height, width = planes.shape
    if min(height, width) <= 2 * RADIUS:
        raise ValueError(f"SSIM needs images of at least 11 × 11 pixels, not {width} × {height}")
    band = _band(planes)
    rows = planes.reshape(-1, width)
    along = planes.new_empty(len(rows), width - 2 * RADIUS)
    for start, size in _blocks(width - 2 * RADIUS):
        window = band[: size + 2 * RADIUS, :size]
        along[:, start : start + size] = rows[:, start : start + size + 2 * RADIUS] @ window
    along = along.view(batch * channels, height, -1)
    both = planes.new_empty(len(along), height - 2 * RADIUS, along.shape[2])
    for start, size in _blocks(height - 2 * RADIUS):
        window = band[: size + 2 * RADIUS, :size].T
        both[:, start : start + size] = window @ along[:, start : start + size + 2 * RADIUS]
    return both.view(batch, channels, *both.shape[1:])


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    """(start, size) of stretches that cover `length`."""
    for start in range(0, length, BLOCK):
        yield start, min(BLOCK, length - start)


def _band(like: torch.Tensor) -> torch.Tensor:
    """(BLOCK + 10, BLOCK): column j holds the window's weights in rows j to j + 10."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=like.dtype, device=like.device)
    weights = torch.exp(-0.5 * (offsets / SIGMA) ** 2)
    weights /= weights.sum()
    column = torch.arange(BLOCK, device=like.device)
    band = like.new_zeros(BLOCK + 2 * RADIUS, BLOCK)
    for row, weight in enumerate(weights):
        band[column + row, column] = weight
    return band
