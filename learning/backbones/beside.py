"""A backbone with colour statistics beside its features, for what it was trained not to see."""

import torch
from torch import nn

from learning.backbones.load import Backbone
from learning.backbones.tone_statistics import ToneStatistics


class WithToneStatistics(nn.Module):
    """See `learning.backbones.load.Backbone`; the last `ToneStatistics.dim` features are the statistics."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone, self._statistics = backbone, ToneStatistics()
        self.name = backbone.name
        self.dim = backbone.dim + self._statistics.dim
        self.image_size = backbone.image_size

    @property
    def identity(self) -> str:
        return f"{self.backbone.identity} + {self._statistics.identity}"

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.backbone(images), self._statistics(images)], dim=1)
