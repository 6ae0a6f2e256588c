"""Deep Photo Style Transfer as published: pixels by L-BFGS in two stages, then the affine filter."""

import numpy as np
import torch

from learning.renderers.lifting import apply_bilateral_grid, fit_bilateral_grid
from learning.renderers.matting import affine_filter
from learning.systems.deep_photo.config import Config
from learning.systems.deep_photo.losses import TransferLoss
from learning.systems.deep_photo.optimise import minimise
from learning.systems.interface import Pixels
from learning.systems.shared import pixels_of
from variants.progress import Report

STAGES = ("style without the Matting Laplacian", "style with the Matting Laplacian")


def optimise_pixels(
    content: torch.Tensor, loss: TransferLoss, config: Config, report: Report
) -> tuple[Pixels, tuple[float, ...], tuple[str, ...]]:
    """Content (1, 3, H, W) → the result (H, W, 3), the losses of both stages, and notes of what went wrong.

    The second stage begins with what the first found. Where a stage diverges, its best is kept.
    """
    steps = config.loop.steps

    def told(first: int, stage: str) -> Report:
        return lambda done, total, _: report(first + done, 2 * steps, stage)

    values = content
    losses: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    for number, stage in enumerate(STAGES):
        with_matting = number == 1

        def judged(image: torch.Tensor, with_matting: bool = with_matting) -> torch.Tensor:
            return loss(image, with_matting=with_matting)

        outcome = minimise(values, judged, config.loop, told(number * steps, stage), stage)
        values, losses = outcome.values, losses + outcome.losses
        notes += (outcome.note,) if outcome.note else ()
    result = pixels_of(values)
    if config.affine_filter:
        result = affine_filter(pixels_of(content), result)
    return result, losses, notes


def at_full_size(small: Pixels, edited: Pixels, image: Pixels) -> Pixels:
    """What was done to the small photo, done to the image: a bilateral grid of affine maps of colour."""
    if image.shape == small.shape and np.array_equal(image, small):
        return edited
    rows, columns = (min(16, max(2, side // 8)) for side in small.shape[:2])  # 8 pixels a cell at least
    return apply_bilateral_grid(image, fit_bilateral_grid(small, edited, shape=(rows, columns, 8)))
