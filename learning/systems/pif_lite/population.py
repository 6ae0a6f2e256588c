"""What photos look like on average: the population that a taste is told from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from learning.systems.interface import Pixels
from learning.systems.pif_lite.config import Config
from learning.systems.pif_lite.statistics import Sample, sample_photos
from learning.training import run_folder as runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Population:
    """What photos look like on average: samples of N photos, each in one of C scene clusters."""

    sample: Sample
    cluster: torch.Tensor  # (N,) from 0 to C - 1
    centres: torch.Tensor  # (C, S), in scene features
    distinct: torch.Tensor  # (): photos that these are or are parts of

    def tensors(self) -> dict[str, torch.Tensor]:
        return {
            "pixels": self.sample.pixels,
            "radius": self.sample.radius,
            "detail": self.sample.detail,
            "cluster": self.cluster,
            "centres": self.centres,
            "distinct": self.distinct,
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], folder: Path) -> Self:
        """Raise RunError where one is missing."""
        for name in ("pixels", "radius", "detail", "cluster", "centres", "distinct"):
            if name not in tensors:
                raise runs.RunError(f"{folder}: the weights do not fit config.json: {name} is missing")
        return cls(
            sample=Sample(pixels=tensors["pixels"], radius=tensors["radius"], detail=tensors["detail"]),
            cluster=tensors["cluster"],
            centres=tensors["centres"],
            distinct=tensors["distinct"],
        )

    def weights_for(self, references: Sample) -> torch.Tensor:
        """(N,), 1 together: each reference asks for the photos of its own scene cluster."""
        nearest = torch.cdist(scene_features(references), self.centres).argmin(dim=1)
        members = torch.nn.functional.one_hot(self.cluster, len(self.centres)).to(torch.float32)  # (N, C)
        shares = members / members.sum(0).clamp(min=1)
        return shares[:, nearest].mean(dim=1)


def population_of(photos: Sequence[Pixels], config: Config) -> Population:
    """Few photos are seen in parts too, so that there is a spread to be measured."""
    distinct = min(len(photos), config.photos)
    sample = sample_photos(photos[: config.photos], config.grid)
    if len(photos) * 3 <= config.photos:
        parts = sample_photos([part for photo in photos for part in _parts(photo)], config.grid)
        # A part is too small to tell of detail: its photo does.
        sample = replace(parts, detail=sample.detail.repeat_interleave(3, dim=0))
    features = scene_features(sample)
    centres, cluster = _k_means(features, max(1, min(config.clusters, len(sample) // 12)), config.seed)
    return Population(sample=sample, cluster=cluster, centres=centres, distinct=torch.tensor(distinct))


def scene_features(sample: Sample) -> torch.Tensor:
    """(N, 16): the layout of light and dark, in ranks, so that an edit does not change the cluster."""
    light = sample.pixels.mean(-1).flatten(1)
    ranks = light.argsort(1).argsort(1).float() / light.shape[1]
    grid = round(light.shape[1] ** 0.5)
    return torch.nn.functional.adaptive_avg_pool2d(ranks.view(-1, 1, grid, grid), 4).flatten(1)


def _parts(photo: Pixels) -> list[Pixels]:
    height, width = photo.shape[:2]
    along = photo if width >= height else photo.swapaxes(0, 1)
    middle = max(1, along.shape[1] // 2)
    halves = [along[:, :middle], along[:, -middle:]]
    return [photo, *(half if width >= height else half.swapaxes(0, 1) for half in halves)]


def _k_means(features: torch.Tensor, clusters: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Lloyd's algorithm from photos drawn by the seed; (C, S) centres and (N,) cluster numbers."""
    chosen = np.random.default_rng(seed).permutation(len(features))[:clusters]
    centres = features[torch.from_numpy(chosen)]
    cluster = torch.zeros(len(features), dtype=torch.long)
    for _ in range(20):
        cluster = torch.cdist(features, centres).argmin(dim=1)
        centres = torch.stack(
            [features[cluster == c].mean(0) if (cluster == c).any() else centres[c] for c in range(clusters)]
        )
    return centres, cluster
