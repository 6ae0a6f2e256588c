"""What a learner is shown in one training step: raters, their references, and pairs to edit.

References never show a target's scene where the rater answered on more than one scene:
a learner that could look the answer up would not learn to read the rater.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from learning.data.dataset import DatasetError, Indices, PreferenceDataset


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeConfig:
    raters: int = 16
    """Raters in one step."""
    targets: int = 4
    """Pairs to edit for each of them."""
    min_references: int = 4
    max_references: int = 24
    """The number of references is drawn anew for each step, so that no number is special."""

    def __post_init__(self) -> None:
        for name in ("raters", "targets", "min_references"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.max_references < self.min_references:
            raise ValueError(
                f"max_references is {self.max_references}; it must be at least min_references ({self.min_references})"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    """One step. All arrays hold positions in the dataset's images; R raters, N references, T targets."""

    reference_preferred: Indices  # (R, N)
    reference_rejected: Indices  # (R, N)
    target_preferred: Indices  # (R, T)
    target_rejected: Indices  # (R, T)


class EpisodeSampler:
    """Draws episodes from valid training raters' answers on training scenes.

    Attributes:
        left_out: ids of training raters with too few answers to be both reference and target.
        rows: of `dataset.judgments`, all that can come.
        images: positions of all images that can come, in order.
    """

    def __init__(self, dataset: PreferenceDataset, config: EpisodeConfig) -> None:
        self.config = config
        self._judgments = dataset.judgments
        self._rows_of_rater, self.left_out = training_rows(dataset, config.min_references + 1)
        if not self._rows_of_rater:
            raise too_few_answers(dataset, config.min_references + 1)
        self.rows = np.concatenate(self._rows_of_rater)
        self.images = np.union1d(
            dataset.judgments.preferred[self.rows], dataset.judgments.rejected[self.rows]
        )

    @property
    def n_judgments(self) -> int:
        return len(self.rows)

    @property
    def n_raters(self) -> int:
        return len(self._rows_of_rater)

    def draw(self, rng: np.random.Generator) -> Episodes:
        config = self.config
        n = int(rng.integers(config.min_references, config.max_references + 1))
        raters = rng.integers(self.n_raters, size=config.raters)
        drawn = [self._draw_for_rater(self._rows_of_rater[r], n, rng) for r in raters]
        references, targets = (np.stack(rows) for rows in zip(*drawn, strict=True))
        return Episodes(
            reference_preferred=self._judgments.preferred[references],
            reference_rejected=self._judgments.rejected[references],
            target_preferred=self._judgments.preferred[targets],
            target_rejected=self._judgments.rejected[targets],
        )

    def _draw_for_rater(
        self, rows: npt.NDArray[np.int64], n_references: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows of (references, targets); up to half of the rater's scenes are the targets'."""
        scenes = self._judgments.scene[rows]
        own_scenes = rng.permutation(np.unique(scenes))
        n_target_scenes = int(rng.integers(1, max(1, len(own_scenes) // 2) + 1))
        is_target = np.isin(scenes, own_scenes[:n_target_scenes])
        if len(own_scenes) == 1:
            is_target = rng.permutation(len(rows)) < max(1, len(rows) // 2)
        targets, references = rows[is_target], rows[~is_target]
        return _some(references, n_references, rng), _some(targets, self.config.targets, rng)


def _some(rows: npt.NDArray[np.int64], n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """`n` of the rows, none twice while there are enough."""
    return rng.choice(rows, n, replace=len(rows) < n)


def too_few_answers(dataset: PreferenceDataset, at_least: int) -> DatasetError:
    """What is said where no training rater has so many."""
    ties = dataset.judgments.n_ties
    said = f" ({ties} answers say that there is no difference, and prefer none)" if ties else ""
    return DatasetError(
        f"{dataset.folder}: none of the {len(dataset.training_raters())} valid training raters has {at_least} "
        f"answers on training scenes that prefer an image{said}; there is nothing to train on"
    )


def training_rows(dataset: PreferenceDataset, at_least: int) -> tuple[list[npt.NDArray[np.int64]], list[str]]:
    """Rows of `dataset.judgments` on training scenes of each valid training rater who has so many, and who has not.

    Returns:
        for each rater that is kept, in the dataset's order, their rows; and the ids of those left out.
    """
    trained_scenes = set(dataset.training_scenes())
    is_trained = np.array([scene_id in trained_scenes for scene_id in dataset.scene_ids])
    position = {rater_id: index for index, rater_id in enumerate(dataset.rater_ids)}
    kept, left_out = [], []
    for rater_id in dataset.training_raters():
        of_rater = dataset.judgments.rows_of(position[rater_id])
        rows = np.arange(of_rater.start, of_rater.stop)
        rows = rows[is_trained[dataset.judgments.scene[rows]]]
        if len(rows) >= at_least:
            kept.append(rows)
        else:
            left_out.append(rater_id)
    return kept, left_out
