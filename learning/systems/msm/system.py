"""A trained network that reads liked photos and renders to the taste in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.systems.interface import Pixels, Profile, ReferencePair
from learning.systems.msm.config import NAME, Config
from learning.systems.msm.network import Network
from learning.systems.shared import (
    best_device,
    described,
    pixels_of,
    read_settings,
    resized,
    tensor_of,
    without_frame,
)
from learning.systems.style_parts.attention import attention_weights
from learning.systems.style_parts.editing import FixedSizeEditor, lifted, union_of_profiles
from learning.systems.style_parts.liked import degraded
from learning.systems.style_parts.losses import shrunk
from learning.training import run_folder as runs

PHOTOS_AT_ONCE = 32
"""In reading references; bounds memory."""


class MaskedStyleModel(FixedSizeEditor):
    """See `learning.systems.interface.System` and `PhotoReader`; a ColorMapper where a LUT lifts its edit."""

    name: ClassVar[str] = NAME

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size, self.reference_size = config.edit_size, 2 * config.edit_size
        self._network = network.eval()
        self._device = next(network.parameters()).device
        self._lifting = config.lifting

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        network = Network(config)
        runs.fill(network, runs.read_weights(run_folder, system=NAME), run_folder)
        return cls(network.to(best_device()), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """The preferred images alone are read, against pseudo originals where their own are not at hand.

        Raises:
            ValueError: there are no references.
        """
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        return self._profile([pair.preferred for pair in references], [pair.original for pair in references])

    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        """Styles (N, D) and contents (N, D) of liked photos; ValueError without photos."""
        if not photos:
            raise ValueError("photos is empty; a taste is read from at least one photo")
        return self._profile([without_frame(photo) for photo in photos], [None] * len(photos))

    def adapt_to_retouched(self, retouched: Sequence[Pixels], originals: Sequence[Pixels]) -> Profile:
        """As `adapt_to_photos`, where the photos' own originals are at hand: the published way.

        Args:
            retouched: photos as somebody likes them.
            originals: for each the same photo before, of any size.
        """
        if not retouched:
            raise ValueError("retouched is empty; a taste is read from at least one photo")
        return self._profile(retouched, originals)

    def pseudo_original(self, photo: Pixels) -> Pixels:
        """A liked photo as it may have been before, at its own size."""
        return lifted(*self._small_degraded(photo), photo, self._lifting)

    def attention(self, profile: Profile, photo: Pixels, *, method: str = "flow") -> npt.NDArray[np.float32]:
        """How much the style predicted for the photo draws on each reference, (N,) with sum 1.

        Args:
            profile: from `adapt`, with N references.
            photo: what is to be edited.
            method: flow or rollout, see `learning.systems.style_parts.attention`.

        Raises:
            ValueError: the run has no transformer to look into.
        """
        if self._network.masked is None:
            raise ValueError("this run predicts by a weighted average and has no attention to follow")
        with torch.inference_mode():
            square = self._squares([photo], self.edit_size)
            inputs = self._network.inputs_of(square, profile, self.config.embed_size)
            layers = self._network.masked.attention(*inputs)
        return attention_weights(layers.cpu().numpy(), method=method)

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The references of all together, evenly thinned: the transformer reads any number."""
        return union_of_profiles(profiles)

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        return self._network.edited(squares, profile, self.config.embed_size)

    @torch.inference_mode()
    def _profile(self, photos: Sequence[Pixels], originals: Sequence[Pixels | None]) -> Profile:
        both = list(zip(photos, originals, strict=True))
        read = [
            self._read(*zip(*both[start : start + PHOTOS_AT_ONCE], strict=True))
            for start in range(0, len(both), PHOTOS_AT_ONCE)
        ]
        styles, contents = (torch.cat(part).cpu().numpy() for part in zip(*read, strict=True))
        return {"styles": styles, "contents": contents}

    def _read(
        self, photos: Sequence[Pixels], originals: Sequence[Pixels | None]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Styles and contents, (n, D) each; an original that is not at hand is made."""
        retouched = self._squares(photos, self.edit_size)
        before = torch.empty_like(retouched)
        missing = [n for n, original in enumerate(originals) if original is None]
        for number, original in enumerate(originals):
            if original is not None:
                before[number] = self._squares([original], self.edit_size)[0]
        if missing:
            before[missing] = degraded(retouched[missing], self._network.degrader, self.edit_size)
        retouched, before = (shrunk(images, self.config.embed_size) for images in (retouched, before))
        return self._network.style.style(retouched, before), self._network.content(before)

    @torch.inference_mode()
    def _small_degraded(self, photo: Pixels) -> tuple[Pixels, Pixels]:
        square = resized(tensor_of(photo, self._device), (self.edit_size,) * 2)
        return pixels_of(square), pixels_of(degraded(square, self._network.degrader, self.edit_size))


def load(run_folder: Path) -> MaskedStyleModel:
    """Raise RunError where the folder holds no whole run of this system."""
    return MaskedStyleModel.load(run_folder)
