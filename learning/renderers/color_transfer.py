"""Colour transfer from statistics alone: no network, no training, one map of colours.

Three ways to bring the colours of one picture to the distribution of another's: mean and
deviation of each CIELAB channel, the linear map that is the optimal transport between
two normal distributions, and transport along random directions.

Sources: E. Reinhard, M. Ashikhmin, B. Gooch, P. Shirley (2001), Color transfer between images (here in
CIELAB instead of lαβ); F. Pitié, A. Kokaram (2007), The linear Monge-Kantorovitch linear colour
mapping for example-based colour transfer; F. Pitié, A. Kokaram, R. Dahyot (2007), Automated
colour grading using colour distribution transfer, for the random directions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from variants.tone.color import lab_to_srgb, srgb_to_lab

Array = npt.NDArray[np.float64]
Colors = npt.NDArray[np.floating]
"""(n, 3) sRGB in [0, 1]."""
ColorMap = Callable[[Colors], Array]
"""(n, 3) → (n, 3); what it gives may leave [0, 1], see `fitted_to_range`."""
LUMA = np.array([0.2126, 0.7152, 0.0722])
"""Rec. 709, on encoded values."""
FLAT = 1e-10
"""A variance below this is none: five orders below what rounding to 8 bits makes."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LinearMap:
    """x → matrix · (x - before) + after."""

    matrix: Array  # (3, 3)
    before: Array  # (3,)
    after: Array  # (3,)

    def __call__(self, colors: Colors) -> Array:
        return np.asarray((colors - self.before) @ self.matrix.T + self.after)


def monge_kantorovich(colors: Colors, wanted: Colors, *, max_gain: float | None = None) -> LinearMap:
    """The linear map that gives colours the mean and covariance of others and moves them least.

    A = C^-½ (C^½ S C^½)^½ C^-½ for covariances C and S. Directions in which the colours do
    not vary at all (a grey picture) stay without variance.

    Args:
        colors: (n, 3).
        wanted: (m, 3).
        max_gain: largest stretch in any direction, so that noise and the steps of 8 bits are not blown up;
            None: as the statistics ask, exactly.
    """
    (before, covariance), (after, target) = _moments(colors), _moments(wanted)
    root, inverse = _roots(covariance)
    matrix = inverse @ _roots(root @ target @ root)[0] @ inverse
    if max_gain is not None:
        stretches, axes = np.linalg.eigh(matrix)
        matrix = (axes * np.minimum(stretches, max_gain)) @ axes.T
    return LinearMap(matrix=matrix, before=before, after=after)


def reinhard(colors: Colors, wanted: Colors, *, max_gain: float | None = None) -> ColorMap:
    """Mean and deviation of each CIELAB channel become those of others.

    Args:
        colors: (n, 3).
        wanted: (m, 3).
        max_gain: as for `monge_kantorovich`.
    """
    own, other = (srgb_to_lab(np.asarray(rows, np.float64)) for rows in (colors, wanted))
    deviations = own.std(axis=0)
    # Below a thousandth of a Lab unit there is no deviation but rounding, and nothing to scale.
    gains = np.where(deviations > 1e-3, other.std(axis=0) / np.maximum(deviations, 1e-3), 1.0)
    if max_gain is not None:
        gains = np.minimum(gains, max_gain)
    before, after = own.mean(axis=0), other.mean(axis=0)

    def apply(rows: Colors) -> Array:
        lab = srgb_to_lab(np.asarray(rows, np.float64))
        return np.asarray(lab_to_srgb((lab - before) * gains + after))

    return apply


def sliced_transport(colors: Colors, wanted: Colors, *, iterations: int = 20, seed: int = 0) -> Array:
    """Colours moved until they are distributed as others: channel by channel, then along random axes.

    Args:
        colors: (n, 3).
        wanted: (m, 3); its quantiles are what is matched, so n and m may differ.
        iterations: random bases; each matches three directions exactly.
        seed: of the bases.

    Returns:
        (n, 3), row by row where each colour went.
    """
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; it must be 0 or more")
    moved = np.array(colors, np.float64)
    rng = np.random.default_rng(seed)
    for number in range(iterations + 1):
        basis = np.eye(3) if number == 0 else np.linalg.qr(rng.normal(size=(3, 3)))[0]
        projected, target = moved @ basis, np.asarray(wanted, np.float64) @ basis
        for axis in range(3):
            projected[:, axis] = _matched(projected[:, axis], target[:, axis])
        moved = projected @ basis.T
    return moved


def fitted_to_range(colors: Colors) -> Array:
    """Into [0, 1] without a change of hue: luma is clipped, and chroma shrinks as far as it must.

    Clipping channel by channel would turn bright skies and deep shadows to another hue.
    """
    luma = colors @ LUMA
    kept = np.clip(luma, 0, 1)[:, None]
    chroma = colors - luma[:, None]
    room = np.where(chroma > 0, 1 - kept, kept)
    scale = np.min(np.where(np.abs(chroma) > room, room / np.maximum(np.abs(chroma), 1e-12), 1.0), axis=1)
    return np.asarray(np.clip(kept + scale[:, None] * chroma, 0, 1))


def without_frame(photo: npt.NDArray[np.float32], *, largest: float = 0.25) -> npt.NDArray[np.float32]:
    """Cut off borders of one colour (a mat, a film's edge), which would pass for the photo's style.

    Args:
        photo: (H, W, 3) in [0, 1].
        largest: of each side's length a border may have; a larger even area is part of the picture, and
            then the whole photo is kept.
    """
    height, width = photo.shape[:2]
    sides = [photo, photo[::-1], photo.swapaxes(0, 1), photo.swapaxes(0, 1)[::-1]]
    top, bottom, left, right = (_even_lines(side) for side in sides)
    too_large = max(top, bottom) > largest * height or max(left, right) > largest * width
    if too_large or height - top - bottom < 1 or width - left - right < 1:
        return photo
    return photo[top : height - bottom, left : width - right]


def _even_lines(photo: npt.NDArray[np.float32]) -> int:
    """How many of the first lines have one colour, the same in all of them."""
    first = photo[0].mean(axis=0)
    # Two levels of 8 bits: more than JPEG makes of an even mat, less than any sky has.
    even = (np.abs(photo - first) <= 2.5 / 255).all(axis=(1, 2))
    return len(photo) if even.all() else int(np.argmin(even))


def _matched(values: Array, target: Array) -> Array:
    """Each value's quantile among them, looked up among the target's."""
    order = np.argsort(values, kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = (np.arange(len(values)) + 0.5) / len(values)
    ordered = values[order]
    # Equal values stay equal: all of them take the middle of their ranks.
    starts = np.flatnonzero(np.concatenate([[True], np.diff(ordered) > 0]))
    lengths = np.diff(np.append(starts, len(values)))
    means = (starts + lengths / 2) / len(values)
    ranks[order] = np.repeat(means, lengths)
    return np.interp(ranks, (np.arange(len(target)) + 0.5) / len(target), np.sort(target))


def _moments(rows: Colors) -> tuple[Array, Array]:
    rows = np.asarray(rows, np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    return mean, centred.T @ centred / len(rows)


def _roots(matrix: Array) -> tuple[Array, Array]:
    """Square root of a covariance and its inverse, which is 0 where the matrix is."""
    values, axes = np.linalg.eigh((matrix + matrix.T) / 2)
    roots = np.sqrt(np.maximum(values, 0))
    inverse = np.where(values > FLAT, 1 / np.sqrt(np.maximum(values, FLAT)), 0)
    return (axes * roots) @ axes.T, (axes * inverse) @ axes.T
