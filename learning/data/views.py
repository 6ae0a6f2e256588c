"""Small views of every training image, made once: crops and jitter that a scene's images share.

A pair differs by its tone alone, so whatever is done to one image of a scene is done to
all of them: the same crop, the same mirroring, the same small change of light and colour.
View 0 is the whole image as it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from learning.data.dataset import DatasetError, Pixels, PreferenceDataset
from variants.progress import Report
from variants.tone.color import linear_to_srgb, srgb_to_linear

IMAGES_AT_ONCE = 64
"""For the backbone; bounds memory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewConfig:
    count: int = 12
    """Views of each image; fewer where they would not fit into `max_bytes`."""
    size: int = 16
    """Side of a view as the editor is trained on it, in pixels; views are square."""
    smallest_crop: float = 0.4
    """Least part of the image's sides that a crop shows."""
    largest_crop: float = 1.0
    jitter: float = 0.1
    """Deviation of the change of light, colour balance and saturation, in natural logarithms."""
    max_bytes: int = 2**31
    """Memory that all views together may take."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count is {self.count}; there must be 1 view or more")
        if not 4 <= self.size <= 512:
            raise ValueError(f"size is {self.size}; it must be from 4 to 512 pixels")
        if not 0 < self.smallest_crop <= self.largest_crop <= 1:
            raise ValueError(
                f"smallest_crop is {self.smallest_crop} and largest_crop {self.largest_crop}; "
                "they must be in this order between 0 and 1"
            )
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {self.jitter}; it must be from 0 to 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewBank:
    """Views by row; `row_of` finds an image's row, -1 where it has none. I images, V views."""

    pixels: torch.Tensor  # (I, V, 3, size, size) uint8
    features: torch.Tensor  # (I, V, D)
    row_of: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        return self.pixels.shape[1]

    def only(self, images: npt.NDArray[Any]) -> "ViewBank":
        """The views of some of the images, by their positions in the dataset."""
        rows = self.row_of[images]
        row_of = np.full(len(self.row_of), -1, np.int64)
        row_of[images] = np.arange(len(images))
        return ViewBank(pixels=self.pixels[rows], features=self.features[rows], row_of=row_of)

    def pixels_of(self, images: npt.NDArray[Any], views: npt.NDArray[Any]) -> torch.Tensor:
        """Positions in the dataset and view numbers, both (...) → (..., 3, size, size) in [0, 1]."""
        return self.pixels[self.row_of[images], views].float() / 255

    def features_of(self, images: npt.NDArray[Any], views: npt.NDArray[Any]) -> torch.Tensor:
        """Positions in the dataset and view numbers, both (...) → (..., D)."""
        return self.features[self.row_of[images], views]


def build_views(
    dataset: PreferenceDataset,
    images: npt.NDArray[Any],
    config: ViewConfig,
    *,
    features_of: Callable[[torch.Tensor], torch.Tensor],
    feature_size: int,
    feature_dim: int,
    seed: int,
    report: Report,
) -> ViewBank:
    """Make the views of the images at these positions of the dataset, scene by scene.

    Args:
        dataset: where they are.
        images: positions in `dataset.image_ids`.
        config: how many views, and of what kind.
        features_of: the backbone, (B, 3, H, W) → (B, feature_dim).
        feature_size: side of the squares that it is given.
        feature_dim: what it gives.
        seed: of the crops and the jitter.
        report: told of every image.
    """
    count = _count_that_fits(len(images), config, feature_dim)
    row_of = np.full(len(dataset.image_ids), -1, np.int64)
    row_of[images] = np.arange(len(images))
    pixels = torch.empty((len(images), count, 3, config.size, config.size), dtype=torch.uint8)
    features = torch.empty((len(images), count, feature_dim))
    scene_number = {scene_id: number for number, scene_id in enumerate(dataset.scene_ids)}
    for row, position in enumerate(images.tolist()):
        image = dataset.images[dataset.image_ids[position]]
        views = _views_of_scene(scene_number[image.scene_id], config, count, seed)
        whole = dataset.image(image.id, _long_side_for(config, feature_size))
        squares = [_as_square(view(whole), max(feature_size, config.size)) for view in views]
        for start in range(0, count, IMAGES_AT_ONCE):
            batch = torch.cat(squares[start : start + IMAGES_AT_ONCE])
            features[row, start : start + len(batch)] = features_of(_resized(batch, feature_size)).float()
            pixels[row, start : start + len(batch)] = (_resized(batch, config.size) * 255).round().byte()
        report(row + 1, len(images), "looking at the images")
    return ViewBank(pixels=pixels, features=features, row_of=row_of)


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """One way to look at a scene's images."""

    crop: tuple[float, float, float]
    """Top, left and side as parts of the image's sides."""
    mirrored: bool
    gain: npt.NDArray[np.float32]  # (3,) in linear light
    saturation: float
    is_plain: bool

    def __call__(self, image: Pixels) -> Pixels:
        return self._jittered(self._cropped(image))

    def _cropped(self, image: Pixels) -> Pixels:
        height, width = image.shape[:2]
        top, left, side = self.crop
        rows = slice(int(top * height), max(int(top * height) + 1, round((top + side) * height)))
        columns = slice(int(left * width), max(int(left * width) + 1, round((left + side) * width)))
        image = image[rows, columns]
        return image[:, ::-1] if self.mirrored else image

    def _jittered(self, image: Pixels) -> Pixels:
        if self.is_plain:
            return image
        linear = srgb_to_linear(image) * self.gain
        grey = linear.mean(axis=-1, keepdims=True)
        jittered: Pixels = linear_to_srgb(np.clip(grey + self.saturation * (linear - grey), 0, 1))
        return jittered.astype(np.float32)


def _views_of_scene(scene: int, config: ViewConfig, count: int, seed: int) -> Sequence[_View]:
    rng = np.random.default_rng([seed, scene])
    whole = _View(crop=(0, 0, 1), mirrored=False, gain=np.ones(3, np.float32), saturation=1, is_plain=True)
    first = _random_view(rng, config) if config.largest_crop < 1 else whole
    return [first, *(_random_view(rng, config) for _ in range(count - 1))]


def _random_view(rng: np.random.Generator, config: ViewConfig) -> _View:
    side = rng.uniform(config.smallest_crop, config.largest_crop)
    light, balance = rng.normal(0, config.jitter), rng.normal(0, config.jitter / 2, 3)
    return _View(
        crop=(rng.uniform(0, 1 - side), rng.uniform(0, 1 - side), side),
        mirrored=bool(rng.random() < 0.5),
        gain=np.exp(light + balance).astype(np.float32),
        saturation=float(np.exp(rng.normal(0, config.jitter))),
        is_plain=config.jitter == 0,
    )


def _count_that_fits(n_images: int, config: ViewConfig, feature_dim: int) -> int:
    bytes_of_one = n_images * (3 * config.size**2 + 4 * feature_dim)
    fitting = config.max_bytes // bytes_of_one
    if not fitting:
        raise DatasetError(
            f"one view of each of {n_images} images takes {bytes_of_one / 2**30:.1f} GiB, and max_bytes allows "
            f"{config.max_bytes / 2**30:.1f}; take a smaller view size"
        )
    return min(config.count, fitting)


def _long_side_for(config: ViewConfig, feature_size: int) -> int:
    """Large enough that the smallest crop is not scaled up."""
    return min(1024, round(max(feature_size, config.size) / config.smallest_crop))


def _as_square(image: Pixels, size: int) -> torch.Tensor:
    """(H, W, 3) → (1, 3, size, size)."""
    return _resized(torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)[None], size)


def _resized(images: torch.Tensor, size: int) -> torch.Tensor:
    if images.shape[-2:] == (size, size):
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
