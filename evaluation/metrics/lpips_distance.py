"""LPIPS with AlexNet, version 0.1: a learnt distance of deep features.

The package `lpips` carries the learnt weights of the features; the features come from
torchvision's AlexNet, which is a download. It is never fetched while evaluating and
never replaced by anything else: without it the metric is missing, and says so.

References:
    R. Zhang, P. Isola, A. A. Efros, E. Shechtman, O. Wang (2018), "The unreasonable
    effectiveness of deep features as a perceptual metric", CVPR.
"""

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch

FETCH = "python -m learning.fetch lpips_alex"

Features = tuple[torch.Tensor, ...]
"""Features of AlexNet's five stages, each (B, C, h, w), scaled so that LPIPS is their squared distance."""


class BackboneMissing(Exception):
    """AlexNet's weights are not on this machine, or cannot be read."""


class Lpips:
    """Call `features` once for each batch of images, `distance` for each comparison."""

    def __init__(self, weights: Path | None = None) -> None:
        path = weights or weights_path()
        if not path.is_file():
            raise BackboneMissing(f"AlexNet's weights ({path.name}) are not on this machine")
        self._network = _network(path)
        self._device = torch.device("cpu")

    def features(self, images: torch.Tensor) -> Features:
        """Of images (B, H, W, 3) in [0, 1], on the device where they are."""
        if images.device != self._device:
            self._network.to(images.device)
            self._device = images.device
        # (2 x - 1 - shift) / scale, in one step. Pixels stand channels last, as convolutions on a CPU want them.
        scaling = self._network.scaling_layer
        scaled = images * (2 / scaling.scale).flatten() - ((1 + scaling.shift) / scaling.scale).flatten()
        stages = self._network.net(scaled.movedim(-1, 1))
        return tuple(map(_weighted, stages, self._network.lins))

    def distance(self, first: Features, second: Features) -> torch.Tensor:
        """Shape (B,); 0 for equal images."""
        apart = ((one - two).square().flatten(1).sum(1) for one, two in zip(first, second, strict=True))
        return torch.stack(list(apart)).sum(0)


def weights_path() -> Path:
    """Where torchvision keeps AlexNet once it has been fetched."""
    from torchvision.models import AlexNet_Weights

    name = str(AlexNet_Weights.IMAGENET1K_V1.url).rpartition("/")[2]
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def _network(path: Path) -> Any:
    import lpips

    with warnings.catch_warnings():
        # The package speaks to torchvision by an old name of an argument.
        warnings.filterwarnings("ignore", module="torchvision")
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    try:
        alexnet = torch.load(path, map_location="cpu", weights_only=True)
        # Here `slice2.3.weight` is what torchvision calls `features.3.weight`.
        named = {name: alexnet[f"features.{name.partition('.')[2]}"] for name in network.net.state_dict()}
        network.net.load_state_dict(named)
    except (OSError, EOFError, KeyError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        raise BackboneMissing(f"AlexNet's weights in {path.name} cannot be read ({error})") from error
    network.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def _weighted(features: torch.Tensor, linear: Any) -> torch.Tensor:
    """At unit length, times the roots of the learnt weights, which are none below 0, over the root of the pixels."""
    # The package's own epsilon, so that its numbers come out.
    length = torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10
    weighted: torch.Tensor = features / length * (linear.model[-1].weight / features[0, 0].numel()).sqrt()
    return weighted
