"""Whether pictures of one scene lie on each other, and the homography that brings them there.

Coordinates are (x, y) in pixels with the origin at the outer corner of the first pixel, whose
centre is (0.5, 0.5): so scaling a picture scales its coordinates. A homography is
(3, 3), acts on (x, y, 1), and ends in 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from variants.tone.color import LUMINANCE
from variants.tone.images import Pixels, fit_long_side, fit_size

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Size = tuple[int, int]
"""Width and height in pixels."""

COMPARED_AT = 384
"""Long side in pixels at which two pictures' structure is compared."""
MAX_SHIFT = 0.004
"""Of the long side: what lies farther off is seen as a jump when two pictures change places (4 pixels of 1080)."""
MIN_SIMILARITY = 0.75
"""Correlation of two pictures' structure. On 45 photos tone edits have 0.95 and more, a crop by 2 % on each side at most 0.65."""
FEATURES_AT = 800
"""Long side in pixels at which features are looked for."""
MIN_INLIERS = 25
MAX_ERROR = 0.002
"""Of the long side: root mean square of how far matched features lie off the homography."""


class AlignmentError(ValueError):
    """Two pictures that cannot be brought onto each other; the message says how far it came."""


@dataclass(frozen=True, kw_only=True)
class Offset:
    """How two pictures of one shape lie on each other."""

    shift: float
    """How far one has to be moved, as a part of the long side."""
    similarity: float
    """Correlation of their structure as they lie, -1 to 1."""

    @property
    def is_aligned(self) -> bool:
        return self.shift <= MAX_SHIFT and self.similarity >= MIN_SIMILARITY


@dataclass(frozen=True, kw_only=True, eq=False)
class Registration:
    matrix: Matrix
    """(3, 3): from the reference's pixels to the other's."""
    inliers: int
    error: float
    """Root mean square distance of the inliers, in pixels of the other picture."""


def offset_between(one: Pixels, other: Pixels) -> Offset:
    """Compare the structure of two pictures, whatever their tones and sizes, as if they had one shape."""
    from scipy.fft import fft2, ifft2

    height, width = one.shape[:2]
    scale = COMPARED_AT / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    first, second = (_structure(fit_size(pixels, size)) for pixels in (one, other))
    similarity = float(np.mean(first * second))
    window = np.hanning(size[1])[:, None] * np.hanning(size[0])
    product = fft2(first * window) * np.conj(fft2(second * window))
    surface = np.real(ifft2(product / (np.abs(product) + 1e-12)))
    y, x = np.unravel_index(int(np.argmax(surface)), surface.shape)
    dy, dx = (int(v) if v <= n // 2 else int(v) - n for v, n in zip((y, x), surface.shape, strict=True))
    return Offset(shift=math.hypot(dx, dy) / max(size), similarity=similarity)


def register(reference: Pixels, other: Pixels, seed: int = 0) -> Registration:
    """Find the homography from one picture to another of the same scene by SIFT features and RANSAC.

    Raises:
        AlignmentError: too few features agree, they agree too loosely, or only on something absurd.
    """
    from skimage.feature import match_descriptors
    from skimage.measure import ransac
    from skimage.transform import ProjectiveTransform

    (points_a, features_a), (points_b, features_b) = (_features(pixels) for pixels in (reference, other))
    matches = np.zeros((0, 2), dtype=int)
    if len(features_a) and len(features_b):
        matches = match_descriptors(features_a, features_b, max_ratio=0.8, cross_check=True)  # type: ignore[no-untyped-call]
    if len(matches) < MIN_INLIERS:
        raise AlignmentError(
            f"only {len(matches)} features were found in both; at least {MIN_INLIERS} are needed"
        )
    source, target = points_a[matches[:, 0]], points_b[matches[:, 1]]
    long_side = max(other.shape[:2])
    model, inliers = ransac(  # type: ignore[no-untyped-call]
        (source, target),
        ProjectiveTransform,
        min_samples=4,
        residual_threshold=2 * MAX_ERROR * long_side,
        max_trials=2000,
        rng=seed,
    )
    count = int(np.sum(inliers)) if inliers is not None else 0
    if count < MIN_INLIERS:
        raise AlignmentError(
            f"only {count} of {len(matches)} matched features agree on a place; at least {MIN_INLIERS} are needed"
        )
    matrix = np.asarray(model.params, dtype=np.float64) / model.params[2, 2]
    error = float(np.sqrt(np.mean(model.residuals(source[inliers], target[inliers]) ** 2)))
    if error > MAX_ERROR * long_side:
        raise AlignmentError(
            f"its features lie {error:.1f} pixels off; at most {MAX_ERROR * long_side:.1f} are taken"
        )
    _check_plausible(matrix, reference)
    return Registration(matrix=matrix, inliers=count, error=error)


def shared_crop(size: Size, others: list[tuple[Matrix, Size]]) -> tuple[int, int, int, int]:
    """The largest upright rectangle of the reference that every other picture shows too.

    Args:
        size: Of the reference.
        others: For each other picture the homography to it, and its size.

    Returns:
        left, top, right, bottom in pixels of the reference; right and bottom are outside.

    Raises:
        AlignmentError: less than a quarter of the reference is shown by all.
    """
    width, height = size
    cell = max(1.0, max(size) / 400)
    columns, rows = math.floor(width / cell), math.floor(height / cell)
    # Corners of the cells: a cell is shown when its four corners are.
    x, y = np.meshgrid(np.arange(columns + 1) * cell, np.arange(rows + 1) * cell)
    shown = np.ones(x.shape, dtype=bool)
    for matrix, (other_width, other_height) in others:
        at = project(matrix, np.stack([x, y], axis=-1))
        shown &= (at >= 0).all(-1) & (at[..., 0] <= other_width) & (at[..., 1] <= other_height)
    cells = shown[:-1, :-1] & shown[1:, :-1] & shown[:-1, 1:] & shown[1:, 1:]
    left, top, right, bottom = _largest_rectangle(cells)
    if (right - left) * (bottom - top) < 0.25 * cells.size:
        raise AlignmentError(
            f"only {(right - left) * (bottom - top) / cells.size:.0%} of the scene is in all pictures; 25 % are needed"
        )
    return math.ceil(left * cell), math.ceil(top * cell), math.floor(right * cell), math.floor(bottom * cell)


def project(matrix: Matrix, points: np.ndarray[Any, Any]) -> Matrix:
    """Where a homography takes points (..., 2)."""
    at = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(at[..., :2] / at[..., 2:], dtype=np.float64)


def scale_of(matrix: Matrix, size: Size) -> float:
    """Pixels of the target for one pixel of the source, in the middle of a source of this size."""
    x, y = size[0] / 2, size[1] / 2
    middle, right, below = project(matrix, np.array([[x, y], [x + 1, y], [x, y + 1]]))
    return math.sqrt(abs(float(np.linalg.det(np.stack([right - middle, below - middle])))))


def warp(pixels: Pixels, matrix: Matrix, size: Size) -> Pixels:
    """What a picture shows at `size`, pixel for pixel where the homography says: (H, W, 3).

    The picture is scaled down first where it has more pixels than are wanted (Lanczos), and then
    looked up by bicubic interpolation.
    """
    scale = scale_of(matrix, size)
    if scale > 1:
        height, width = pixels.shape[:2]
        pixels = fit_size(pixels, (max(1, round(width / scale)), max(1, round(height / scale))))
        matrix = np.diag([pixels.shape[1] / width, pixels.shape[0] / height, 1.0]) @ matrix
    numbers = tuple((matrix / matrix[2, 2]).ravel()[:8].tolist())
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[..., c])).transform(
            size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC
        )
        for c in range(3)
    ]
    return np.clip(np.stack([np.asarray(channel) for channel in channels], axis=-1), 0, 1)  # type: ignore[no-any-return]


def _structure(pixels: Pixels) -> Matrix:
    """Luma with its local mean taken off and its local contrast made equal: what tone edits leave."""
    from scipy.ndimage import gaussian_filter

    luma = np.sqrt(np.clip(pixels.astype(np.float64) @ LUMINANCE, 0, 1))
    detail = gaussian_filter(luma, 1) - gaussian_filter(luma, 8)
    contrast = np.sqrt(gaussian_filter(detail * detail, 8))
    even = detail / (contrast + 0.01)
    even -= even.mean()
    return np.asarray(even / max(float(even.std()), 1e-9))


def _features(pixels: Pixels) -> tuple[Matrix, np.ndarray[Any, Any]]:
    """SIFT's points, (n, 2) as (x, y) in the picture's own pixels, and their descriptors."""
    from skimage.feature import SIFT

    small = fit_long_side(pixels, FEATURES_AT)
    luma = (small @ LUMINANCE.astype(np.float32)).astype(np.float32)
    sift = SIFT(upsampling=1)  # type: ignore[no-untyped-call]
    try:
        sift.detect_and_extract(luma)  # type: ignore[no-untyped-call]
    except RuntimeError:  # what it says of a picture without any features
        return np.zeros((0, 2)), np.zeros((0, 128), dtype=np.uint8)
    scale = np.array([pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]])
    return (np.asarray(sift.keypoints)[:, ::-1] + 0.5) * scale, np.asarray(sift.descriptors)


def _check_plausible(matrix: Matrix, reference: Pixels) -> None:
    """A camera beside another sees the scene neither mirrored, nor folded, nor eight times as large."""
    height, width = reference.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=float)
    depth = corners @ matrix[2, :2] + matrix[2, 2]
    at = project(matrix, corners)
    edges = np.roll(at, -1, axis=0) - at
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if (depth <= 0).any() or (turns <= 0).any() or not 1 / 8 < scale_of(matrix, (width, height)) < 8:
        raise AlignmentError("the features agree only on a view that no camera has")


def _largest_rectangle(cells: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the largest rectangle of true cells (largest area under a histogram, by row)."""
    best, area = (0, 0, 0, 0), 0
    heights = np.zeros(cells.shape[1] + 1, dtype=int)
    for row, line in enumerate(cells):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        stack: list[tuple[int, int]] = []  # (first column, height), heights rising
        for column, height in enumerate(heights.tolist()):
            start = column
            while stack and stack[-1][1] >= height:
                start, high = stack.pop()
                if high * (column - start) > area:
                    best, area = (start, row + 1 - high, column, row + 1), high * (column - start)
            stack.append((start, height))
    return best
