"""What every system's module does in the same way: tensors of photos, and the run's config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from learning.data.dataset import PreferenceDataset
from learning.systems.interface import Pixels
from learning.training import run_folder as runs
from learning.training.processes import own_device
from learning.training.settings import from_json, to_json
from variants.tone.images import from_8_bit

C = TypeVar("C")
BAND = 8
"""Rows that are reduced at a time."""


def best_device() -> torch.device:
    """The accelerator where there is one, else the CPU; of many processes on one machine each has its own."""
    return own_device() or torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def tensor_of(image: Pixels, device: torch.device | str = "cpu") -> torch.Tensor:
    """(H, W, 3) → (1, 3, H, W)."""
    return torch.tensor(image, dtype=torch.float32, device=device).permute(2, 0, 1)[None]


def pixels_of(image: torch.Tensor) -> Pixels:
    """(1, 3, H, W) → (H, W, 3), clipped to [0, 1]."""
    return np.ascontiguousarray(image[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy())


def resized(images: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """(B, C, H, W) → (B, C, *size), antialiased; the same tensor where it has the size."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def reduced(photo: npt.NDArray[Any], short_side: int) -> Pixels:
    """Means of squares of whole pixels, so many that the shorter side is still this long at least.

    Worked out in bands of rows, so that a large photo takes no more memory than a small one.

    Args:
        photo: (H, W, 3), float32 in [0, 1] or uint8.
        short_side: in pixels.
    """
    step = max(1, min(photo.shape[:2]) // short_side)
    height, width = photo.shape[0] // step, photo.shape[1] // step
    if step == 1:
        return from_8_bit(photo) if photo.dtype == np.uint8 else photo.astype(np.float32)
    result = np.empty((height, width, 3), np.float32)
    # Whole rows are added many times as fast as neighbours are, and in few bits.
    is_8_bit = photo.dtype == np.uint8
    of_rows, of_squares = (
        (np.uint16 if step <= 256 else np.uint32, np.uint32) if is_8_bit else (np.float32,) * 2
    )
    for top in range(0, height, BAND):
        n = min(BAND, height - top)
        band = photo[top * step : (top + n) * step, : width * step].reshape(n, step, width * step, 3)
        rows = band[:, 0].astype(of_rows)
        for line in range(1, step):
            np.add(rows, band[:, line], out=rows)
        squares = rows.reshape(n, width, step, 3)
        total = squares[:, :, 0].astype(of_squares)
        for column in range(1, step):
            np.add(total, squares[:, :, column], out=total)
        result[top : top + n] = total
    result /= step * step * (255 if is_8_bit else 1)
    return result


def without_frame(photo: Pixels, tolerance: float = 2.5 / 255) -> Pixels:
    """The photo without border rows and columns that have one colour, the same all around.

    A frame says nothing of how the photo in it was edited. At most three tenths of a side are
    taken off at either end; a photo of one colour stays whole.
    """
    colour = photo[0, 0]
    alike = np.abs(photo - colour).max(axis=-1) <= tolerance
    rows, columns = alike.all(axis=1), alike.all(axis=0)
    # A plain sky is a border on one side alone; a frame goes around.
    if not (rows[0] and rows[-1] and columns[0] and columns[-1]) or rows.all():
        return photo
    top, bottom = _ends(rows)
    left, right = _ends(columns)
    return photo[top:bottom, left:right]


def _ends(alike: npt.NDArray[np.bool_]) -> tuple[int, int]:
    most = int(0.3 * len(alike))
    first = int(np.argmin(alike))
    last = len(alike) - int(np.argmin(alike[::-1]))
    return min(first, most), max(last, len(alike) - most)


def described(system: str, config: Any, dataset: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What config.json holds of a run; `config` has `preset`, `seed` and, where it has one, `backbone`."""
    facts = {
        "system": system,
        "preset": config.preset,
        "backbone": getattr(config, "backbone", None),
        "seed": config.seed,
        "settings": to_json(config),
    }
    return facts | ({"dataset": dict(dataset)} if dataset is not None else {})


def dataset_facts(
    dataset: PreferenceDataset,
    *,
    raters: int,
    left_out: int | Sequence[str],
    images: int,
    judgments: int,
    unaligned: int | None = None,
) -> dict[str, Any]:
    """What config.json, the log and the model card say of the data that was trained on.

    Args:
        dataset: all of it.
        raters: who were trained on.
        left_out: the ids of those with too few answers, or how many they are.
        images: that were trained on.
        judgments: likewise.
        unaligned: how many of the judgments are of pairs whose pixels are not compared; None for a system that
            compares none.
    """
    facts = {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "simulated": dataset.is_simulated,
        "training_raters": raters,
        "raters_left_out": left_out if isinstance(left_out, int) else len(left_out),
        "left_out": [] if isinstance(left_out, int) else list(left_out),
        "training_scenes": len(dataset.training_scenes()),
        "training_images": images,
        "training_judgments": judgments,
    }
    return facts if unaligned is None else facts | {"unaligned_judgments": unaligned}


def read_settings(run_folder: Path, system: str, kind: type[C]) -> C:
    """The config of a run of this system; RunError where the folder holds none."""
    settings = runs.read_config(Path(run_folder), system=system)["settings"]
    try:
        return from_json(kind, settings)
    except (KeyError, TypeError, ValueError) as error:
        raise runs.RunError(f"{Path(run_folder) / 'config.json'}: settings: {error}") from error
