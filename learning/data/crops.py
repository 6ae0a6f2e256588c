"""Crops of pairs at full resolution, as the pairwise learners are trained on them.

Both images of a pair are shown at the same random size and the same place, mirrored
together or not. The colour jitter and the noise are those of the authors' code; there,
they change what the learner is given and never what it is to reach.

Source: J. Kim, J. Yoo, S. J. Kim (2026), Learning Personalized Photographic Style from
Pairwise User Preferences, CVPR; sizes and jitter as in the authors' code.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as PillowImage

from learning.data.alignment import Alignment, Photos
from learning.data.cache import BoundedCache

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601), as torchvision's jitter has them."""
BYTES_OF_A_PIXEL = 4
"""As Pillow holds RGB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ColorJitter:
    """Brightness, contrast, saturation and hue, in an order drawn for each image (torchvision's ColorJitter)."""

    brightness: float = 0.1
    """Factors are uniform in [1 - x, 1 + x]; so for contrast and saturation."""
    contrast: float = 0.1
    saturation: float = 0.2
    hue: float = 0.1
    """Shifts are uniform in [-x, x], in turns of the colour circle."""

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue is {self.hue}; it must be from 0 to 0.5 turns")


@dataclass(frozen=True, kw_only=True, slots=True)
class CropConfig:
    size: int = 64
    """Side of a crop in pixels; published: 64 or 128."""
    short_side: tuple[int, int] = (256, 1024)
    """The photo's shorter side is resized to a whole number of pixels drawn from this range, ends included."""
    jitter: ColorJitter | None = None
    """None: colours stay. With `four_inputs` each jittered input has its own draw and the targets stay clean, as in
    the authors' code; without, one draw changes the whole pair, inputs and targets alike."""
    noise: float = 0.02
    """Deviation of the Gaussian noise that every jittered input gets; targets never do."""
    four_inputs: bool = False
    """Both images as they are and both jittered, instead of both images."""

    def __post_init__(self) -> None:
        smallest, largest = self.short_side
        if not 4 <= self.size <= 1024:
            raise ValueError(f"size is {self.size}; it must be from 4 to 1024 pixels")
        if not self.size <= smallest <= largest <= 8192:
            raise ValueError(
                f"short_side is {smallest} to {largest}; it must rise, from the crop's size ({self.size}) to 8192 "
                "pixels at most"
            )
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise is {self.noise}; it must be from 0 to 1")
        if self.four_inputs and self.jitter is None:
            raise ValueError(
                "four_inputs is set and jitter is None; two of the four inputs are the jittered ones"
            )

    @property
    def n_inputs(self) -> int:
        return 4 if self.four_inputs else 2


@dataclass(frozen=True, kw_only=True, slots=True)
class PairBatch:
    """Crops of B pairs, float32 sRGB in [0, 1]; K inputs each."""

    preferred: torch.Tensor  # (B, 3, S, S)
    rejected: torch.Tensor  # (B, 3, S, S)
    inputs: torch.Tensor  # (B, K, 3, S, S): rejected, preferred; with four inputs these two jittered besides
    aligned: torch.Tensor  # (B,) bool: whether the two images show the same thing at the same pixel

    def to(self, device: torch.device | str) -> Self:
        return type(self)(
            preferred=self.preferred.to(device, non_blocking=True),
            rejected=self.rejected.to(device, non_blocking=True),
            inputs=self.inputs.to(device, non_blocking=True),
            aligned=self.aligned.to(device, non_blocking=True),
        )

    def pin_memory(self) -> Self:
        """What torch's DataLoader calls."""
        return type(self)(
            preferred=self.preferred.pin_memory(),
            rejected=self.rejected.pin_memory(),
            inputs=self.inputs.pin_memory(),
            aligned=self.aligned.pin_memory(),
        )


class PairCrops:
    """Draws crops of pairs of a dataset.

    Images of a pair that differ in size are each resized by their own shorter side and cropped
    at the same relative place; such pairs, and those whose contents do not match, come with
    `aligned` False, for losses that compare pixel by pixel to leave out.

    Args:
        dataset: where the images are.
        config: how they are cropped and jittered.
        alignment: where it is known already which pairs are aligned.
        cache_bytes: memory for decoded images, in each process that draws. A process that holds all images of a
            small dataset decodes each once; else the time goes into decoding, which workers share.
    """

    def __init__(
        self,
        dataset: Photos,
        config: CropConfig,
        *,
        alignment: Alignment | None = None,
        cache_bytes: int = 512 * 2**20,
    ) -> None:
        self.dataset = dataset
        self.config = config
        self.alignment = alignment or Alignment(dataset, self._opened)
        self._decoded: BoundedCache[int, PillowImage.Image] = BoundedCache(cache_bytes)

    def draw(
        self, preferred: npt.NDArray[Any], rejected: npt.NDArray[Any], rng: np.random.Generator
    ) -> PairBatch:
        """Crops of the pairs at these positions of `dataset.image_ids`, both (B,).

        Raises:
            ValueError: the arrays are not of one length.
            DatasetError: an image is missing or broken.
        """
        preferred, rejected = np.asarray(preferred), np.asarray(rejected)
        if preferred.ndim != 1 or preferred.shape != rejected.shape:
            raise ValueError(
                f"preferred has the shape {preferred.shape} and rejected {rejected.shape}; both must be (B,)"
            )
        count, config = len(preferred), self.config
        short = rng.integers(config.short_side[0], config.short_side[1] + 1, size=count)
        place = rng.random((count, 2))
        mirrored = rng.random(count) < 0.5
        sides = [
            torch.stack(
                [self._crop(*drawn) for drawn in zip(images.tolist(), short, place, mirrored, strict=True)]
            )
            for images in (preferred, rejected)
        ]
        targets = [side.permute(0, 3, 1, 2).float() / 255 for side in sides]
        aligned = torch.from_numpy(self.alignment(preferred, rejected))
        if config.jitter is None:
            return _batch(targets, targets[::-1], aligned)
        if config.four_inputs:
            changed = [jittered(side, _draw(config.jitter, count, rng)) for side in targets[::-1]]
            return _batch(
                targets, [*targets[::-1], *(_noisy(side, config.noise, rng) for side in changed)], aligned
            )
        drawn = _draw(config.jitter, count, rng)
        targets = [jittered(side, drawn) for side in targets]
        return _batch(targets, [_noisy(side, config.noise, rng) for side in targets[::-1]], aligned)

    def _crop(self, image: int, short: int, place: npt.NDArray[np.float64], mirrored: bool) -> torch.Tensor:
        """(S, S, 3) uint8: what resizing the whole photo and cropping then would give, without doing so."""
        opened = self._opened(image)
        side = self.config.size * min(opened.size) / short  # of the crop, in the stored photo's pixels
        left, top = place[0] * (opened.width - side), place[1] * (opened.height - side)
        crop = opened.resize(
            (self.config.size, self.config.size),
            PillowImage.Resampling.BICUBIC,
            box=(left, top, min(left + side, opened.width), min(top + side, opened.height)),
        )
        if mirrored:
            crop = crop.transpose(PillowImage.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(crop))

    def _opened(self, image: int) -> PillowImage.Image:
        opened = self._decoded.get(image)
        if opened is None:
            opened = self.dataset.opened(self.dataset.image_ids[image], short_side=self.config.short_side[1])
            self._decoded.put(image, opened, BYTES_OF_A_PIXEL * opened.width * opened.height)
        return opened


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """Jitter of B images."""

    order: npt.NDArray[np.int64]  # (B, 4): brightness 0, contrast 1, saturation 2, hue 3
    amounts: torch.Tensor  # (B, 4): three factors and a shift


def _draw(jitter: ColorJitter, count: int, rng: np.random.Generator) -> _Drawn:
    spread = np.array([jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue])
    amounts = np.array([1, 1, 1, 0]) + spread * rng.uniform(-1, 1, (count, 4))
    order = rng.permuted(np.tile(np.arange(4), (count, 1)), axis=1)
    return _Drawn(order=order, amounts=torch.from_numpy(amounts).float())


def jittered(images: torch.Tensor, drawn: _Drawn) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1] → the same, each image with its own amounts in its own order."""
    images = images.clone()
    for place in range(4):
        for change, apply in enumerate(CHANGES):
            rows = torch.from_numpy(np.flatnonzero(drawn.order[:, place] == change))
            if len(rows):
                amounts = drawn.amounts[rows, change].view(-1, 1, 1, 1)
                images[rows] = apply(images[rows], amounts)
    return images


def brightened(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [0, 1] and (B, 1, 1, 1) → (B, 3, H, W) in [0, 1]; so the three below."""
    return (images * factor).clamp(0, 1)


def contrasted(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return _blended(images, luma(images).mean(dim=(2, 3), keepdim=True), factor)


def saturated(images: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return _blended(images, luma(images), factor)


def hue_shifted(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Through HSV; grey stays as it is."""
    value, _ = images.max(dim=1, keepdim=True)
    chroma = value - images.min(dim=1, keepdim=True).values
    red, green, blue = images[:, 0:1], images[:, 1:2], images[:, 2:3]
    safe = torch.where(chroma > 0, chroma, 1)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    sixths = sixths + 6 * turns
    # A. R. Smith (1978), without cases: f(n) = v - c * clip(min(k, 4 - k)), k = (n + h) mod 6.
    k = (torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1) + sixths) % 6
    return value - chroma * torch.minimum(k, 4 - k).clamp(0, 1)


CHANGES = (brightened, contrasted, saturated, hue_shifted)


def luma(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) → (B, 1, H, W)."""
    return (images * torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _blended(images: torch.Tensor, other: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return (factor * images + (1 - factor) * other).clamp(0, 1)


def _noisy(images: torch.Tensor, deviation: float, rng: np.random.Generator) -> torch.Tensor:
    if not deviation:
        return images
    noise = torch.from_numpy(rng.standard_normal(tuple(images.shape), dtype=np.float32))
    return (images + deviation * noise).clamp(0, 1)


def _batch(targets: list[torch.Tensor], inputs: list[torch.Tensor], aligned: torch.Tensor) -> PairBatch:
    preferred, rejected = targets
    return PairBatch(
        preferred=preferred, rejected=rejected, inputs=torch.stack(inputs, dim=1), aligned=aligned
    )
