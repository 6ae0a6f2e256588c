"""Training steps on answers: original, preferred and rejected image of a scene, cropped alike."""

from dataclasses import dataclass

import numpy as np
import torch

from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeSampler
from learning.systems.style_parts.examples import (
    NONE,
    Augmentation,
    Indices,
    Squares,
    framed,
    jittered,
    mean_in_linear_light,
    neutral_positions,
    random_frames,
)
from learning.training.loop import step_chance

VERSIONS = ("original", "preferred", "rejected")


@dataclass(frozen=True, kw_only=True, slots=True)
class Triplets:
    """Versions of n scenes, each (n, 3, S, S) in [0, 1]."""

    original: torch.Tensor
    preferred: torch.Tensor
    rejected: torch.Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class PairStep:
    """What the first step is shown: photos and what each is to become, both (B, 3, S, S)."""

    images: torch.Tensor
    wanted: torch.Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceStep:
    """What the second step is shown: R raters with N references and T targets each."""

    raters: int
    references: Triplets  # of R·N scenes
    targets: Triplets  # of R·T scenes
    from_preferred: torch.Tensor
    """(R·T,): whether the photo to edit is the preferred image rather than the rejected one."""


class TripletSource:
    """Triplets by the positions of their images in a dataset."""

    def __init__(
        self, dataset: PreferenceDataset, squares: Squares, augmentation: Augmentation, neutral_share: float
    ) -> None:
        self.squares, self.augmentation, self.neutral_share = squares, augmentation, neutral_share
        self.neutral = neutral_positions(dataset)

    def draw(
        self, preferred: Indices, rejected: Indices, size: int, rng: np.random.Generator, *, colours: bool
    ) -> Triplets:
        """Both arrays (n,); the originals are jittered."""
        frames = random_frames(len(preferred), self.augmentation, rng)
        p, n = (framed(self.squares(which.tolist()), frames, size) for which in (preferred, rejected))
        original = mean_in_linear_light(p, n)
        neutral = self.neutral[preferred]
        taken = np.flatnonzero((neutral != NONE) & (rng.random(len(neutral)) < self.neutral_share))
        if len(taken):
            where = torch.from_numpy(taken)
            original[where] = framed(self.squares(neutral[taken].tolist()), frames[where], size)
        original = jittered(original, self.augmentation, rng, colours=colours)
        return Triplets(original=original, preferred=p, rejected=n)


class PairSteps:
    """Edits between two versions of a scene, for style and enhancer."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        rows: Indices,
        squares: Squares,
        *,
        batch: int,
        size: int,
        augmentation: Augmentation,
        neutral_share: float,
        edits: tuple[tuple[str, str], ...],
        seed: int,
    ) -> None:
        """`edits` are (from, to), of which each example is one at random."""
        self.source = TripletSource(dataset, squares, augmentation, neutral_share)
        self.judgments, self.rows = dataset.judgments, rows
        self.batch, self.size, self.seed = batch, size, seed
        self.edits = np.array([[VERSIONS.index(a), VERSIONS.index(b)] for a, b in edits])

    def __getitem__(self, step: int) -> PairStep:
        rng = step_chance(self.seed, step)
        rows = self.rows[rng.integers(len(self.rows), size=self.batch)]
        drawn = self.source.draw(
            self.judgments.preferred[rows], self.judgments.rejected[rows], self.size, rng, colours=False
        )
        versions = torch.stack([drawn.original, drawn.preferred, drawn.rejected])
        edit = torch.from_numpy(self.edits[rng.integers(len(self.edits), size=self.batch)])
        each = torch.arange(self.batch)
        return PairStep(
            images=versions[edit[:, 0], each],
            wanted=versions[edit[:, 1], each],
        )


class ReferenceSteps:
    """Raters' references and targets on other scenes, for content and transformer."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        sampler: EpisodeSampler,
        squares: Squares,
        *,
        size: int,
        augmentation: Augmentation,
        neutral_share: float,
        seed: int,
    ) -> None:
        self.source = TripletSource(dataset, squares, augmentation, neutral_share)
        self.sampler, self.size, self.seed = sampler, size, seed

    def __getitem__(self, step: int) -> ReferenceStep:
        return self.at(step_chance(self.seed, step))

    def at(self, rng: np.random.Generator) -> ReferenceStep:
        """The step that this chance gives."""
        drawn = self.sampler.draw(rng)
        targets = self._triplets(drawn.target_preferred, drawn.target_rejected, rng)
        return ReferenceStep(
            raters=len(drawn.reference_preferred),
            references=self._triplets(drawn.reference_preferred, drawn.reference_rejected, rng),
            targets=targets,
            from_preferred=torch.from_numpy(rng.random(len(targets.preferred)) < 0.5),
        )

    def _triplets(self, preferred: Indices, rejected: Indices, rng: np.random.Generator) -> Triplets:
        return self.source.draw(preferred.ravel(), rejected.ravel(), self.size, rng, colours=True)
