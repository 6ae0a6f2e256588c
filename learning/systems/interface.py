"""What every system can do, whatever network it has: read a rater, and render to their taste."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from learning.systems.concepts import Slider
from variants.progress import Report

Pixels = npt.NDArray[np.float32]
"""(H, W, 3) sRGB in [0, 1]."""
Profile = dict[str, npt.NDArray[np.float32]]
"""What a system knows of one rater, as named arrays; only the system itself knows what they mean."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferencePair:
    """One answer of a rater; the images may be of different sizes."""

    preferred: Pixels
    rejected: Pixels
    original: Pixels | None = None
    """The scene of the preferred image as it was taken; None where it is not at hand."""


class System(Protocol):
    """A trained system, loaded from its run folder.

    Attributes:
        name: as in `--system`.
        config: the frozen dataclass that it was trained with.
        reference_size: long side, in pixels, at which it wants reference images; larger ones are reduced.
        edit_size: long side at which it was trained to edit; `render` takes any size.
    """

    name: str
    config: Any
    reference_size: int
    edit_size: int

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        """Raise RunError where the folder holds no whole run of this system."""

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Read a rater from their answers; the order of the references does not matter."""

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The profile of the average rater."""

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """Edit each image to the rater's taste, at its own size.

        Args:
            images: what is edited.
            profile: whose taste, from `adapt`.
            guides: for each image the photo that its edit is computed from; the image itself by default.
            strength: 0 leaves the photo as it is, 1 is the system's own measure.
        """

    def save(self, run_folder: Path) -> None: ...


@runtime_checkable
class Scorer(Protocol):
    """A system that can also say how much a rater likes an image."""

    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        """One number for each image; of two images of a scene the preferred one should have the larger."""


@runtime_checkable
class ColorMapper(Protocol):
    """A system whose edit of a photo is one map of colours, the same at every place."""

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """The map on a lattice: (size, size, size, 3), indexed [red, green, blue], values sRGB in [0, 1]."""


@runtime_checkable
class PhotoReader(Protocol):
    """A system that reads a taste from photos somebody likes, with nothing to compare them with."""

    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """A taste from one liked photo or more, of any sizes; their order does not matter."""


@runtime_checkable
class LongReader(Protocol):
    """A PhotoReader whose reading is a fit of minutes to hours: it is watched, stopped and resumed."""

    def invert(
        self, photos: Sequence[Pixels], folder: Path, report: Report = ..., *, resume: bool = False
    ) -> Profile:
        """As `adapt_to_photos`, with checkpoints in the folder."""


class Noted(Protocol):
    """An edited photo, and what there is to say of how it came out."""

    @property
    def image(self) -> Pixels: ...

    @property
    def notes(self) -> tuple[str, ...]: ...


@runtime_checkable
class LongEditor(Protocol):
    """A system whose edit of one photo may be a fit of minutes, of which there may be something to say."""

    def transfer(
        self,
        image: Pixels,
        profile: Profile,
        *,
        labels: npt.ArrayLike | None = None,
        strength: float = 1.0,
        report: Report = ...,
    ) -> Noted:
        """With `labels`, a mask (H, W) of whole numbers, segment by segment."""


@runtime_checkable
class ConceptEditor(Protocol):
    """A system whose edit is made of named photographic concepts, each with its strength.

    Attributes:
        sliders: of each concept, in the order of their application; as in `learning.systems.concepts.SLIDERS`.
    """

    sliders: Mapping[str, Slider]

    def concept_strengths(self, profile: Profile) -> dict[str, float]:
        """What was learned of each concept, in its slider's unit: where the slider starts. Empty for a taste without."""

    def with_strengths(self, profile: Profile, strengths: Mapping[str, float]) -> Profile:
        """The same taste with some concepts set by hand; ValueError for a name or value that cannot be."""


@runtime_checkable
class AdjustmentReader(Protocol):
    """A system to which a concept that the rater sets by hand is an answer too."""

    def adjusted(self, profile: Profile, concept: str, strength: float) -> Profile:
        """What is known of the rater after they wanted this much of a concept, in its slider's unit.

        Unlike `ConceptEditor.with_strengths` nothing is set: the taste itself is read anew.

        Raises:
            ValueError: for a name or value that cannot be.
        """


@runtime_checkable
class ModeEditor(Protocol):
    """A system that renders a taste in one of `learning.systems.MODES`; a profile begins in the first of them."""

    def with_mode(self, profile: Profile, mode: str) -> Profile:
        """The same taste rendered in another mode; ValueError for one that there is not."""


@runtime_checkable
class WordReader(Protocol):
    """A system that takes a taste from words as well."""

    def adapt_to_words(self, words: Mapping[str, str]) -> Profile:
        """A taste in attributes by concept, such as {"exposure": "dark"}; ValueError for one that there is not."""


@runtime_checkable
class Mixer(Protocol):
    """A system that makes one taste of several."""

    def mixed(self, profiles: Sequence[Profile], weights: Sequence[float]) -> Profile:
        """By weights that need not sum to 1; what the tastes have in opposite directions cancels.

        Raises:
            ValueError: weights are missing or negative, or all are 0.
        """


@runtime_checkable
class Explainer(Protocol):
    """A system that can say which of its references an edit drew on."""

    def attention(self, profile: Profile, photo: Pixels) -> npt.NDArray[np.float32]:
        """How much the edit of the photo draws on each of the N references of the profile: (N,) with sum 1.

        Raises:
            ValueError: this run was trained without the part that can tell.
        """


def mean_of_profiles(profiles: Sequence[Profile]) -> Profile:
    """The mean of each named array."""
    if not profiles:
        raise ValueError("profiles is empty; a mean needs at least one")
    names = profiles[0].keys()
    return {name: np.mean([p[name] for p in profiles], axis=0, dtype=np.float32) for name in names}


def weighted_profile(profiles: Sequence[Profile], weights: Sequence[float]) -> Profile:
    """The weighted mean of each named array; ValueError as `Mixer.mixed`."""
    shares = np.asarray(weights, np.float64)
    if len(profiles) != len(shares) or not profiles:
        raise ValueError(
            f"there are {len(profiles)} profiles and {len(shares)} weights; one for each is needed"
        )
    if not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"weights is {list(weights)}; they must be 0 or more, and one of them above 0")
    return {
        name: np.average([p[name] for p in profiles], axis=0, weights=shares).astype(np.float32)
        for name in profiles[0]
    }
