"""Whether an edit still shows what the photo shows, whatever it did to the tones."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from variants.tone.color import LUMINANCE
from variants.tone.images import Pixels, fit_size

Plane = np.ndarray[Any, np.dtype[np.float64]]

COMPARED_AT = 320
"""Long side in pixels: what a decoder makes of fine texture is not looked at, a shift by a hundredth is."""
FINE, COARSE, WINDOW = 1.0, 6.0, 8.0
"""Standard deviations of Gaussians in pixels of that size: edges are what lies between the first two; a window holds
about 2 % of the picture."""
FAINT = 4e-4
"""Energy of edges, in squares of encoded luma, that counts for little: a contrast of 2 %."""
MAX_GAIN = 3.0
"""By which factor an edit may make local contrast larger or smaller, beside what it does to tones, and still be the same."""
DEGREE = 3
"""Of the polynomial that stands for what an edit does to tones."""
MIN_LIKENESS = 0.76
"""Of the window that is least alike; see docs/sources.md for what was measured."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    likeness: float
    """Of the edges in the window that is least alike, -1 to 1: 1 where only tones differ."""
    mean: float
    """Of the edges in all windows."""
    at: tuple[float, float]
    """Where that window's middle is: parts of the width from the left and of the height from the top."""

    @property
    def fault(self) -> str:
        """Why the edit is not taken; "" where it is."""
        if self.likeness >= MIN_LIKENESS:
            return ""
        x, y = self.at
        return (
            f"its content is not the photo's: likeness of edges {self.likeness:.2f} at {x:.0%} from the left and "
            f"{y:.0%} from the top, at least {MIN_LIKENESS} is needed"
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "likeness": round(self.likeness, 3),
            "mean_likeness": round(self.mean, 3),
            "least_at": [round(part, 3) for part in self.at],
        }


def drift_between(photo: Pixels, edit: Pixels) -> Drift:
    """Compare the edges of a photo and of an edit of it, both (H, W, 3), sRGB in [0, 1], of one shape.

    The photo is first given the edit's tones: the polynomial of its colours that comes nearest to the edit's
    luma. So an edge that a tone edit flattens, or makes of two colours, is expected. Its edges are given the
    edit's local strength within MAX_GAIN. Then in each window, weighted by a Gaussian, 2 Σ ab + c over
    Σ a² + Σ b² + c, with edges a and b and c = FAINT: the structure term of SSIM, which also sees what
    has come or gone.

    References:
        Z. Wang et al. (2004), "Image quality assessment: from error visibility to structural
        similarity", section III-B.

    Raises:
        ValueError: the shapes differ.
    """
    if photo.shape != edit.shape:
        raise ValueError(f"the photo is {photo.shape}, the edit {edit.shape}; they must have one shape")
    luma = _luma(_at_size(edit))
    a, b = _edges(_toned(_at_size(photo), luma)), _edges(luma)
    energy_a, energy_b, shared = (_blurred(plane, WINDOW) for plane in (a * a, b * b, a * b))
    gain = np.clip(np.sqrt((energy_b + FAINT / 40) / (energy_a + FAINT / 40)), 1 / MAX_GAIN, MAX_GAIN)
    likeness = (2 * gain * shared + FAINT) / (gain**2 * energy_a + energy_b + FAINT)
    y, x = np.unravel_index(int(np.argmin(likeness)), likeness.shape)
    height, width = likeness.shape
    return Drift(
        likeness=float(likeness[y, x]),
        mean=float(likeness.mean()),
        at=(float((x + 0.5) / width), float((y + 0.5) / height)),
    )


def _at_size(pixels: Pixels) -> Plane:
    height, width = pixels.shape[:2]
    scale = COMPARED_AT / max(height, width)
    return fit_size(pixels, (max(1, round(width * scale)), max(1, round(height * scale)))).astype(np.float64)


def _luma(pixels: Plane) -> Plane:
    """Square root of the weighted encoded values: edges in the dark count as those in the light do."""
    return np.asarray(np.sqrt(np.clip(pixels @ LUMINANCE, 0, 1)))


def _toned(photo: Plane, luma: Plane) -> Plane:
    """The polynomial of the photo's colours (H, W, 3) that comes nearest to this luma (H, W), by least squares."""
    terms = _terms(photo.reshape(-1, 3))
    # A little of a ridge: a photo of one colour leaves most coefficients open.
    ridge = 1e-7 * len(terms) * np.eye(terms.shape[1])
    coefficients = np.linalg.solve(terms.T @ terms + ridge, terms.T @ luma.ravel())
    return np.clip(terms @ coefficients, 0, 1).reshape(luma.shape)


def _terms(colours: Plane) -> Plane:
    """Every product of powers of R, G and B whose exponents sum to DEGREE at most, (n, 20)."""
    exponents = [e for e in itertools.product(range(DEGREE + 1), repeat=3) if sum(e) <= DEGREE]
    powers = colours[:, :, None] ** np.arange(DEGREE + 1)  # (n, 3, DEGREE + 1)
    return np.stack([powers[:, 0, r] * powers[:, 1, g] * powers[:, 2, b] for r, g, b in exponents], axis=1)


def _edges(luma: Plane) -> Plane:
    return _blurred(luma, FINE) - _blurred(luma, COARSE)


def _blurred(plane: Plane, sigma: float) -> Plane:
    from scipy.ndimage import gaussian_filter  # takes a while to load, which the web process spares itself

    return np.asarray(gaussian_filter(plane, sigma))
