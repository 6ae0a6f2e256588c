"""What each training step is shown; see `learning.training.loop.StepData`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from learning.data.alignment import Alignment
from learning.data.dataset import PreferenceDataset
from learning.data.views import ViewBank
from learning.systems.tastelut.answering import StandIns, questions
from learning.systems.tastelut.config import Config
from learning.systems.tastelut.losses import Step
from learning.systems.tastelut.network import Network
from learning.systems.tastelut.reading import Pairs, Raters, of_kinds, read_pairs
from learning.training.loop import step_chance
from variants.progress import Report

Indices = npt.NDArray[np.integer[Any]]

USUAL_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 16, 16, 24, 32, 48, 64)
"""How many references a rater is read from, drawn evenly from these as far as they go."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reading:
    """A rater's references of one draw, and what is known from them."""

    rater: int
    rows: Indices
    views: Indices
    ideal: npt.NDArray[np.float32]  # (C·K,)
    variance: npt.NDArray[np.float32]  # (C, C, K)


class TrainingData:
    def __init__(
        self,
        dataset: PreferenceDataset,
        rows: Sequence[Indices],
        views: ViewBank,
        stand_ins: StandIns,
        raters: Raters,
        network: Network,
        config: Config,
        report: Report,
    ) -> None:
        self.dataset, self.config = dataset, config
        self._rows, self._views, self._stand_ins, self._network = rows, views, stand_ins, network
        self._alignment = Alignment(dataset)
        self._questions = questions(dataset, np.concatenate(rows))
        self._scenes = np.array(sorted(self._questions))
        self._readings = self._draw_readings(raters, report)

    def __getitem__(self, step: int) -> Step:
        rng = step_chance(self.config.seed, step)
        chosen = rng.integers(len(self._readings), size=self.config.episodes.raters)
        readings = [self._readings[i] for i in chosen]
        tokens, counted = self._tokens(readings, int(rng.integers(2**63)))
        pairs = np.stack([self._targets(reading, rng) for reading in readings])  # (R, T, 2)
        preferred, rejected = pairs[..., 0], pairs[..., 1]
        view = rng.integers(self._views.count, size=preferred.shape)
        inputs = np.concatenate([rejected, preferred], axis=1)  # (R, Q)
        targets, others = np.tile(preferred, 2), np.tile(rejected, 2)
        view = np.tile(view, 2)
        noise = torch.Generator().manual_seed(int(rng.integers(2**63)))
        features = self._network.scaled(self._views.features_of(inputs, view))
        features = features + self.config.episodes.noise * torch.randn(features.shape, generator=noise)
        told = rng.random(preferred.shape) < self.config.episodes.told
        aligned = self._alignment(preferred.reshape(-1), rejected.reshape(-1)).reshape(preferred.shape)
        return Step(
            tokens=tokens,
            counted=counted,
            ideal=torch.tensor(np.stack([r.ideal for r in readings])).view(
                len(readings), *self._network.sizes[:0:-1]
            ),
            variance=torch.tensor(np.stack([r.variance for r in readings])),
            features=features,
            inputs=self._views.pixels_of(inputs, view).flatten(0, 1),
            targets=self._views.pixels_of(targets, view).flatten(0, 1),
            others=self._views.pixels_of(others, view).flatten(0, 1),
            aligned=torch.tensor(np.tile(aligned, 2)),
            told=torch.tensor(np.concatenate([told, np.zeros_like(told)], axis=1)),
            target_tones=torch.tensor(self._stand_ins.tones[targets], dtype=torch.float32),
        )

    def _draw_readings(self, raters: Raters, report: Report) -> list[_Reading]:
        config = self.config.episodes
        n = min(config.draws * len(self._rows), config.max_draws)
        rng = np.random.default_rng([self.config.seed, 7])
        found = []
        for number in range(n):
            rater = number % len(self._rows)
            counts = [c for c in USUAL_COUNTS if c <= min(config.max_references, len(self._rows[rater]) - 1)]
            rows = rng.permutation(self._rows[rater])[: rng.choice(counts)]
            views = rng.integers(self._views.count, size=len(rows))
            point = raters.taste(self._read(rows, views))
            found.append(
                _Reading(
                    rater=rater,
                    rows=rows,
                    views=views,
                    ideal=point.mean.astype(np.float32),
                    variance=of_kinds(point.covariance, self._network.sizes.contents).astype(np.float32),
                )
            )
            report(number + 1, n, "reading training raters")
        return found

    def _read(self, rows: Indices, views: Indices) -> Pairs:
        judgments = self.dataset.judgments
        sides = (judgments.preferred[rows], judgments.rejected[rows])
        preferred, rejected = (self._network.scaled(self._views.features_of(side, views)) for side in sides)
        return read_pairs(self._network, preferred, rejected)

    def _tokens(self, readings: Sequence[_Reading], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(R, N, ·) with noise, and which of them are there (R, N)."""
        read = [self._read(reading.rows, reading.views).tokens for reading in readings]
        longest = max(1, *(len(tokens) for tokens in read))
        tokens = torch.zeros(len(read), longest, read[0].shape[-1])
        counted = torch.zeros(len(read), longest, dtype=torch.bool)
        for row, own in enumerate(read):
            tokens[row, : len(own)], counted[row, : len(own)] = own, True
        noise = torch.randn(tokens.shape, generator=torch.Generator().manual_seed(seed))
        noise[..., -(2 * self._network.sizes.tones + self._network.sizes.contents) :] = 0
        return tokens + self.config.episodes.noise * noise, counted

    def _targets(self, reading: _Reading, rng: np.random.Generator) -> Indices:
        """(T, 2): pairs on other scenes than the references', the preferred image first."""
        judgments = self.dataset.judgments
        shown = np.unique(judgments.scene[reading.rows])
        scenes = np.setdiff1d(self._scenes, shown)
        scenes = scenes if len(scenes) else self._scenes
        own = self._rows[reading.rater]
        own = own[~np.isin(judgments.scene[own], shown)]
        pairs = []
        for _ in range(self.config.episodes.targets):
            if len(own) and rng.random() >= self.config.episodes.unasked:
                row = rng.choice(own)
                pairs.append(np.array([judgments.preferred[row], judgments.rejected[row]]))
                continue
            scene = int(rng.choice(scenes))
            pair = rng.choice(self._questions[scene])
            pairs.append(self._stand_ins.answer(reading.rater, pair, scene, rng))
        return np.stack(pairs)
