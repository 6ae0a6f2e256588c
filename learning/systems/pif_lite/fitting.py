"""The fit: from photos or pairs to the strengths of a taste."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from learning.systems.concepts import GROUPS, NAMES
from learning.systems.pif_lite.config import Config
from learning.systems.pif_lite.population import Population
from learning.systems.pif_lite.statistics import Sample, perturbed, statistics, weight_maps
from learning.training.loop import step_chance
from variants.tone.concepts import CONCEPTS

LOW = np.array([CONCEPTS[name].low for name in NAMES], np.float32)
HIGH = np.array([CONCEPTS[name].high for name in NAMES], np.float32)
WIDTHS = {
    "exposure": 1,
    "contrast": 3,
    "highlight": 3,
    "shadow": 3,
    "saturation": 4,
    "tint": 8,
    "sharpness": 1,
    "vignetting": 1,
}
"""Of each concept's statistics."""


def fit_photos(
    references: Sample, population: Population, config: Config, curves: list[dict[str, float]] | None = None
) -> npt.NDArray[np.float32]:
    """The strengths (9,) that a set of references is nearest to."""
    has_detail = bool(references.detail.isfinite().all() and population.sample.detail.isfinite().all())
    groups = [name for name in GROUPS if has_detail or name != "sharpness"]
    weights = population.weights_for(references)
    near = weights > 0
    anchors, weights = population.sample[near], weights[near, None]
    wanted = {name: value.mean(0) for name, value in statistics(references).items()}
    spread = _spread(population.sample, groups)
    # The average is known no better than from the photos behind it.
    share = len(anchors) / len(population.sample)
    certainty = 1 / (1 / len(references) + 1 / (share * float(population.distinct)))

    def residuals(strengths: torch.Tensor, subset: Sequence[str]) -> torch.Tensor:
        made = statistics(_edited_by_each(anchors, strengths))
        mean = torch.cat(
            [(weights * made[name].reshape(len(strengths), len(anchors), -1)).sum(1) for name in subset],
            dim=1,
        )
        gap = mean - torch.cat([wanted[name] for name in subset])  # (K, D)
        lower = torch.linalg.cholesky(_block(spread, groups, subset) / certainty)
        whitened: torch.Tensor = torch.linalg.solve_triangular(lower, gap.T, upper=False).T
        return whitened

    return _descend(residuals, groups, config.rarity, config, curves)


def fit_pairs(
    rejected: Sample, preferred: Sample, aligned: torch.Tensor, population: Population, config: Config
) -> npt.NDArray[np.float32]:
    """The strengths (9,) that lead from one image of each pair to the other; `aligned` (N,) says which lie on each other."""
    has_detail = bool(rejected.detail.isfinite().all() and preferred.detail.isfinite().all())
    groups = [name for name in GROUPS if has_detail or name != "sharpness"]
    wanted = statistics(preferred)
    # One scene twice: what differs is the edit, and little of what differs between photos.
    usual = statistics(population.sample)
    scale = {name: 0.1 * usual[name].nan_to_num().std(0, correction=0) + 2e-3 for name in groups}

    n = len(rejected)

    def residuals(strengths: torch.Tensor, subset: Sequence[str]) -> torch.Tensor:
        made = _edited_by_each(rejected, strengths)
        found = statistics(made)
        apart = {
            name: (found[name].reshape(len(strengths), n, -1) - wanted[name])
            / (scale[name] * wanted[name].shape[1] ** 0.5)
            for name in subset
        }  # (K, n, D) each
        pixels = (
            made.pixels.reshape(len(strengths), *preferred.pixels.shape) - preferred.pixels
        ) * weight_maps(preferred, subset).sqrt()
        parts = [pixels.flatten(2)[:, aligned] / config.pair_noise]
        parts += [value[:, ~aligned] for value in apart.values()]
        if "sharpness" in subset:  # the grid is too coarse to show it
            parts.append(apart["sharpness"][:, aligned])
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    # Both images of an edit are at hand: what it is need not be guessed from what is usual.
    return _descend(residuals, groups, 4 * config.rarity, config, None)


def _edited_by_each(sample: Sample, strengths: torch.Tensor) -> Sample:
    """N photos by each of K strengths (K, 9), as K·N photos."""
    n, k = len(sample), len(strengths)
    rows = torch.arange(n).repeat(k)
    return perturbed(sample[rows], strengths.repeat_interleave(n, dim=0))


@torch.inference_mode()
def _descend(
    residuals: Callable[[torch.Tensor, Sequence[str]], torch.Tensor],
    groups: Sequence[str],
    rarity: float,
    config: Config,
    curves: list[dict[str, float]] | None,
) -> npt.NDArray[np.float32]:
    """Gauss-Newton steps from neutral, each in the strengths of its subset; their range ends them.

    `residuals` gives (K, R) of strengths (K, 9); the sum of their squares, and of the strengths in units of
    what is usual, is made smaller. The rate falls to 0, since each subset pulls its own way.
    """
    low, high = torch.from_numpy(LOW), torch.from_numpy(HIGH)
    usual = high * rarity
    strengths = torch.zeros(len(NAMES))
    for step in range(config.loop.steps):
        subset = _subset(groups, config, step)
        moves = [i for i, name in enumerate(NAMES) if any(name in GROUPS[g] for g in subset)]
        # Differences towards neutral, so that they stay inside the range.
        by = torch.where(strengths > 0, -0.01, 0.01) * high
        tried = strengths + torch.cat([torch.zeros(1, len(NAMES)), torch.diag(by)[moves]])
        values = residuals(tried, subset)
        jacobian = ((values[1:] - values[0]) / by[moves, None]).T  # (R, M)
        normal = jacobian.T @ jacobian + torch.diag(usual[moves] ** -2)
        slope = jacobian.T @ values[0] + strengths[moves] / usual[moves] ** 2
        change = torch.zeros(len(NAMES))
        change[moves] = -torch.linalg.solve(normal, slope)
        change = config.loop.rate(step) * change.clamp(-0.5 * high, 0.5 * high)
        candidates = (strengths + torch.tensor([[0.0], [0.25], [0.5], [1.0]]) * change).clamp(low, high)
        losses = residuals(candidates, subset).square().sum(1) + (candidates / usual).square().sum(1)
        strengths = candidates[losses.argmin()]
        if curves is not None:
            curves.append({"step": step + 1, "loss": losses.min().item()})
    found = strengths.numpy()
    kept: npt.NDArray[np.float32] = np.where(np.abs(found) < config.seen * HIGH, 0, found).astype(np.float32)
    return kept


def _subset(groups: Sequence[str], config: Config, step: int) -> list[str]:
    if config.subsets == "joint":
        return list(groups)
    chance = step_chance(config.seed, step)
    chosen = chance.permutation(len(groups))[: chance.integers(1, len(groups) + 1)]
    return [groups[i] for i in sorted(chosen.tolist())]


def _spread(sample: Sample, groups: Sequence[str]) -> torch.Tensor:
    """(D, D): covariance of the statistics over photos, shrunk towards its diagonal since photos are few."""
    values = statistics(sample)
    rows = torch.cat([values[name] for name in groups], dim=1)
    covariance = torch.cov(rows.T, correction=0)
    diagonal = torch.diag(covariance.diagonal() + 1e-5)
    return 0.7 * covariance + 0.3 * diagonal


def _block(spread: torch.Tensor, groups: Sequence[str], subset: Sequence[str]) -> torch.Tensor:
    columns = [c for name, span in _spans(groups).items() if name in subset for c in span]
    block: torch.Tensor = spread[columns][:, columns]
    return block


def _spans(groups: Sequence[str]) -> dict[str, range]:
    """Columns of each concept's statistics."""
    ends = np.cumsum([WIDTHS[name] for name in groups]).tolist()
    return {name: range(end - WIDTHS[name], end) for name, end in zip(groups, ends, strict=True)}
