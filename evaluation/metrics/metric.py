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


def compare_pairs(
    metric: Metric,
    prepared: Prepared,
    targets: Sequence[Prepared],
    pairs: Sequence[tuple[int, int]],
) -> list[float]:
    """One value for each (index in the prepared batch, index in `targets`).

    Args:
        metric: what is measured.
        prepared: a batch of images.
        targets: what they are compared with, each prepared as a batch of one image of the same size.
        pairs: which is compared with which.

    An accelerator gets all pairs in one call. A CPU gets one after the other: what is in between stays in
    its cache.
    """
    if not pairs:
        return []
    if prepared[0].device.type == "cpu":
        return [
            float(metric.compare(tuple(part[row : row + 1] for part in prepared), targets[target]))
            for row, target in pairs
        ]
    rows = torch.tensor([row for row, _ in pairs], device=prepared[0].device)
    ours = tuple(part[rows] for part in prepared)
    theirs = tuple(torch.cat([targets[t][k] for _, t in pairs]) for k in range(len(prepared)))
    values: list[float] = metric.compare(ours, theirs).tolist()
    return values


def measure(metric: Metric, first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    """One metric between two images (H, W, 3)."""
    one, two = as_batch([first], ["the first image"]), as_batch([second], ["the second image"])
    if one.shape != two.shape:
        raise ImageError(f"the images have different sizes: {_size(first)} and {_size(second)}")
    with torch.inference_mode():
        return float(metric.compare(metric.prepare(one), metric.prepare(two)))


Image = npt.NDArray[np.float32] | torch.Tensor


def as_batch(
    images: Sequence[Image], names: Sequence[str], device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Images of one size as (B, H, W, 3) on `device`, after a look at each.

    Args:
        images: arrays, or tensors that may be on the device already; each (H, W, 3) in [0, 1].
        names: of the images, for messages.
        device: where they are to be measured.

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
    if all(isinstance(image, np.ndarray) for image in images):
        batch = torch.from_numpy(np.stack(images).astype(np.float32, copy=False)).to(device)
    else:
        batch = torch.stack([torch.as_tensor(image, dtype=torch.float32, device=device) for image in images])
    finite = torch.isfinite(batch).flatten(1)
    if not finite.all():
        worst = int((~finite).sum(1).argmax())
        raise ImageError(f"{names[worst]} has {int((~finite[worst]).sum())} values that are NaN or infinite")
    return batch


def _size(image: Image) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"
