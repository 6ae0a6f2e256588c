"""The image metrics of a report behind one interface: prepare images once, compare them often."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from evaluation.metrics import delta_e, lpips_distance, psnr, ssim

Prepared = tuple[torch.Tensor, ...]
"""What a metric keeps of a batch of images; the first axis of each tensor is the batch."""


class MetricMissing(Exception):
    """A metric cannot be measured on this machine."""

    def __init__(self, name: str, why: str, fix: str) -> None:
        super().__init__(f"{name}: {why}; {fix}")
        self.name, self.why, self.fix = name, why, fix


class ImageError(ValueError):
    """An image cannot be measured; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    name: str
    title: str
    """As reports print it."""
    unit: str
    lower_is_better: bool
    low: float
    high: float
    """All values are from `low` to `high`."""
    cap: float | None = None
    """Larger values count as this one."""
    prepare: Callable[[torch.Tensor], Prepared]
    """Images (B, H, W, 3) in [0, 1] → what `compare` takes."""
    compare: Callable[[Prepared, Prepared], torch.Tensor]
    """(B,) values."""


def delta_e_metric() -> Metric:
    return Metric(
        name="delta_e",
        title="ΔE00",
        unit="",
        lower_is_better=True,
        low=0,
        high=float("inf"),
        prepare=lambda images: (delta_e.lab_planes(images),),
        compare=lambda first, second: delta_e.mean_delta_e(first[0], second[0]),
    )


def psnr_metric() -> Metric:
    return Metric(
        name="psnr",
        title="PSNR",
        unit="dB",
        lower_is_better=False,
        low=0,
        high=psnr.CAP_DB,
        cap=psnr.CAP_DB,
        prepare=lambda images: (images,),
        compare=lambda first, second: psnr.psnr(first[0], second[0]),
    )


def ssim_metric() -> Metric:
    return Metric(
        name="ssim",
        title="SSIM",
        unit="",
        lower_is_better=False,
        low=-1,
        high=1,
        prepare=ssim.moments,
        compare=ssim.ssim,
    )


def lpips_metric() -> Metric:
    try:
        network = lpips_distance.Lpips()
    except lpips_distance.BackboneMissing as error:
        raise MetricMissing("lpips", str(error), f"fetch them with: {lpips_distance.FETCH}") from error
    return Metric(
        name="lpips",
        title="LPIPS",
        unit="",
        lower_is_better=True,
        low=0,
        high=float("inf"),
        prepare=network.features,
        compare=network.distance,
    )


METRICS: dict[str, Callable[[], Metric]] = {
    "delta_e": delta_e_metric,
    "lpips": lpips_metric,
    "psnr": psnr_metric,
    "ssim": ssim_metric,
}


def load_metrics(names: Sequence[str] = tuple(METRICS)) -> tuple[list[Metric], list[MetricMissing]]:
    """The metrics that can be measured here, and why the others cannot."""
    found, missing = [], []
    for name in names:
        try:
            found.append(METRICS[name]())
        except MetricMissing as error:
            missing.append(error)
    return found, missing


def measure(metric: Metric, first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """One metric between two images (H, W, 3)."""
    one, two = as_batch([first], ["the first image"]), as_batch([second], ["the second image"])
    if one.shape != two.shape:
        raise ImageError(f"the images have different sizes: {_size(first)} and {_size(second)}")
    with torch.inference_mode():
        return float(metric.compare(metric.prepare(one), metric.prepare(two)))


def as_batch(images: Sequence[npt.NDArray[np.float32]], names: Sequence[str]) -> torch.Tensor:
    """Images of one size as (B, H, W, 3), after a look at each.

    Raises:
        ImageError: one has not three channels, another size than the first, or NaN.
    """
    for image, name in zip(images, names, strict=True):
        if image.ndim != 3 or image.shape[2] != 3:
            raise ImageError(f"{name} has the shape {image.shape}; an image has three channels: (H, W, 3)")
        if image.shape != images[0].shape:
            raise ImageError(
                f"{name} is {_size(image)}, {names[0]} is {_size(images[0])}; they must be of one size"
            )
        if not np.isfinite(image).all():
            raise ImageError(
                f"{name} has {np.count_nonzero(~np.isfinite(image))} values that are NaN or infinite"
            )
    return torch.from_numpy(np.stack(images).astype(np.float32, copy=False))


def _size(image: npt.NDArray[np.float32]) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"
