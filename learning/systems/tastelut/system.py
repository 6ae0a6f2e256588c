"""A trained TasteLUT: knows a rater by an ideal point and a few tokens, and makes one map of colours for a photo."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.backbones.tone_statistics import ToneStatistics
from learning.renderers.lifting import through_table
from learning.systems import MODES, TITLES
from learning.systems.concepts import SLIDERS, Slider
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.shared import (
    best_device,
    described,
    pixels_of,
    read_settings,
    reduced,
    resized,
    tensor_of,
)
from learning.systems.tastelut.config import Config
from learning.systems.tastelut.network import Edit, Network, Sizes, Taste
from learning.systems.tastelut.preparing import CONCEPT_STEPS
from learning.systems.tastelut.reading import Raters, read_pairs, tastes
from learning.training import run_folder as runs
from learning.training.run_folder import RunError
from variants.tone.concepts import CONCEPTS
from variants.tone.statistics import IMAGE_SIZE

NAME = "tastelut"
TITLE = TITLES[NAME]
LARGE = 2**20
"""Pixels from which on an edit goes over a photo as a table."""
TABLE_SIZE = 33
SEEN_SIDE = 8 * IMAGE_SIZE
"""Short side of what is seen of a photo, in pixels: a large one is brought there in bounded memory."""
LEAST_CHANGE = 0.04
"""Ridge of telling a taste in concepts: a concept that tones hardly speak of stays at 0."""
ADJUSTMENT_DEVIATION = 0.5
"""Tones, in deviations: how exactly an adjustment by hand says where the ideal is."""


class TasteLut:
    """See `learning.systems.interface`: System, Scorer, ColorMapper, ConceptEditor.

    A profile holds `memory` (M, width), the ideal point's `ideal` (C·K,) and `covariance` (C·K, C·K), `concepts`
    (n_concepts,) set by hand, in their units, `mode` (1,) a position in MODES, and `answers` (1,) that it was read from.
    """

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = 256
    concepts: tuple[str, ...] = tuple(CONCEPT_STEPS)
    sliders: ClassVar[Mapping[str, Slider]] = {name: SLIDERS[NAME][name] for name in CONCEPT_STEPS}

    def __init__(self, network: Network, raters: Raters, config: Config) -> None:
        self.config, self.raters = config, raters
        self.edit_size = config.edit_size
        self._network = network.eval()
        self._statistics = ToneStatistics()
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        of_raters = {name: t for name, t in tensors.items() if name.startswith("raters.")}
        try:
            raters = Raters.from_tensors(of_raters)
        except ValueError as error:
            raise RunError(f"{run_folder}: {error}; go on with --resume, or train again") from error
        sizes = Sizes(len(raters.space.center), raters.space.n_tones, raters.space.n_contents)
        network = Network(sizes, config.network, config.look)
        runs.fill(network, {name: t for name, t in tensors.items() if name not in of_raters}, run_folder)
        return cls(network.to(best_device()), raters, config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self.tensors(), system=NAME)

    def tensors(self) -> dict[str, torch.Tensor]:
        """All that is trained."""
        return {**self._network.state_dict(), **self.raters.to_tensors()}

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Read a rater from any number of answers; from none it is what raters usually want, and unsure."""
        preferred = self._features([pair.preferred for pair in references])
        rejected = self._features([pair.rejected for pair in references])
        pairs = read_pairs(self._network, preferred, rejected)
        point = self.raters.taste(pairs)
        n = len(references)
        tokens = pairs.tokens if n else pairs.tokens.new_zeros(1, pairs.tokens.shape[-1])
        counted = torch.full((1, len(tokens)), n > 0, device=self._device)
        memory = self._network.reads(tokens[None], counted)[0]
        return {
            "memory": memory.float().cpu().numpy(),
            "ideal": point.mean.astype(np.float32),
            "covariance": point.covariance.astype(np.float32),
            "concepts": np.zeros(len(self.concepts), np.float32),
            "mode": np.zeros(1, np.float32),
            "answers": np.array([n], np.float32),
        }

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    def with_mode(self, profile: Profile, mode: str) -> Profile:
        """The same taste rendered in one of MODES."""
        if mode not in MODES:
            raise ValueError(f"there is no mode {mode!r}; there are: {', '.join(MODES)}")
        return {**profile, "mode": np.array([MODES.index(mode)], np.float32)}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """In bounded memory at any size; a photo that is to taste already comes back as it is, in metric mode."""
        guides = images if guides is None else guides
        return [
            self._render(image, guide, profile, strength) for image, guide in zip(images, guides, strict=True)
        ]

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        axis = np.linspace(0, 1, size, dtype=np.float32)
        lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)  # (R, G, B, 3)
        edited = self._edited(lattice.reshape(size, size * size, 3), guide, profile, strength)
        return edited.reshape(size, size, size, 3)

    @torch.inference_mode()
    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        """How little each image needs its edit, as a logit."""
        _, logits = self._plan(images, profile)
        scores: npt.NDArray[np.float32] = -logits.cpu().numpy()
        return scores

    def concept_strengths(self, profile: Profile) -> dict[str, float]:
        """What the taste is, told in concepts: how far from untouched photos, in each concept's unit."""
        told = self._in_concepts(self._usual_ideal(profile) - self.raters.neutral) + profile["concepts"]
        return {
            name: float(np.clip(value, CONCEPTS[name].low, CONCEPTS[name].high))
            for name, value in zip(self.concepts, told, strict=True)
        }

    def with_strengths(self, profile: Profile, strengths: Mapping[str, float]) -> Profile:
        changed = profile["concepts"].copy()
        learned = self._in_concepts(self._usual_ideal(profile) - self.raters.neutral)
        for name, value in strengths.items():
            self._check(name, value)
            index = self.concepts.index(name)
            changed[index] = value - learned[index]
        return {**profile, "concepts": changed}

    def adjusted(self, profile: Profile, concept: str, strength: float) -> Profile:
        """After the rater set a concept by hand: an observation of where their ideal is, along that concept.

        The posterior of a Gaussian seen along one direction, with deviation ADJUSTMENT_DEVIATION; unlike
        `with_strengths` it changes what is known of the rater, and nothing is set.
        """
        self._check(concept, strength)
        direction = self.raters.concepts[self.concepts.index(concept)]
        unit = direction / max(float(np.linalg.norm(direction)), 1e-9)
        contents = self.raters.space.n_contents
        row = np.tile(unit, contents) / contents  # of the mean over kinds of scenes
        covariance = profile["covariance"].astype(float)
        learned = self._in_concepts(self._usual_ideal(profile) - self.raters.neutral)
        missing = strength - learned[self.concepts.index(concept)]
        surprise = missing * float(np.linalg.norm(direction))
        seen = covariance @ row
        gain = seen / (row @ seen + ADJUSTMENT_DEVIATION**2)
        return {
            **profile,
            "ideal": (profile["ideal"] + gain * surprise).astype(np.float32),
            "covariance": (covariance - np.outer(gain, seen)).astype(np.float32),
            "answers": profile["answers"] + 1,
        }

    def certainty(self, profile: Profile) -> float:
        """From 0 (nothing known) to 1: by how much the answers have narrowed where the ideal point may be."""
        before = float(np.trace(self.raters.prior.covariance))
        return float(np.clip(1 - np.trace(profile["covariance"]) / before, 0, 1))

    def _check(self, name: str, value: float) -> None:
        if name not in self.concepts:
            raise ValueError(f"there is no concept {name!r}; there are: {', '.join(self.concepts)}")
        concept = CONCEPTS[name]
        if not concept.low <= value <= concept.high:
            raise ValueError(f"{name} is {value}; it must be from {concept.low} to {concept.high}")

    def _usual_ideal(self, profile: Profile) -> npt.NDArray[np.float64]:
        """The ideal tone (K,), over all kinds of scenes alike."""
        ideals: npt.NDArray[np.float64] = profile["ideal"].astype(float)
        mean: npt.NDArray[np.float64] = ideals.reshape(self.raters.space.n_contents, -1).mean(0)
        return mean

    def _in_concepts(self, tones: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Strengths (n_concepts,) whose effect on tones comes nearest, by ridge regression in the raters' metric."""
        weight = np.sqrt(self.raters.prior.metric)
        steps = np.array(list(CONCEPT_STEPS.values()))
        design = (self.raters.concepts * weight) * steps[:, None]
        ridge = LEAST_CHANGE * np.trace(design @ design.T) / len(design) * np.eye(len(design))
        found: npt.NDArray[np.float64] = np.linalg.solve(design @ design.T + ridge, design @ (weight * tones))
        found *= steps
        return found

    def _render(self, image: Pixels, guide: Pixels, profile: Profile, strength: float) -> Pixels:
        if image.shape[0] * image.shape[1] < LARGE:
            return self._edited(image, guide, profile, strength)
        return through_table(image, self.bake(guide, profile, size=TABLE_SIZE, strength=strength))

    @torch.inference_mode()
    def _edited(self, image: Pixels, guide: Pixels, profile: Profile, strength: float) -> Pixels:
        x = tensor_of(image, self._device)
        edit, logits = self._plan([guide], profile)
        own, gate = self._network.dial.tolist()
        if int(profile["mode"].round()[0]) == MODES.index("taste"):
            own = 1.0
        elif float(logits[0]) <= gate:
            own = 0.0
        edited = image if own * strength == 0 else pixels_of(torch.lerp(x, edit(x), own * strength))
        for name, value in zip(self.concepts, strength * profile["concepts"], strict=True):
            if value:
                concept = CONCEPTS[name]
                edited = concept.adjust(edited, float(np.clip(value, concept.low, concept.high)))
        return np.asarray(edited, np.float32)

    def _plan(self, photos: Sequence[Pixels], profile: Profile) -> tuple[Edit, torch.Tensor]:
        """Of each photo its edit, and the logit of needing it (n,)."""
        seen = self._network.sees(self._features(photos)[None])
        edit, logits = self._network.plans(seen, self._taste(profile))
        return edit, logits[0]

    def _taste(self, profile: Profile) -> Taste:
        memory = torch.tensor(profile["memory"], device=self._device)[None]
        return tastes(memory, [profile["ideal"]], [profile["covariance"]], self.raters.space.n_contents)

    def _features(self, images: Sequence[Pixels]) -> torch.Tensor:
        """Scaled statistics (n, S)."""
        size = (self._statistics.image_size,) * 2
        small = [tensor_of(reduced(image, SEEN_SIDE), self._device) for image in images]
        found = [self._statistics(resized(image, size)) for image in small]
        empty = torch.zeros(0, self._statistics.dim, device=self._device)
        return self._network.scaled(torch.cat([empty, *found]).float())


def load(run_folder: Path) -> TasteLut:
    """Raise RunError where the folder holds no whole run of this system."""
    return TasteLut.load(run_folder)
