"""From a backbone's name to the network."""

from typing import Protocol

import torch

from learning.backbones import TONE_STATISTICS, BackboneChoice
from learning.backbones.tone_statistics import ToneStatistics


class Backbone(Protocol):
    """Frozen: images in, one feature vector each out.

    Attributes:
        name: as in `--backbone`, without a path.
        dim: numbers in a feature vector.
        image_size: side of the squares that it looks at, in pixels.
        identity: what its features depend on, the weights' sha256 among it: features that were computed under
            one identity can stand for those under the same one, and for no others.
    """

    name: str
    dim: int
    image_size: int

    @property
    def identity(self) -> str: ...

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) sRGB in [0, 1], any size → (B, dim)."""

    def to(self, device: torch.device) -> object: ...


def load_backbone(
    text: str, *, imagenet_norm: bool = True, patch_mean: bool = False, bf16: bool = False
) -> Backbone:
    """Load what `--backbone` names; nothing is downloaded.

    Args:
        text: NAME or NAME=PATH; also timm:NAME and torchvision:NAME, with =PATH or without.
        imagenet_norm: whether DINOv2 gets its pixels normalised, as it was trained; the preference
            paper's code leaves this out.
        patch_mean: whether DINOv2 gives the mean of its patch tokens beside the class token.
        bf16: whether a network computes in bfloat16 where that keeps its precision (autocast).

    Raises:
        ValueError: there is no such backbone.
        WeightsMissing: its weights are not on this machine.
    """
    choice = BackboneChoice.parse(text)
    if choice.name == TONE_STATISTICS:
        return ToneStatistics()
    if not choice.library:
        from learning.backbones.dinov2 import load_dinov2  # transformers takes seconds to import

        return load_dinov2(choice, imagenet_norm=imagenet_norm, patch_mean=patch_mean, bf16=bf16)
    from learning.backbones.networks import input_facts, load_network  # timm takes seconds, too

    network = load_network(text)
    if choice.library == "timm" and "_dinov2" in choice.network:
        from learning.backbones.dinov2 import Dinov2

        return Dinov2(
            network, name=choice.name, imagenet_norm=imagenet_norm, patch_mean=patch_mean, bf16=bf16
        )
    from learning.backbones.inputs import Input
    from learning.backbones.pooled import PooledNetwork

    return PooledNetwork(network, Input(*input_facts(choice.name)), name=choice.name, bf16=bf16)
