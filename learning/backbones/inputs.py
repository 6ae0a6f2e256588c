"""How images are made ready for networks that recognise things: one square size, one normalisation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Input(nn.Module):
    """(B, 3, H, W) sRGB in [0, 1], any size → (B, 3, size, size), normalised.

    The whole image is brought to a square, as in the preference paper's code: nothing is cut off.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(tuple(std)).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.shape[-2:] != (self.size, self.size):
            # Bicubic rings beyond the range at hard edges.
            images = F.interpolate(images, (self.size, self.size), mode="bicubic", antialias=True).clamp(0, 1)
        return (images - self.mean) / self.std

    @property
    def identity(self) -> str:
        facts = [self.mean.flatten().tolist(), self.std.flatten().tolist()]
        return f"{self.size}px {'/'.join(','.join(f'{x:g}' for x in numbers) for numbers in facts)}"
