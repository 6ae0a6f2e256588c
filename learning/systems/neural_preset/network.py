"""The networks: one encoder, and two colour maps with their own P and Q."""

import hashlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from learning.backbones.networks import load_network
from learning.backbones.networks import new_network as new_backbone
from learning.renderers.dncm import Dncm, identity_vector
from learning.systems.neural_preset.config import STARTS, Config
from learning.systems.shared import resized

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ConvTrunk(nn.Module):
    """Colours and coarse structure, for small squares: mean and deviation of each feature map."""

    features = 128

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            # Soft ranges of colour first: what a mean of them says is a histogram.
            nn.Conv2d(3, 32, 1),
            nn.SiLU(),
            nn.Conv2d(32, 32, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.SiLU(),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.layers(images).flatten(2)  # (B, 64, P)
        deviation = (maps.var(dim=2, correction=0) + 1e-6).sqrt()
        return torch.cat([maps.mean(dim=2), deviation], dim=1)


class Encoder(nn.Module):
    """Images of any size → d and r, each (B, k²); both are the unit matrix before any training."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: Config, *, start: str = "") -> None:
        super().__init__()
        self.image_size = config.encoder.image_size
        self.numbers = config.dncm.k**2
        if config.encoder.kind == "conv":
            self.trunk: nn.Module = ConvTrunk()
            features = ConvTrunk.features
        else:
            self.trunk = (
                load_network(start).requires_grad_(True) if start else new_backbone(STARTS, config.seed)
            )
            features = 1280
        self.hidden = nn.Sequential(nn.Linear(features, config.encoder.hidden), nn.SiLU())
        self.head = nn.Linear(config.encoder.hidden, 2 * self.numbers)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(identity_vector(config.dncm.k).repeat(2))
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        squares = resized(images, (self.image_size, self.image_size))
        both: torch.Tensor = self.head(self.hidden(self.trunk((squares - self.mean) / self.std)))
        return both[:, : self.numbers], both[:, self.numbers :]


class Network(nn.Module):
    """Encoder, normalising map and styling map."""

    def __init__(self, config: Config, *, start: str = "") -> None:
        """Args: `start`: weights for the encoder to start from, as in `Config.backbone`; random ones else."""
        super().__init__()
        self.k = config.dncm.k
        self.encoder = Encoder(config, start=start)
        self.normaliser = Dncm(config.dncm, seed=config.seed)
        self.stylist = Dncm(config.dncm, seed=config.seed + 1)

    def normalised(self, images: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
        """Z: images (B, 3, H, W) and d (B, k²) → the same shape, not clipped."""
        return self._mapped(self.normaliser, images, normal)

    def stylised(self, normalised: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """Y: Z (B, 3, H, W) and r (B, k²) → the same shape, not clipped."""
        return self._mapped(self.stylist, normalised, style)

    def _mapped(self, dncm: Dncm, images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        colors = images.flatten(2).transpose(1, 2)  # (B, P, 3)
        mapped: torch.Tensor = dncm(colors, numbers.view(-1, self.k, self.k))
        return mapped.transpose(1, 2).reshape(images.shape)

    def fingerprint(self) -> str:
        """Tells trained networks apart: what a style's numbers mean, only their own network knows."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Looks:
    """What one step is shown."""

    photos: torch.Tensor  # (B, 3, S, S), as they are
    one: torch.Tensor  # the same in one random look each
    other: torch.Tensor  # and in another


def new_network(config: Config) -> Network:
    """Before training: the config's seed says its random weights, and torch's own chance stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Network(config, start=config.backbone)


def swap_loss(network: Network, looks: Looks, config: Config) -> dict[str, torch.Tensor]:
    """The same photos in two looks: either normalised photo takes the other's style.

    The reconstruction is the sum of both mean absolute differences; the consistency the mean squared
    difference of the normalised photos (published: the 2-norm).
    """
    both = torch.cat([looks.one, looks.other])
    normal, style = network.encoder(both)
    normalised = network.normalised(both, normal)
    normal_one, normal_other = normalised.chunk(2)
    # Y_i from Z_j and r_i, Y_j from Z_i and r_j.
    styled_one, styled_other = network.stylised(torch.cat([normal_other, normal_one]), style).chunk(2)
    reconstruction = F.l1_loss(styled_one, looks.one) + F.l1_loss(styled_other, looks.other)
    difference = F.mse_loss(normal_one, normal_other)
    away = F.l1_loss(normalised, looks.photos.repeat(2, 1, 1, 1))
    return {
        "loss": reconstruction + config.consistency * difference + config.anchor * away,
        "loss_reconstruction": reconstruction,
        "loss_consistency": difference,
        "loss_anchor": away,
    }
