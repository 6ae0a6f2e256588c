"""A trained network that reads raters and renders to their taste."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch

from learning.systems.exemplar.config import NAME, Config
from learning.systems.exemplar.network import Network
from learning.systems.interface import Profile, ReferencePair
from learning.systems.shared import best_device, described, read_settings
from learning.systems.style_parts.editing import FixedSizeEditor, union_of_profiles
from learning.systems.style_parts.examples import mean_in_linear_light
from learning.systems.style_parts.triplets import Triplets
from learning.training import run_folder as runs


class Exemplar(FixedSizeEditor):
    """See `learning.systems.interface.System`; with a LUT for lifting it is a ColorMapper too."""

    name: ClassVar[str] = NAME

    def __init__(self, network: Network, config: Config) -> None:
        self.config = config
        self.edit_size, self.reference_size = config.edit_size, 2 * config.embed_size
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

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Styles (N, k, D) and contents (N, D) of the references; ValueError without any."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self._squares([pair.preferred for pair in references], self.config.embed_size)
        rejected = self._squares([pair.rejected for pair in references], self.config.embed_size)
        original = mean_in_linear_light(preferred, rejected)
        for number, pair in enumerate(references):
            if pair.original is not None:
                original[number] = self._squares([pair.original], self.config.embed_size)[0]
        triplets = Triplets(preferred=preferred, rejected=rejected, original=original)
        return {
            "styles": self._network.styles_of(triplets, self.config).cpu().numpy(),
            "contents": self._network.contents_of(triplets, self.config).cpu().numpy(),
        }

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The references of all raters together, evenly thinned: the transformer reads any number."""
        return union_of_profiles(profiles)

    def _edited(self, squares: torch.Tensor, profile: Profile) -> torch.Tensor:
        return self._network.edited(squares, profile, self.config.embed_size)


def load(run_folder: Path) -> Exemplar:
    """Raise RunError where the folder holds no whole run of this system."""
    return Exemplar.load(run_folder)
