"""Features of a network at the layers that content and style are compared at, and masks that follow them."""

import torch
import torch.nn.functional as F
from torch import nn

from learning.backbones.networks import load_network, new_network

LAYERS: dict[str, tuple[tuple[int, ...], int]] = {
    # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1; content relu4_2.
    "vgg19": ((1, 6, 11, 20, 29), 22),
    "squeezenet1_1": ((1, 4, 7, 10, 12), 9),
}
"""Of torchvision's `features`: the layers of the style, and the one of the content."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""BGR, levels."""


class FeatureMaps(nn.Module):
    """Frozen: images → maps of features at the style's layers, and at the content's."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, network: nn.Module, name: str, *, pixels: str = "torchvision") -> None:
        """Args: `network` with `features`, `name` one of LAYERS, `pixels` as `LossConfig.input`."""
        super().__init__()
        self.style_at, self.content_at = LAYERS[name]
        features = network.features
        assert isinstance(features, nn.Sequential)
        self.layers = features[: max(*self.style_at, self.content_at) + 1].eval().requires_grad_(False)
        self.is_caffe = pixels == "caffe"
        mean, std = (CAFFE_MEAN, (1.0,) * 3) if self.is_caffe else (IMAGENET_MEAN, IMAGENET_STD)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """(B, 3, H, W) in [0, 1] → maps (B, C, h, w) at each of the style's layers, and at the content's."""
        x = images.flip(1) * 255 if self.is_caffe else images
        x = (x - self.mean) / self.std
        style = []
        content = x
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number in self.style_at:
                style.append(x)
            if number == self.content_at:
                content = x
        return style, content

    def masks_of(self, masks: torch.Tensor, size: tuple[int, int]) -> list[torch.Tensor]:
        """Masks (B, K, H, W) at each of the style's layers, for images of this size.

        They shrink wherever the maps do, and are blurred over 3 × 3 wherever a layer looks so far.
        """
        with torch.no_grad():
            x = torch.zeros((1, 3, *size), device=self.mean.device)
            found = []
            for number, layer in enumerate(self.layers):
                x = layer(x)
                if x.shape[-2:] != masks.shape[-2:]:
                    masks = F.adaptive_avg_pool2d(masks, x.shape[-2:])
                if _looks_around(layer):
                    masks = F.avg_pool2d(masks, 3, stride=1, padding=1, count_include_pad=False)
                if number in self.style_at:
                    found.append(masks)
        return found


def load_features(backbone: str, *, pixels: str = "torchvision") -> FeatureMaps:
    """Raise WeightsMissing where the weights are not on this machine, ValueError for another network."""
    name = _name_of(backbone)
    return FeatureMaps(load_network(backbone), name, pixels=pixels)


def new_features(backbone: str, seed: int) -> FeatureMaps:
    """The same with random weights, for tests: what a loss of it is worth, nobody knows."""
    return FeatureMaps(new_network(backbone, seed), _name_of(backbone))


def _name_of(backbone: str) -> str:
    library, _, rest = backbone.partition(":")
    name = rest.partition("=")[0]
    if library != "torchvision" or name not in LAYERS:
        known = ", ".join(f"torchvision:{known}" for known in LAYERS)
        raise ValueError(f"backbone is {backbone!r}; the layers of content and style are known for {known}")
    return name


def _looks_around(layer: nn.Module) -> bool:
    sizes = [m.kernel_size for m in layer.modules() if isinstance(m, nn.Conv2d)]
    return any(size[0] > 1 for size in sizes)
