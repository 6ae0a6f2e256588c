"""Deterministic neural colour mapping (DNCM): one map of colours for a whole photo, a k × k matrix of it learned.

As published, an image as rows of colours becomes I · P · T · Q with P (3, k) and Q (k, 3) shared by
all photos and T (k, k) of one photo. Those three matrices are one 3 × 3 matrix whatever k is, so
a published DNCM has no offset and no curve. Lifting the colours first mends that: polynomials
of the channels, or a layer of SiLU units.

Source: Z. Ke, Y. Liu, L. Zhu, N. Zhao, R. W. H. Lau (2023), Neural Preset for Color Style
Transfer, CVPR. The lifted forms are ours.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LIFTS = ("none", "poly", "mlp")
POLY_TERMS = 13
"""r, g, b, their squares and cubes, rg, rb, gb, 1."""
PIXELS_AT_ONCE = 2**13
"""On a CPU, so that the terms of a tile stay in its cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DncmConfig:
    k: int = 16
    """Side of the photo's own matrix."""
    lift: str = "poly"
    """none: as published, a 3 × 3 matrix; poly: polynomials up to the third degree; mlp: k SiLU units."""

    def __post_init__(self) -> None:
        if not 2 <= self.k <= 32:
            raise ValueError(f"k is {self.k}; it must be from 2 to 32")
        if self.lift not in LIFTS:
            raise ValueError(f"lift is {self.lift!r}; it must be one of {', '.join(LIFTS)}")
        if self.lift == "mlp" and self.k < 6:
            raise ValueError(
                f"k is {self.k}; with the lift mlp it must be from 6 to 32, a pair for each channel"
            )


class Dncm(nn.Module):
    """Starts as the identity wherever T is the unit matrix.

    With k = 2 and no lift it cannot: a map through two numbers has rank 2, so it starts
    as the nearest there is that keeps all greys.
    """

    def __init__(self, config: DncmConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        rng = np.random.default_rng(seed)
        start = _paired if config.lift == "mlp" else _projected
        into, out = start({"none": 3, "poly": POLY_TERMS, "mlp": 3}[config.lift], config.k, rng)
        self.into = nn.Parameter(torch.tensor(into, dtype=torch.float32))  # P: (terms, k)
        self.out = nn.Parameter(torch.tensor(out, dtype=torch.float32))  # Q: (k, 3)
        self.bias = nn.Parameter(torch.zeros(config.k)) if config.lift == "mlp" else None

    def lifted(self, colors: torch.Tensor) -> torch.Tensor:
        """Colours (..., 3) → the terms that `matrix` is applied to, (..., terms)."""
        if self.config.lift == "none":
            return colors
        if self.config.lift == "poly":
            return polynomial_terms(colors)
        return F.silu(F.linear(colors, self.into.T, self.bias))

    def planes(self, colors: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """The same as `lifted(...) @ matrix`, channels first and in a quarter of the time; no gradients.

        Args:
            colors: (3, P), contiguous.
            matrix: (terms, 3), one of those that `matrix` gives.

        Returns:
            (3, P), not clipped.
        """
        weights = matrix.T  # (3, terms)
        if self.config.lift == "none":
            return weights @ colors
        if self.config.lift == "mlp":
            assert self.bias is not None
            return weights @ F.silu(torch.addmm(self.bias[:, None], self.into.T, colors))
        red, green, blue = colors
        terms = colors.new_empty((POLY_TERMS - 1, colors.shape[1]))
        terms[:3] = colors
        torch.mul(colors, colors, out=terms[3:6])
        torch.mul(terms[3:6], colors, out=terms[6:9])
        for row, (one, other) in enumerate(((red, green), (red, blue), (green, blue)), 9):
            torch.mul(one, other, out=terms[row])
        return torch.addmm(weights[:, -1:], weights[:, :-1], terms)

    def matrix(self, transform: torch.Tensor) -> torch.Tensor:
        """T (B, k, k) → all that is linear in one matrix (B, terms, 3)."""
        product = transform @ self.out
        return product if self.config.lift == "mlp" else self.into @ product

    def forward(self, colors: torch.Tensor, transform: torch.Tensor) -> torch.Tensor:
        """Colours (B, P, 3) and T (B, k, k) → colours of the same shape, not clipped."""
        return self.lifted(colors) @ self.matrix(transform)


def polynomial_terms(colors: torch.Tensor) -> torch.Tensor:
    """(..., 3) → (..., 13): r, g, b, r², g², b², r³, g³, b³, rg, rb, gb, 1."""
    squares = colors * colors
    red, green, blue = colors.unbind(-1)
    mixed = torch.stack([red * green, red * blue, green * blue, torch.ones_like(red)], dim=-1)
    return torch.cat([colors, squares, squares * colors, mixed], dim=-1)


def identity_vector(k: int) -> torch.Tensor:
    """The unit matrix as the k² numbers that a photo is described by."""
    return torch.eye(k).flatten()


def row_tiles(height: int, width: int, pixels: int = PIXELS_AT_ONCE) -> Iterator[slice]:
    """Slices of rows of about `pixels` pixels each, one row at least."""
    rows = max(1, pixels // max(1, width))
    for first in range(0, height, rows):
        yield slice(first, min(height, first + rows))


Matrices = tuple[
    "np.ndarray[tuple[int, ...], np.dtype[np.float64]]", "np.ndarray[tuple[int, ...], np.dtype[np.float64]]"
]


def _projected(terms: int, k: int, rng: np.random.Generator) -> Matrices:
    """P (terms, k) and Q (k, 3) with P · Q = the unit matrix in the first three terms and 0 in the others."""
    basis = np.linalg.qr(rng.normal(size=(k, k)))[0]  # rows are orthonormal
    linear = np.eye(3)
    if k < 3:
        # Greys, and the axis from blue to yellow.
        axes = np.array([[1, 1, 1], [1, 1, -2]]) / np.sqrt([[3], [6]])
        linear = axes.T  # (3, 2)
    used = linear.shape[1]
    into = np.zeros((terms, k))
    into[:3] = linear @ basis[:used]
    # Other terms start in directions that Q does not see.
    if k > used:
        into[3:] = rng.normal(size=(terms - 3, k - used)) / np.sqrt(k) @ basis[used:]
    return into, basis[:used].T @ linear.T


def _paired(terms: int, k: int, rng: np.random.Generator) -> Matrices:
    """Units in pairs of opposite sign: SiLU(x) - SiLU(-x) = x; what is left over is not read yet."""
    pairs = k // 2
    directions = rng.normal(size=(terms, pairs))
    back = np.linalg.pinv(directions)
    into, out = np.zeros((terms, k)), np.zeros((k, 3))
    into[:, : 2 * pairs : 2], into[:, 1 : 2 * pairs : 2] = directions, -directions
    out[: 2 * pairs : 2], out[1 : 2 * pairs : 2] = back, -back
    if k % 2:
        into[:, -1] = rng.normal(size=terms)
    return into, out
