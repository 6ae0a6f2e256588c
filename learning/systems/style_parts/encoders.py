"""Style and content of a photo, each by a network of ResNet-18's shape.

Source: K. He et al. (2016), ResNet; the style as a difference and the content as a 2 × 2
layout are those of Kosugi and Yamasaki (2024).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from learning.backbones import WeightsMissing
from learning.backbones.networks import load_network

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of R, G and B: what the encoders see is normalised by them."""
LAYOUTS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderConfig:
    width: int = 64
    """Channels of the first layer; 64 is ResNet-18, and an embedding has 8 times as many numbers."""
    layout: int = 2
    """The content is pooled to layout × layout places."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is {self.width}; it must be 1 or more")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout is {self.layout}; it must be one of {', '.join(map(str, LAYOUTS))}")
        if self.embedding % self.layout**2:
            raise ValueError(
                f"an embedding of {self.embedding} numbers cannot be shared among {self.layout**2} places; "
                "take a larger width or a smaller layout"
            )

    @property
    def embedding(self) -> int:
        """Numbers in a style and in a content."""
        return 8 * self.width


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut; names as in ImageNet checkpoints."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, last_relu: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else None
        )
        self.last_relu = last_relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut
        return F.relu(x) if self.last_relu else x


class ResNet18(nn.Module):
    """ResNet-18 without its classifier, at any width; names of tensors as in ImageNet checkpoints."""

    def __init__(self, width: int, *, last_relu: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(Block(width, width, 1), Block(width, width, 1))
        self.layer2 = nn.Sequential(Block(width, 2 * width, 2), Block(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(Block(2 * width, 4 * width, 2), Block(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(
            Block(4 * width, 8 * width, 2), Block(8 * width, 8 * width, 1, last_relu=last_relu)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) in [0, 1] → maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size."""
        first = F.relu(self.bn1(self.conv1(normalised(images))))
        maps = [first]
        x = F.max_pool2d(first, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


class StyleEncoder(nn.Module):
    """ψ: a photo's embedding, of which differences are styles; without the last ReLU, pooled over the photo."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.resnet = ResNet18(config.width, last_relu=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, D)."""
        embedded: torch.Tensor = self.resnet(images)[-1].mean(dim=(2, 3))
        return embedded

    def style(self, retouched: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
        """ψ(retouched) - ψ(original), (B, D); both go through in one batch. Swapping them turns the sign."""
        return self.styles([retouched], original)[0]

    def styles(self, retouched: list[torch.Tensor], original: torch.Tensor) -> list[torch.Tensor]:
        """As `style`, for several retouched versions of one original."""
        *embedded, base = self(torch.cat([*retouched, original])).chunk(len(retouched) + 1)
        return [one - base for one in embedded]


class ContentEncoder(nn.Module):
    """φ_c: what is where in a photo; a 1 × 1 convolution makes room for the layout in as many numbers."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layout = config.layout
        self.resnet = ResNet18(config.width)
        self.project = nn.Conv2d(config.embedding, config.embedding // config.layout**2, 1, bias=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, D)."""
        pooled = F.adaptive_avg_pool2d(self.resnet(images)[-1], self.layout)
        content: torch.Tensor = self.project(pooled).flatten(1)
        return content


def normalised(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1] → mean 0 and deviation 1 over ImageNet."""
    return (images - images.new_tensor(MEAN)[:, None, None]) / images.new_tensor(DEVIATION)[:, None, None]


def start_from(network: nn.Module, backbone: str) -> None:
    """Give every ResNet-18 in the network the weights of a pretrained one; with "" they stay random.

    Raises:
        WeightsMissing: they are not on this machine, or are of another network.
        ValueError: `backbone` is no name of a network.
    """
    if not backbone:
        return
    weights = load_network(backbone).state_dict()
    for resnet in (module for module in network.modules() if isinstance(module, ResNet18)):
        own = resnet.state_dict()
        unlike = [n for n, v in own.items() if n not in weights or weights[n].shape != v.shape]
        if unlike:
            raise WeightsMissing(
                f"{backbone} is no ResNet-18 of this width: {unlike[0]} is missing or has another shape; "
                "take timm:resnet18 or torchvision:resnet18 with the preset paper"
            )
        resnet.load_state_dict({name: weights[name] for name in own})
