"""A trained user-specific decoder, loaded from its run folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch

from learning.renderers.hiif import HiifHead
from learning.renderers.liif import LiifDecoder
from learning.renderers.tiles import residual_in_tiles
from learning.systems.interface import Pixels, Profile, ReferencePair, mean_of_profiles
from learning.systems.shared import best_device, described, pixels_of, read_settings, tensor_of
from learning.systems.user_decoder.adapting import train_head
from learning.systems.user_decoder.config import NAME, Config
from learning.systems.user_decoder.network import (
    Network,
    fill_head,
    new_head,
    new_network,
    profile_of_head,
)
from learning.training import run_folder as runs
from variants.progress import Report, silent


class UserDecoder:
    """See `learning.systems.interface.System`. A profile is a rater's head, all of its weights."""

    name: ClassVar[str] = NAME
    needs_aligned_pairs: ClassVar[bool] = True
    """References whose images do not show the same thing pixel by pixel teach nothing."""

    def __init__(self, network: Network, config: Config) -> None:
        """`network.head` is the mean of the training raters' heads."""
        self.config = config
        self.edit_size = config.edit_size
        self.reference_size = config.reference_size
        self._network = network.eval().requires_grad_(False)
        self._device = next(network.parameters()).device

    @classmethod
    def load(cls, run_folder: Path) -> Self:
        run_folder = Path(run_folder)
        config = read_settings(run_folder, NAME, Config)
        tensors = runs.read_weights(run_folder, system=NAME)
        network = new_network(config)
        runs.fill(network, tensors, run_folder)
        return cls(network.to(best_device()), config)

    def save(self, run_folder: Path) -> None:
        runs.write_config(Path(run_folder), described(NAME, self.config))
        runs.write_weights(Path(run_folder), self._network.state_dict(), system=NAME)

    def adapt(self, references: Sequence[ReferencePair], report: Report = silent) -> Profile:
        """Train a head on the references; see `learning.systems.user_decoder.adapting`.

        Args:
            references: one or more; of one alone a head learns to make photos alike to it.
            report: told of every step.

        Raises:
            ValueError: there are no references.
            TrainingError: the loss is no longer a number.
        """
        if not references:
            raise ValueError("references is empty; a rater's head is trained on at least one answer")
        head = self._head(self.mean_head() if self.config.adapt.start == "mean" else None)
        train_head(head, self._network.encoder, references, self.config, self._device, report)
        return profile_of_head(head)

    def mean_head(self) -> Profile:
        """The mean of the training raters' heads."""
        return profile_of_head(self._network.head)

    def mean_profile(self, profiles: Sequence[Profile]) -> Profile:
        """The head whose every weight is the mean of theirs."""
        return mean_of_profiles(profiles)

    def render(
        self,
        images: Sequence[Pixels],
        profile: Profile,
        guides: Sequence[Pixels] | None = None,
        *,
        strength: float = 1.0,
    ) -> list[Pixels]:
        """See `learning.systems.interface.System`; photos of any size, in tiles.

        A guide may have another size than its image: the head is then asked between the guide's pixels.

        Raises:
            ValueError: the profile is not of this run, or there are not as many guides as images.
        """
        head = self._head(profile)
        guides = images if guides is None else guides
        return [
            self._render(image, guide, head, strength) for image, guide in zip(images, guides, strict=True)
        ]

    @torch.inference_mode()
    def _render(self, image: Pixels, guide: Pixels, head: HiifHead | LiifDecoder, strength: float) -> Pixels:
        x, guide_x = tensor_of(image, self._device), tensor_of(guide, self._device)
        residual = residual_in_tiles(
            self._network.encoder, head, guide_x, x.new_zeros((1, 0)), (x.shape[-2], x.shape[-1])
        )
        return pixels_of(x.add_(residual, alpha=strength))

    def _head(self, profile: Profile | None) -> HiifHead | LiifDecoder:
        """With the profile's weights, or as every rater's head started."""
        head = new_head(self.config)
        if profile is not None:
            fill_head(head, profile)
        return head.to(self._device).eval()


def load(run_folder: Path) -> UserDecoder:
    """Raise RunError where the folder holds no whole run of this system."""
    return UserDecoder.load(run_folder)
