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
    """

    name: str
    dim: int
    image_size: int

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) sRGB in [0, 1], any size → (B, dim)."""

    def to(self, device: torch.device) -> object: ...


def load_backbone(text: str, *, imagenet_norm: bool = True) -> Backbone:
    """Load what `--backbone` names; nothing is downloaded.

    Args:
        text: NAME or NAME=PATH.
        imagenet_norm: whether DINOv2 gets its pixels normalised, as it was trained; the preference
            paper's code leaves this out.

    Raises:
        ValueError: there is no such backbone.
        WeightsMissing: its weights are not on this machine.
    """
    choice = BackboneChoice.parse(text)
    if choice.name == TONE_STATISTICS:
        return ToneStatistics()
    from learning.backbones.dinov2 import load_dinov2  # transformers takes seconds to import

    return load_dinov2(choice, imagenet_norm=imagenet_norm)
