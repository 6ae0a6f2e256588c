"""A trained Neural Preset: styles of photos, presets, and rendering."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles, weighted_profile
from learning.systems.neural_preset.config import NAME, Config
from learning.systems.neural_preset.network import Network
from learning.systems.neural_preset.plan import ColorMap, ColorPlan, Normalised
from learning.systems.neural_preset.presets import Preset, PresetError
from learning.systems.shared import (
    best_device,
    described,
    read_settings,
    reduced,
    resized,
    tensor_of,
    without_frame,
)
from learning.training import run_folder as runs


class NeuralPreset:
    """See `learning.systems.interface.System`, ColorMapper and PhotoReader."""

    name: ClassVar[str] = NAME

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self.reference_size = config.encoder.image_size
        self._network = network.eval().requires_grad_(False)
        self._device = next(network.parameters()).device
        self._fingerprint = ""

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        network = Network(config)
        runs.fill(network, tensors, run_folder)
        return cls(network.to(best_device()), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """The mean style of what was preferred, with `contrast` pushed on from the mean of what was rejected.

        Raises:
            ValueError: there are no references.
        """
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self.styles([pair.preferred for pair in references]).mean(axis=0)
        if self.config.contrast:
            rejected = self.styles([pair.rejected for pair in references]).mean(axis=0)
            preferred = preferred + np.float32(self.config.contrast) * (preferred - rejected)
        return {"style": preferred}

    def adapt_to_photos(self, photos: Sequence[Pixels]) -> Profile:
        if not photos:
            raise ValueError("photos is empty; a style is read from at least one photo")
        return {"style": self.styles([without_frame(photo) for photo in photos]).mean(axis=0)}

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    def mixed(self, profiles: Sequence[Profile], weights: Sequence[float]) -> Profile:
        """See `learning.systems.interface.Mixer`."""
        return weighted_profile(profiles, weights)

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        guides = images if guides is None else guides
        return [
            self.plan(guide, profile, strength=strength)(np.asarray(image, np.float32))
            for image, guide in zip(images, guides, strict=True)
        ]

    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        return self.plan(guide, profile, strength=strength).table(size)

    def plan(self, guide: Pixels, profile: Profile, *, strength: float = 1.0) -> ColorPlan:
        """Everything before the first pixel: what is done to photos like the guide for this taste."""
        return ColorPlan(self._normaliser(guide), self._stylist(profile), self._device, strength)

    def normalise(self, image: Pixels, guide: Pixels | None = None) -> Normalised:
        """The first half of `render`, to be kept: it is the same for all styles."""
        image = np.asarray(image, np.float32)
        return Normalised(image, self._normaliser(image if guide is None else guide), self._device)

    @torch.inference_mode()
    def stylise(self, normalised: Normalised, profile: Profile, *, strength: float = 1.0) -> Pixels:
        """The second half of `render`; both together are the same as `render`."""
        return normalised.stylised(self._stylist(profile), strength, self._device)

    def render_profiles(
        self,
        image: Pixels,
        profiles: Sequence[Profile],
        guide: Pixels | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """One photo in many styles, normalised once."""
        normalised = self.normalise(image, guide)
        return [self.stylise(normalised, profile, strength=strength) for profile in profiles]

    def preset(self, name: str, profile: Profile) -> Preset:
        """A style with a name, to be written to a file."""
        return Preset(name=name, style=profile["style"], network=self.fingerprint)

    def profile_of(self, preset: Preset) -> Profile:
        """Raise PresetError for a preset of another network, whose numbers mean something else."""
        if preset.network != self.fingerprint:
            raise PresetError(
                f"the preset {preset.name!r} was made with another trained network ({preset.network[:8]}, this one is "
                f"{self.fingerprint[:8]}); use the run that it was made with, or its .cube"
            )
        return {"style": preset.style}

    @property
    def fingerprint(self) -> str:
        self._fingerprint = self._fingerprint or self._network.fingerprint()
        return self._fingerprint

    def styles(self, photos: Sequence[Pixels]) -> npt.NDArray[np.float32]:
        """R of each photo, (n, k²)."""
        return np.concatenate([self._encoded(photo)[1].cpu().numpy() for photo in photos])

    @torch.inference_mode()
    def _encoded(self, photo: Pixels) -> tuple[torch.Tensor, torch.Tensor]:
        """D and r, (1, k²) each; photos one by one, so that their company cannot change their numbers."""
        size = self._network.encoder.image_size
        small = reduced(photo, 2 * size)
        normal, style = self._network.encoder(resized(tensor_of(small, self._device), (size, size)))
        return normal, style

    def _normaliser(self, guide: Pixels) -> ColorMap:
        return ColorMap(self._network.normaliser, self._encoded(guide)[0])

    def _stylist(self, profile: Profile) -> ColorMap:
        style = torch.tensor(profile["style"], dtype=torch.float32, device=self._device)
        if style.shape != (self._network.k**2,):
            raise ValueError(
                f"the profile's style is {tuple(style.shape)}; with k {self._network.k} it is {self._network.k**2} numbers"
            )
        return ColorMap(self._network.stylist, style)


def load(run_folder: Path) -> NeuralPreset:
    """Raise RunError where the folder holds no whole run of this system."""
    return NeuralPreset.load(run_folder)
