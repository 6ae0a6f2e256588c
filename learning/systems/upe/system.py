"""A trained network that reads raters and renders to their taste."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from learning.backbones.beside import WithToneStatistics
from learning.backbones.load import Backbone, load_backbone
from learning.backbones.tone_statistics import ToneStatistics
from learning.renderers.lifting import through_table
from learning.systems import TITLES
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.shared import best_device, described, pixels_of, read_settings, resized, tensor_of
from learning.systems.upe.config import Config
from learning.systems.upe.network import ColorEditor, Network
from learning.training import run_folder as runs

NAME = "upe"
TITLE = TITLES[NAME]
LARGE = 2**20
"""Pixels from which on a colour map goes over a photo as a table."""
TABLE_SIZE = 33


class Upe:
    """A trained network. See `learning.systems.interface.System`."""

    name: ClassVar[str] = NAME
    reference_size: ClassVar[int] = 256

    def __init__(self, network: Network, backbone: Backbone, config: Config) -> None:
        self.config = config
        self.edit_size = config.edit_size
        self._network = network.eval()
        self._backbone = backbone
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        backbone = backbone_of(config)
        network = Network(backbone.dim, config, color_features(config))
        runs.fill(network, tensors, run_folder)
        device = best_device()
        backbone.to(device)
        return cls(network.to(device), backbone, config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    @torch.inference_mode()
    def adapt(self, references: Sequence[ReferencePair]) -> Profile:
        """Raise ValueError without references: a profile of nothing would be made up."""
        if not references:
            raise ValueError("references is empty; a rater is read from at least one answer")
        preferred = self._features([pair.preferred for pair in references])
        rejected = self._features([pair.rejected for pair in references])
        embedding = self._network.reader(preferred[None], rejected[None])[0]
        return {"embedding": embedding.cpu().numpy()}

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        return mean_of_profiles(profiles)

    @torch.inference_mode()
    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """In bounded memory at any size; from `LARGE` pixels on a colour map goes through a table of itself."""
        guides = images if guides is None else guides
        return [
            self._render(image, guide, profile, strength) for image, guide in zip(images, guides, strict=True)
        ]

    @torch.inference_mode()
    def score(self, images: Sequence[Pixels], profile: Profile) -> npt.NDArray[np.float32]:
        """How near each image is to the rater's taste; only with a gate (else ValueError)."""
        if self._network.gate is None:
            raise ValueError(f"the preset {self.config.preset!r} has no gate and cannot score images")
        features = self._features(images)
        logits = self._network.gate(self._embedding(profile).expand(len(features), -1), features)
        scores: npt.NDArray[np.float32] = -logits.cpu().numpy()
        return scores

    @torch.inference_mode()
    def bake(
        self, guide: Pixels, profile: Profile, *, size: int = 33, strength: float = 1.0
    ) -> npt.NDArray[np.float32]:
        """See `learning.systems.interface.ColorMapper`; ValueError where the edit depends on the place."""
        if not isinstance(self._network.editor, ColorEditor):
            raise ValueError(
                f"the preset {self.config.preset!r} edits each place differently; no LUT can hold its edit"
            )
        return np.clip(self._table(guide, profile, size, strength), 0, 1)

    def _render(self, image: Pixels, guide: Pixels, profile: Profile, strength: float) -> Pixels:
        if image.shape[0] * image.shape[1] < LARGE or not isinstance(self._network.editor, ColorEditor):
            return pixels_of(self._edited(tensor_of(image, self._device), guide, profile, strength))
        return through_table(image, self._table(guide, profile, TABLE_SIZE, strength))

    def _table(self, guide: Pixels, profile: Profile, size: int, strength: float) -> npt.NDArray[np.float32]:
        """(size, size, size, 3), not clipped: what bends at the edge of the range cannot be interpolated."""
        axis = torch.linspace(0, 1, size, device=self._device)
        lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))  # (3, R, G, B)
        edited = self._edited(lattice.reshape(1, 3, size, size * size), guide, profile, strength)
        table: npt.NDArray[np.float32] = edited[0].permute(1, 2, 0).reshape(size, size, size, 3).cpu().numpy()
        return np.ascontiguousarray(table)

    def _edited(self, x: torch.Tensor, guide: Pixels, profile: Profile, strength: float) -> torch.Tensor:
        """(1, 3, H, W) → the same, not clipped."""
        network, embedding = self._network, self._embedding(profile)
        features = self._features([guide])
        plan = network.editor.plan(embedding, features, tensor_of(guide, self._device))
        edited: torch.Tensor = network.editor(x, plan)
        amount = strength if network.gate is None else strength * network.gate(embedding, features).sigmoid()
        return x + amount * (edited - x)

    def _features(self, images: Sequence[Pixels]) -> torch.Tensor:
        """(n, D), scaled."""
        size = (self._backbone.image_size,) * 2
        squares = [resized(tensor_of(image, self._device), size) for image in images]
        pieces = [self._backbone(torch.cat(squares[i : i + 64])) for i in range(0, len(squares), 64)]
        return self._network.scaled(torch.cat(pieces).float())

    def _embedding(self, profile: Profile) -> torch.Tensor:
        return torch.tensor(profile["embedding"], device=self._device)[None]


def backbone_of(config: Config) -> Backbone:
    """What the config's features come from; WeightsMissing where the weights are not on this machine."""
    backbone = load_backbone(
        config.backbone,
        imagenet_norm=config.imagenet_norm,
        patch_mean=config.patch_mean,
        bf16=config.bf16_features,
    )
    return WithToneStatistics(backbone) if config.color_tokens else backbone


def color_features(config: Config) -> int:
    """How many of the features are colour statistics beside a backbone's own."""
    return ToneStatistics.dim if config.color_tokens else 0


def load(run_folder: Path) -> Upe:
    """Raise RunError where the folder holds no whole run of this system."""
    return Upe.load(run_folder)
