"""Any network of timm or torchvision as a backbone: its pooled features, frozen."""

from functools import cached_property
from typing import Any

import torch
from torch import nn

from learning.backbones.inputs import Input
from learning.backbones.tensors import weights_hash


class PooledNetwork(nn.Module):
    """See `learning.backbones.load.Backbone`; `network` maps (B, 3, S, S) to (B, D), as `load_network` gives it."""

    def __init__(self, network: nn.Module, made_ready: Input, *, name: str, bf16: bool = False) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.made_ready = made_ready
        self.name = name
        self.image_size = made_ready.size
        self.bf16 = bf16
        self.dim = int(self(torch.zeros(1, 3, made_ready.size, made_ready.size)).shape[1])

    @torch.no_grad()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            features: torch.Tensor = self.network(self.made_ready(images))
        return features.flatten(1).float()

    @cached_property
    def identity(self) -> str:
        precision = " bf16" if self.bf16 else ""
        return f"{self.name} {self.made_ready.identity}{precision} {weights_hash(self.network)}"

    def train(self, mode: bool = True) -> Any:
        """It stays as it is: a frozen network's statistics of batches are frozen too."""
        return super().train(False)
