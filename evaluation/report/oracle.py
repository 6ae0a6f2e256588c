"""The oracle: what could be reached by knowing a simulated rater's taste exactly.

It knows the ideal rendition of every scene, but not the pair: it cannot tell which
image was preferred. So it moves an image towards the ideal by one strength, and leaves
alone what is near enough already (the gate). Both numbers are the best on the training
raters, never on those reported. Where the raters' choices hang on little of it, the best is to do nothing: then
the oracle's row is identity's, and the pages say so beside it.
"""

import itertools
import json
from collections.abc import Hashable, Sequence

import numpy as np
import torch

from evaluation.metrics.cqs import Floats, cqs
from evaluation.metrics.delta_e import lab_planes, mean_delta_e
from evaluation.protocol import Episodes, EvaluationProtocol, references_of
from evaluation.report.contenders import Contender
from evaluation.report.threads import one_core_each
from evaluation.simulation.dataset import luts_of
from evaluation.simulation.raters import SimulatedRater
from learning.data.dataset import Pixels, PreferenceDataset
from variants.tone.recipes import apply_recipe

STRENGTHS = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
TUNING_SIZE = 64
"""Long side at which strength and gate are found; the mean ΔE00 of tone edits hardly depends on it."""
TUNING_RATERS, TUNING_JUDGMENTS = 24, 8
GATES = np.linspace(0, 25, 51)
NAMES = ("p", "n", "ideal")
Case = dict[str, torch.Tensor]
"""Preferred, other and ideal images of some judgments, each (judgments, H, W, 3)."""


class Oracle:
    """An editor whose profiles are the IDs of simulated raters."""

    def __init__(self, dataset: PreferenceDataset, protocol: EvaluationProtocol) -> None:
        self._dataset, self._protocol = dataset, protocol
        self._raters: dict[str, SimulatedRater] = {}
        self._luts = luts_of(dataset.folder)
        self._ideals: dict[tuple[Hashable, str], Pixels] = {}
        with one_core_each():
            self.strength, self.gate = self._tune()

    def contender(self, episodes: Episodes) -> Contender:
        return Contender(
            name="oracle",
            run=None,
            editor=self,
            profiles=tuple(episode.rater_id for episode in episodes.episodes),
        )

    def render(self, profile: Hashable, images: Sequence[str], guides: Sequence[str]) -> list[Pixels]:
        assert isinstance(profile, str)
        return [self._edited(profile, image) for image in images]

    def nearness(self, rater_id: Hashable, image_id: str) -> float:
        """Mean ΔE00 of an image to what the rater wants: of two images the one with less is preferred."""
        assert isinstance(rater_id, str)
        scene_id = self._dataset.images[image_id].scene_id
        ideal = self._ideal(rater_id, scene_id, TUNING_SIZE)
        return _distance(self._dataset.image(image_id, TUNING_SIZE), ideal)

    def _edited(self, rater_id: str, image_id: str) -> Pixels:
        image = self._dataset.image(image_id, self._protocol.edit_size)
        small = self._dataset.image(image_id, TUNING_SIZE)
        scene_id = self._dataset.images[image_id].scene_id
        if _distance(small, self._ideal(rater_id, scene_id, TUNING_SIZE)) <= self.gate:
            return image
        key = (rater_id, scene_id)
        if key not in self._ideals:
            # Raters are rendered one after the other: the ideals of the last one are enough.
            self._ideals = {k: v for k, v in self._ideals.items() if k[0] == rater_id}
            self._ideals[key] = self._ideal(rater_id, scene_id, self._protocol.edit_size)
        return image + np.float32(self.strength) * (self._ideals[key] - image)

    def _ideal(self, rater_id: str, scene_id: str, long_side: int) -> Pixels:
        neutral = self._dataset.neutral_image_of(scene_id)
        assert neutral is not None
        recipe = self._rater(rater_id).ideal_recipe(self._dataset.scenes[scene_id].category)
        ideal: Pixels = apply_recipe(self._dataset.image(neutral, long_side), recipe, self._luts)
        return ideal

    def _rater(self, rater_id: str) -> SimulatedRater:
        if rater_id not in self._raters:
            text = self._dataset.raters[rater_id].simulation
            self._raters[rater_id] = SimulatedRater.from_json(json.loads(text or "{}"))
        return self._raters[rater_id]

    def _tune(self) -> tuple[float, float]:
        """Strength and gate with the highest CQS on ΔE00 over training raters."""
        groups = self._cases(self._dataset.training_raters()[:TUNING_RATERS])
        if not groups:
            return 1.0, 0.0
        between, p_away, n_away = (
            np.concatenate([_distances(group[a], group[b]) for group in groups])
            for a, b in (("p", "n"), ("p", "ideal"), ("n", "ideal"))
        )
        best = (-np.inf, 1.0, 0.0)
        for strength in STRENGTHS:
            d_pp, d_pn, d_np, d_nn = np.concatenate([_four(group, strength) for group in groups], axis=1)
            for gate in GATES:
                p_moves, n_moves = p_away > gate, n_away > gate
                d_p = np.where(p_moves, d_pp, 0) + np.where(n_moves, d_np, between)
                d_n = np.where(p_moves, d_pn, between) + np.where(n_moves, d_nn, 0)
                score = float(cqs(d_p.mean() / 2, d_n.mean() / 2, lower_is_better=True))
                best = max(best, (score, strength, float(gate)))
        return best[1], best[2]

    def _cases(self, raters: Sequence[str]) -> list[Case]:
        """Judgments of training raters as batches of images of one size."""
        alike: dict[tuple[int, ...], list[tuple[Pixels, Pixels, Pixels]]] = {}
        for rater_id in raters:
            judgments = self._dataset.judgments_of(rater_id)
            for j in references_of(judgments, rater_id, self._protocol)[:TUNING_JUDGMENTS]:
                images = (
                    self._dataset.image(j.preferred_image, TUNING_SIZE),
                    self._dataset.image(j.rejected_image, TUNING_SIZE),
                    self._ideal(rater_id, j.scene_id, TUNING_SIZE),
                )
                alike.setdefault(images[0].shape, []).append(images)
        return [
            {
                name: torch.from_numpy(np.stack(batch))
                for name, batch in zip(NAMES, zip(*cases, strict=True), strict=True)
            }
            for cases in alike.values()
        ]


def oracle_is_possible(dataset: PreferenceDataset, episodes: Sequence[Episodes]) -> bool:
    """Whether every evaluated rater is simulated and every scene has its neutral rendition."""
    evaluated = {e.rater_id for kind in episodes for e in kind.episodes}
    tastes = all(dataset.raters[rater].simulation for rater in evaluated)
    return bool(evaluated) and tastes and all(dataset.neutral_image_of(s) for s in dataset.scenes)


def _four(case: Case, strength: float) -> Floats:
    """d_pp, d_pn, d_np, d_nn of moving both images towards the ideal: (4, judgments)."""
    outputs = [torch.lerp(case[name], case["ideal"], strength) for name in ("p", "n")]
    return np.stack([_distances(o, case[target]) for o, target in itertools.product(outputs, ("p", "n"))])


def _distances(first: torch.Tensor, second: torch.Tensor) -> Floats:
    """Mean ΔE00 of each image of one batch to the same of the other."""
    return mean_delta_e(lab_planes(first), lab_planes(second)).double().numpy()


def _distance(first: Pixels, second: Pixels) -> float:
    one, two = (torch.from_numpy(np.array(image)[None]) for image in (first, second))
    return float(_distances(one, two)[0])
