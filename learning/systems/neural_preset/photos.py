"""Photos to learn from: a dataset's images or a folder of files. No answers are needed."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from learning.data.dataset import DatasetError, PreferenceDataset
from learning.renderers.random_looks import RandomLooks
from learning.systems.interface import Pixels
from learning.systems.neural_preset.config import Config
from learning.systems.neural_preset.network import Looks
from learning.systems.shared import dataset_facts, resized
from learning.training.loop import step_chance
from variants.tone.images import ImageError, fit_long_side, read_photo

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".heic", ".avif")
FILES_KEPT = 512
"""Decoded photos of a folder that stay in memory."""


class Photos(Protocol):
    """Photos by number, and what the run's config says of them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pixels: ...

    def facts(self) -> dict[str, Any]: ...


class DatasetPhotos:
    """The neutral images of a dataset's training scenes, or all of them where a scene has no neutral one.

    Answers are not looked at.
    """

    def __init__(self, dataset: PreferenceDataset, photo_size: int) -> None:
        self._dataset, self._size = dataset, photo_size
        scenes = set(dataset.training_scenes())
        neutral = [dataset.neutral_image_of(scene) for scene in dataset.training_scenes()]
        self._ids = [found for found in neutral if found is not None]
        if len(self._ids) < len(neutral):
            self._ids = [image.id for image in dataset.images.values() if image.scene_id in scenes]
        if not self._ids:
            raise DatasetError(
                f"{dataset.folder} has no images of training scenes; there is nothing to train on"
            )

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> Pixels:
        return self._dataset.image(self._ids[index], self._size)

    def facts(self) -> dict[str, Any]:
        return dataset_facts(self._dataset, raters=0, left_out=0, images=len(self), judgments=0)


class FolderPhotos:
    """The photos in a folder and in what is below it; other files are passed over.

    Raises:
        DatasetError: there is no such folder, no photo in it, or one that cannot be read.
    """

    def __init__(self, folder: Path | str, photo_size: int) -> None:
        self._folder = Path(folder)
        if not self._folder.is_dir():
            raise DatasetError(f"{folder} is not a folder; name one with photos")
        self._paths = sorted(
            p for p in self._folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
        )
        if not self._paths:
            raise DatasetError(f"{folder} has no photos ({', '.join(SUFFIXES)})")
        self._read = lru_cache(maxsize=FILES_KEPT)(lambda index: _read(self._paths[index], photo_size))

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> Pixels:
        return self._read(index)

    def facts(self) -> dict[str, Any]:
        digest = hashlib.sha256()
        for path in self._paths:
            digest.update(str(path.relative_to(self._folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return {
            "name": self._folder.resolve().name,
            "sha256": digest.hexdigest(),
            "simulated": False,
            "training_raters": 0,
            "raters_left_out": 0,
            "training_scenes": len(self),
            "training_images": len(self),
            "training_judgments": 0,
        }


def _read(path: Path, photo_size: int) -> Pixels:
    try:
        return fit_long_side(read_photo(path).pixels, photo_size)
    except ImageError as error:
        raise DatasetError(str(error)) from error


class SwapData:
    """What every step is shown: photos, each in two random looks. See `learning.training.loop.StepData`."""

    def __init__(self, photos: Photos, config: Config, device: torch.device) -> None:
        self._photos, self._config, self._device = photos, config, device

    def __getitem__(self, step: int) -> Looks:
        config, rng = self._config.photos, step_chance(self._config.seed, step)
        chosen = rng.integers(len(self._photos), size=config.batch)
        crops = torch.cat(
            [_crop(self._photos[i], config.crop, config.smallest, rng) for i in chosen.tolist()]
        )
        looks = RandomLooks.draw(2 * config.batch, rng, self._config.looks)
        one, other = looks.apply(crops.repeat(2, 1, 1, 1)).to(self._device).chunk(2)
        return Looks(photos=crops.to(self._device), one=one, other=other)


def _crop(photo: Pixels, size: int, smallest: float, rng: np.random.Generator) -> torch.Tensor:
    """A random square as (1, 3, size, size), mirrored or not."""
    height, width = photo.shape[:2]
    short = min(height, width)
    side = max(1, round(short * rng.uniform(smallest, 1)))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    square = photo[top : top + side, left : left + side]
    if rng.uniform() < 0.5:
        square = square[:, ::-1]
    tensor = torch.tensor(np.ascontiguousarray(square)).permute(2, 0, 1)[None]
    return resized(tensor, (size, size)).clamp(0, 1)


def as_photos(source: PreferenceDataset | Path | str | Sequence[Any], photo_size: int) -> Photos:
    """A dataset or a folder's path as photos of this long side."""
    if isinstance(source, PreferenceDataset):
        return DatasetPhotos(source, photo_size)
    if isinstance(source, str | Path):
        return FolderPhotos(source, photo_size)
    raise TypeError(f"photos come from a dataset or a folder's path, not from a {type(source).__name__}")
