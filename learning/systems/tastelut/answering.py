"""Training raters' answers to questions that they were never asked.

A rater of a study answers some dozens of the thousands of questions that are asked in it. A model of
all training raters, who share renditions, tells how each would have answered the others' questions:
an ideal point in tone space, where a training scene's renditions are placed by how they depart from
its mean, which is exact. So an editor can be trained on every rendition of every scene for every
rater. What it is trained on besides, and all that it is judged by, are the answers that were given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collection.design.ideal_point import TasteModel, learn_model
from learning.data.dataset import PreferenceDataset
from learning.systems.tastelut.config import Config
from variants.progress import Report

Array = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StandIns:
    """Who answers for the training raters; images and scenes by their positions in the dataset."""

    tones: Array  # (I, K), departures from the scene
    content: Array  # (scenes, C)
    ideals: Array  # (R, C, K)
    model: TasteModel
    """How ideal points are spread, in departures from the scene."""

    def utility(self, rater: int, images: Indices, scene: int) -> Array:
        """Of images of one scene to a training rater, by the rater's number: (n,), the nearer to 0 the better."""
        ideal = self.content[scene] @ self.ideals[rater]
        found: Array = -((self.tones[images] - ideal) ** 2) @ self.model.metric
        return found

    def answer(self, rater: int, pair: Indices, scene: int, rng: np.random.Generator) -> Indices:
        """(2,): the pair with the preferred image first, by chance as people choose."""
        first, second = self.utility(rater, pair, scene)
        return pair if rng.random() < 1 / (1 + np.exp(np.clip(second - first, -50, 50))) else pair[::-1]


def learn_stand_ins(
    dataset: PreferenceDataset,
    rows: Sequence[Indices],
    tones: Array,
    content: Array,
    config: Config,
    report: Report,
    model: TasteModel | None = None,
) -> StandIns:
    """Learn how the raters' ideal points are spread, unless that is known, then each one's own.

    Args:
        dataset: whose answers they are.
        rows: each rater's rows of `dataset.judgments`.
        tones: (I, K) of all images, as departures from their scenes.
        content: (scenes, C).
        config: how much is learnt from how many.
        report: told of every rater.
        model: how ideal points are spread, from other raters.
    """
    given = [triple(dataset, own, tones, content) for own in rows]
    model = model or learn_spread(given, config)
    ideals = []
    for number, own in enumerate(given, 1):
        ideals.append(model.taste(model.answers(*own)).mean.reshape(model.n_contents, model.n_tones))
        report(number, len(given), "learning what raters would have answered")
    return StandIns(tones=tones, content=content, ideals=np.stack(ideals), model=model)


def questions(dataset: PreferenceDataset, rows: Indices) -> dict[int, Indices]:
    """Of each scene the pairs (m, 2) that anybody was asked in these rows of `dataset.judgments`, each pair once."""
    judgments = dataset.judgments
    pairs = np.sort(np.stack([judgments.preferred[rows], judgments.rejected[rows]], axis=1), axis=1)
    pairs, first = np.unique(pairs, axis=0, return_index=True)
    scenes = judgments.scene[rows[first]]
    return {int(scene): pairs[scenes == scene] for scene in np.unique(scenes)}


def triple(
    dataset: PreferenceDataset, rows: Indices, tones: Array, content: Array
) -> tuple[Array, Array, Array]:
    """Answers as `collection.design.ideal_point.learn_model` takes them."""
    judgments = dataset.judgments
    return tones[judgments.preferred[rows]], tones[judgments.rejected[rows]], content[judgments.scene[rows]]


def learn_spread(given: Sequence[tuple[Array, Array, Array]], config: Config) -> TasteModel:
    """From at most `rater_sample` of the raters, drawn by the seed."""
    rng = np.random.default_rng([config.seed, 3])
    chosen = rng.permutation(len(given))[: config.rater_sample]
    tones, content = given[0][0].shape[1], given[0][2].shape[1]
    return learn_model(
        [given[i] for i in sorted(chosen.tolist())],
        n_tones=tones,
        n_contents=content,
        rounds=config.rater_rounds,
    )
