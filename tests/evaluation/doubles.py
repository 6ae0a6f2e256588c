"""Small real systems: they read references and render, without any network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles


@dataclass(frozen=True)
class DoubleConfig:
    backbone: str = "none"


class _Double:
    name = "double"
    config = DoubleConfig()
    reference_size = 64
    edit_size = 64

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        return cls()

    def save(self, run_folder: Path) -> None:
        raise NotImplementedError

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)


class DoesNothing(_Double):
    """Gives every image back."""

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        return {"nothing": np.zeros(1, np.float32)}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        **_: Any,
    ) -> list[Pixels]:
        return list(images)


class MeanColour(_Double):
    """Moves each image's mean colour towards the mean colour of what the rater preferred."""

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        shifts = [pair.preferred.mean((0, 1)) - pair.rejected.mean((0, 1)) for pair in references]
        return {"shift": np.mean(shifts, axis=0, dtype=np.float32)}

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        **_: Any,
    ) -> list[Pixels]:
        return [np.clip(image + profile["shift"], 0, 1).astype(np.float32) for image in images]


class MeanColourScored(MeanColour):
    """Scores images too: by how far their mean colour lies along the rater's shift."""

    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        return np.array([image.mean((0, 1)) @ profile["shift"] for image in images], np.float32)
