"""The published split of a rater's answers: some are references for good, the others are trained on.

Source: the first author's public development code: a permutation of each rater's pairs, seeded by
the MD5 of the rater's id and the seed.
"""

import hashlib

import numpy as np
import numpy.typing as npt

from learning.data.dataset import PreferenceDataset
from learning.data.episodes import Episodes, too_few_answers, training_rows
from learning.systems.upe.config import FixedReferences


class FixedPairSampler:
    """Goes through the valid training raters' pairs on training scenes, epoch by epoch, raters mixed.

    Attributes:
        left_out: ids of training raters with too few answers for the references and a pair to train on.
        rows: of `dataset.judgments`, all that can come.
        images: positions of all images that can come, in order.
    """

    def __init__(self, dataset: PreferenceDataset, config: FixedReferences, seed: int) -> None:
        self.config, self.seed = config, seed
        self._judgments = dataset.judgments
        n = config.references
        kept, self.left_out = training_rows(dataset, n + 1)
        if not kept:
            raise too_few_answers(dataset, n + 1)
        shuffled = [
            chance_of(dataset.rater_ids[dataset.judgments.rater[rows[0]]], seed).permutation(rows)
            for rows in kept
        ]
        self._references = np.stack([rows[:n] for rows in shuffled])  # (R, N)
        self._targets = np.concatenate([rows[n:] for rows in shuffled])
        self._rater = np.repeat(np.arange(len(shuffled)), [len(rows) - n for rows in shuffled])
        self.rows = np.concatenate(shuffled)
        self.images = np.union1d(
            dataset.judgments.preferred[self.rows], dataset.judgments.rejected[self.rows]
        )

    @property
    def n_judgments(self) -> int:
        return len(self.rows)

    @property
    def n_raters(self) -> int:
        return len(self._references)

    def draw(self, step: int) -> Episodes:
        """`pairs` pairs, each as the one target of its rater: a function of the step's number alone."""
        places = np.arange(step * self.config.pairs, (step + 1) * self.config.pairs)
        epochs, within = np.divmod(places, len(self._targets))
        orders = {int(epoch): self._order(int(epoch)) for epoch in np.unique(epochs)}
        picked = np.array(
            [orders[epoch][place] for epoch, place in zip(epochs.tolist(), within.tolist(), strict=True)]
        )
        references, targets = self._references[self._rater[picked]], self._targets[picked][:, None]
        return Episodes(
            reference_preferred=self._judgments.preferred[references],
            reference_rejected=self._judgments.rejected[references],
            target_preferred=self._judgments.preferred[targets],
            target_rejected=self._judgments.rejected[targets],
        )

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self._targets))


def chance_of(rater_id: str, seed: int) -> np.random.Generator:
    digest = hashlib.md5(f"{rater_id}_{seed}".encode(), usedforsecurity=False).hexdigest()
    return np.random.default_rng(int(digest, 16) % 2**32)
