"""Features of a dataset's images, computed once for each image and backbone, and kept on disk.

The key of a vector is the sha256 of the image's file and the backbone's own identity, its
weights' hash, normalisation and precision among it: other weights under an old name are
another backbone.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.data.feature_cache import FeatureCache, Features, cache_folder
from variants.progress import Report, silent

__all__ = ["FeatureCache", "Features", "backbone_folder", "cache_folder", "features_of"]

FORMAT = 1
"""Of how an image is made ready; another one starts a cache anew."""
LONG_SIDE = 256
"""At which images are read before they become squares, in pixels: as raters' references are."""
IMAGES_AT_ONCE = 64
IMAGES_IN_A_FILE = 4096
"""At most; a long first pass that is killed loses no more than these."""


class FeatureBackbone(Protocol):
    """What is needed of a backbone; see `learning.backbones.load.Backbone`."""

    name: str
    dim: int
    image_size: int

    @property
    def identity(self) -> str: ...

    def __call__(self, images: torch.Tensor) -> torch.Tensor: ...


def features_of(
    dataset: PreferenceDataset,
    positions: npt.NDArray[Any],
    backbone: FeatureBackbone,
    cache: FeatureCache | None,
    report: Report = silent,
) -> Features:
    """Features of the whole images at these positions of `dataset.image_ids`, (n,) → (n, D).

    Args:
        dataset: where the images are.
        positions: of images; one that stands twice is computed once.
        backbone: on the device on which it is to run.
        cache: where features are kept; None computes all and keeps nothing.
        report: told of every batch that had to be computed.

    Raises:
        DatasetError: an image is missing or broken.
        OSError: the cache cannot be written.
    """
    unique, inverse = np.unique(positions, return_inverse=True)
    keys = [bytes.fromhex(dataset.images[dataset.image_ids[p]].sha256) for p in unique.tolist()]
    identity = backbone_folder(backbone)
    if cache is None:
        found = np.zeros((len(unique), backbone.dim), np.float32)
        missing = np.arange(len(unique))
    else:
        found, is_found = cache.read(identity, keys, backbone.dim)
        missing = np.flatnonzero(~is_found)
    for start in range(0, len(missing), IMAGES_IN_A_FILE):
        rows = missing[start : start + IMAGES_IN_A_FILE]
        done = 0
        for batch in _computed(dataset, unique[rows], backbone):
            found[rows[done : done + len(batch)]] = batch
            done += len(batch)
            report(start + done, len(missing), "looking at the images")
        if cache is not None:
            cache.write(identity, [keys[row] for row in rows], found[rows])
    return found[inverse.reshape(-1)]


def backbone_folder(backbone: FeatureBackbone) -> str:
    """The name of a backbone's folder: 32 hexadecimal digits of everything that decides its features."""
    facts = [FORMAT, backbone.identity, backbone.dim, backbone.image_size, LONG_SIDE]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


@torch.inference_mode()
def _computed(
    dataset: PreferenceDataset, positions: npt.NDArray[Any], backbone: FeatureBackbone
) -> Iterator[Features]:
    device = torch.device("cpu")
    if isinstance(backbone, nn.Module):
        device = next((tensor.device for tensor in (*backbone.parameters(), *backbone.buffers())), device)
    size = (backbone.image_size,) * 2
    for start in range(0, len(positions), IMAGES_AT_ONCE):
        squares = [
            _square(dataset, position, size)
            for position in positions[start : start + IMAGES_AT_ONCE].tolist()
        ]
        yield backbone(torch.cat(squares).to(device)).float().cpu().numpy()


def _square(dataset: PreferenceDataset, position: int, size: tuple[int, int]) -> torch.Tensor:
    """(1, 3, *size)."""
    image = dataset.image(dataset.image_ids[position], LONG_SIDE)
    pixels = torch.tensor(image).permute(2, 0, 1)[None]
    return F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
