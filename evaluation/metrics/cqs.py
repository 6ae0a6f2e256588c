"""The customised quality score (CQS): is an output nearer to what the rater prefers, and near at all?

For each evaluated judgment a learner makes two outputs, one from the preferred image
P and one from the other image N; each is measured against both. In the names the
first letter is the input, the second the target: `d_np` is the output made from N,
measured against P.

    d_p = mean of (d_pp + d_np) / 2        d_n = mean of (d_pn + d_nn) / 2
    BFS = 1 / sqrt(d_p d_n)                CMR = (d_n - d_p) / (d_p + d_n)
    CQS = BFS (1 + CMR) = 2 sqrt(d_n / d_p) / (d_n + d_p)

for a distance; for a similarity (PSNR, SSIM) BFS = sqrt(d_p d_n) and CMR changes its
sign. Distances are averaged first and the formula comes last: the mean of many small
CQS is larger than the CQS of the means, and means something else.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FOUR = ("d_pp", "d_pn", "d_np", "d_nn")
TIE = 1e-4
"""Relative difference below which the outputs count as equally near to both images; float32 is no finer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Distances:
    """One metric over the evaluated judgments; all arrays have shape (judgments,)."""

    d_pp: Floats
    d_pn: Floats
    d_np: Floats
    d_nn: Floats
    rater: npt.NDArray[np.intp]
    """Which rater each judgment is of, counted from 0."""
    lower_is_better: bool

    def __post_init__(self) -> None:
        shapes = {getattr(self, name).shape for name in (*FOUR, "rater")}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"the four distances and the raters must be vectors of one length, not {shapes}")
        if not self.rater.size:
            raise ValueError("there is no judgment to evaluate")
        for name in FOUR:
            if np.isnan(getattr(self, name)).any():
                raise ValueError(
                    f"{name} has a NaN at judgment {int(np.isnan(getattr(self, name)).argmax())}"
                )

    @property
    def to_preferred(self) -> Floats:
        return (self.d_pp + self.d_np) / 2

    @property
    def to_other(self) -> Floats:
        return (self.d_pn + self.d_nn) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    d_pp: float
    d_pn: float
    d_np: float
    d_nn: float
    d_p: float
    d_n: float
    bfs: float
    cmr: float
    cqs: float
    alignment: float
    """Part of judgments whose outputs are nearer to P than to N, ties being half; 0.5 is chance."""
    n_judgments: int
    n_raters: int
    warnings: tuple[str, ...] = ()


def score(distances: Distances) -> Score:
    """Everything that one row of a report says of one metric."""
    means = {name: float(getattr(distances, name).mean()) for name in FOUR}
    d_p = (means["d_pp"] + means["d_np"]) / 2
    d_n = (means["d_pn"] + means["d_nn"]) / 2
    lower = distances.lower_is_better
    return Score(
        **means,
        d_p=d_p,
        d_n=d_n,
        bfs=float(basic_fidelity(d_p, d_n, lower_is_better=lower)),
        cmr=float(comparison_margin(d_p, d_n, lower_is_better=lower)),
        cqs=float(cqs(d_p, d_n, lower_is_better=lower)),
        alignment=float(aligned(distances).mean()),
        n_judgments=distances.rater.size,
        n_raters=len(np.unique(distances.rater)),
        warnings=_warnings(distances, d_p, d_n),
    )


def cqs(d_p: npt.ArrayLike, d_n: npt.ArrayLike, *, lower_is_better: bool) -> Floats:
    """CQS of mean distances (or similarities) to the preferred and to the other image; elementwise."""
    margin = comparison_margin(d_p, d_n, lower_is_better=lower_is_better)
    return np.asarray(basic_fidelity(d_p, d_n, lower_is_better=lower_is_better) * (1 + margin))


def basic_fidelity(d_p: npt.ArrayLike, d_n: npt.ArrayLike, *, lower_is_better: bool) -> Floats:
    """BFS: infinite where a distance is 0."""
    product = np.asarray(d_p, np.float64) * np.asarray(d_n, np.float64)
    if not lower_is_better:
        # A mean SSIM below 0 is possible for an output that is a negative; it is no fidelity at all.
        return np.asarray(np.sqrt(np.maximum(product, 0)))
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.sqrt(product))


def comparison_margin(d_p: npt.ArrayLike, d_n: npt.ArrayLike, *, lower_is_better: bool) -> Floats:
    """CMR, -1 to 1: above 0 where outputs are nearer to what the rater prefers."""
    p, n = np.asarray(d_p, np.float64), np.asarray(d_n, np.float64)
    total = p + n
    margin = np.divide(n - p, total, out=np.zeros_like(total), where=total != 0)
    return np.asarray(margin if lower_is_better else -margin)


def aligned(distances: Distances) -> Floats:
    """1 for each judgment whose two outputs are on average nearer to P than to N, 0.5 for a tie, 0 else."""
    p, n = distances.to_preferred, distances.to_other
    nearer = n - p if distances.lower_is_better else p - n
    tie = np.abs(nearer) <= TIE * np.maximum(np.abs(p), np.abs(n))
    return np.where(tie, 0.5, (nearer > 0).astype(np.float64))


def per_rater(distances: Distances) -> dict[int, Score]:
    """The score of each rater by themselves."""
    scores = {}
    for rater in np.unique(distances.rater):
        own = distances.rater == rater
        parts = {name: getattr(distances, name)[own] for name in (*FOUR, "rater")}
        scores[int(rater)] = score(Distances(**parts, lower_is_better=distances.lower_is_better))
    return scores


def _warnings(distances: Distances, d_p: float, d_n: float) -> tuple[str, ...]:
    if not distances.lower_is_better or (d_p > 0 and d_n > 0):
        return ()
    n = int(((distances.to_preferred == 0) | (distances.to_other == 0)).sum())
    return (f"CQS is infinite: {n} of {distances.rater.size} judgments have a mean distance of exactly 0",)
