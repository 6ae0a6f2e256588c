"""Photos as training examples: squares kept in memory, the same crop for all versions of a photo, jitter."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from learning.data.dataset import Pixels, PreferenceDataset
from learning.data.episodes import training_rows
from variants.tone.color import linear_to_srgb, srgb_to_linear

Indices = npt.NDArray[np.signedinteger[Any]]
MAX_BYTES = 2**31
"""Of squares kept in memory; the others are made anew each time."""
NONE = -1
"""Stands for an image that is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmentation:
    """Crops are shared by all versions of a photo; the jitter is the originals' alone."""

    smallest_crop: float = 0.75
    """Least part of each side that a crop shows."""
    mirror: bool = True
    """Both ways, and rows for columns."""
    brightness: float = 0.5
    """A factor from 1 - brightness to 1 + brightness."""
    saturation: float = 0.2
    """Likewise; in the second step only, as are the channels."""
    channels: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.smallest_crop <= 1:
            raise ValueError(f"smallest_crop is {self.smallest_crop}; it must be above 0 and at most 1")
        for name in ("brightness", "saturation", "channels"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1")


class Squares:
    """Square versions of photos in 8 bits, made when first asked for and kept while there is room."""

    def __init__(self, make: Callable[[Hashable], torch.Tensor], max_bytes: int = MAX_BYTES) -> None:
        self._make, self._room = make, max_bytes
        self._kept: dict[Hashable, torch.Tensor] = {}

    def __call__(self, keys: Sequence[Hashable]) -> torch.Tensor:
        """(n, 3, B, B) in [0, 1]."""
        return torch.stack([self._one(key) for key in keys]).float() / 255

    def _one(self, key: Hashable) -> torch.Tensor:
        if key in self._kept:
            return self._kept[key]
        square = self._make(key)
        if square.numel() <= self._room:
            self._room -= square.numel()
            self._kept[key] = square
        return square


def dataset_squares(dataset: PreferenceDataset, side: int) -> Squares:
    """The dataset's images by their position, as squares of `side` pixels."""

    def make(position: Hashable) -> torch.Tensor:
        assert isinstance(position, int)
        return as_square(dataset.image(dataset.image_ids[position], 2 * side), side)

    return Squares(make)


def as_square(image: Pixels, side: int) -> torch.Tensor:
    """(H, W, 3) → (3, side, side) uint8, whatever the proportions."""
    tensor = torch.tensor(image).permute(2, 0, 1)[None]
    if tensor.shape[-2:] != (side, side):
        tensor = F.interpolate(tensor, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return (tensor[0].clamp(0, 1) * 255).round().byte()


def square_side(size: int, augmentation: Augmentation) -> int:
    """Side of squares of which a smallest crop has `size` pixels."""
    return round(size / augmentation.smallest_crop)


def random_frames(n: int, augmentation: Augmentation, rng: np.random.Generator) -> torch.Tensor:
    """(n, 2, 3): crops, mirrorings and transpositions, as affine maps for `framed`."""
    frames = np.zeros((n, 2, 3), np.float32)
    sides = rng.uniform(augmentation.smallest_crop, 1, (n, 2))
    centres = rng.uniform(-1, 1, (n, 2)) * (1 - sides)
    if augmentation.mirror:
        sides = sides * rng.choice([-1, 1], (n, 2))
    turned = augmentation.mirror & (rng.random(n) < 0.5)
    across, along = np.where(turned, 1, 0), np.where(turned, 0, 1)
    frames[np.arange(n), 0, across] = sides[:, 0]
    frames[np.arange(n), 1, along] = sides[:, 1]
    frames[:, :, 2] = centres
    return torch.from_numpy(frames)


def framed(squares: torch.Tensor, frames: torch.Tensor, size: int) -> torch.Tensor:
    """(n, 3, B, B) and (n, 2, 3) → (n, 3, size, size)."""
    grid = F.affine_grid(frames, [len(squares), 3, size, size], align_corners=False)
    return F.grid_sample(squares, grid, mode="bilinear", padding_mode="border", align_corners=False)


def jittered(
    images: torch.Tensor, augmentation: Augmentation, rng: np.random.Generator, *, colours: bool
) -> torch.Tensor:
    """(n, 3, S, S) with a random brightness each; with `colours` also saturation and gains of the channels."""
    n, a = len(images), augmentation
    gain = rng.uniform(1 - a.brightness, 1 + a.brightness, (n, 1))
    if colours:
        gain = gain * rng.uniform(1 - a.channels, 1 + a.channels, (n, 3))
        grey = images.mean(dim=1, keepdim=True)
        amount = torch.tensor(rng.uniform(1 - a.saturation, 1 + a.saturation, n), dtype=torch.float32)
        images = grey + amount[:, None, None, None] * (images - grey)
    return (images * torch.tensor(gain, dtype=torch.float32)[:, :, None, None]).clamp(0, 1)


def mean_in_linear_light(preferred: torch.Tensor, rejected: torch.Tensor) -> torch.Tensor:
    """The original of a pair that has none: halfway between, as light adds. Any shapes, in [0, 1]."""
    mean = (srgb_to_linear(preferred) + srgb_to_linear(rejected)) / 2
    mixed: torch.Tensor = linear_to_srgb(mean)
    return mixed.clamp(0, 1)


def neutral_positions(dataset: PreferenceDataset) -> Indices:
    """For each image of the dataset the position of its scene's neutral rendition; NONE without one."""
    position = {image_id: index for index, image_id in enumerate(dataset.image_ids)}
    found = []
    for image_id in dataset.image_ids:
        neutral = dataset.neutral_image_of(dataset.images[image_id].scene_id)
        found.append(NONE if neutral is None else position[neutral])
    return np.array(found, np.int64)


def training_answers(dataset: PreferenceDataset) -> tuple[Indices, Indices]:
    """Rows of `dataset.judgments` by training raters on training scenes, and each row's rater from 0 on."""
    rows, _ = training_rows(dataset, 1)
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(rows), np.repeat(np.arange(len(rows)), [len(own) for own in rows])
