"""A new rater's head, trained on their references with the encoder frozen."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import nn

from learning.data.crops import PairCrops
from learning.renderers.hiif import HiifHead
from learning.renderers.liif import LiifDecoder
from learning.systems.interface import Pixels, ReferencePair
from learning.systems.user_decoder.config import Config
from learning.systems.user_decoder.network import batch_loss, edit, last_layer
from learning.training.loop import TrainingError
from learning.training.threads import cpu_threads
from variants.progress import Report

STAGE = "training the rater's head"


def train_head(
    head: HiifHead | LiifDecoder,
    encoder: nn.Module,
    references: Sequence[ReferencePair],
    config: Config,
    device: torch.device,
    report: Report,
) -> None:
    """Train the head in place; the encoder stays as it is.

    Pairs whose images do not show the same thing pixel by pixel are left out; where all are
    such, the head stays as it is. The same references in any order give the same head.

    Args:
        head: as it starts.
        encoder: of the trained network.
        references: one pair or more.
        config: of the run; `config.adapt` says how long.
        device: where both networks are.
        report: told of every step.

    Raises:
        TrainingError: the loss is no longer a number.
    """
    adapt = config.adapt
    photos = _ReferencePhotos.of(_in_order(references))
    crops = PairCrops(photos, config.crops)
    pairs = np.arange(len(references))
    pairs = pairs[crops.alignment(2 * pairs, 2 * pairs + 1)]
    if not len(pairs):
        report(adapt.steps, adapt.steps, STAGE)
        return
    trained = list((last_layer(head) if adapt.trains == "last_layer" else head).parameters())
    optimizer = torch.optim.Adam(trained, lr=adapt.learning_rate)
    rng = np.random.default_rng(config.seed)
    head.train()
    with cpu_threads(config.threads), torch.enable_grad():
        for step in range(adapt.steps):
            chosen = _some(pairs, adapt.batch, rng)
            batch = crops.draw(2 * chosen, 2 * chosen + 1, rng).to(device)
            inputs = batch.inputs.flatten(0, 1)
            with torch.no_grad():
                features = encoder(inputs)
            progress = step / max(1, adapt.steps - 1)
            loss = batch_loss(edit(head, features, inputs), batch, config.curriculum, progress)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            norm = nn.utils.clip_grad_norm_(trained, config.loop.clip)
            if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
                raise TrainingError(
                    f"step {step + 1} of the rater's head: the loss or its gradient is not a number "
                    f"({loss.item():g}); a lower learning rate is what mends this most often"
                )
            optimizer.step()
            report(step + 1, adapt.steps, STAGE)
    head.eval()


def _some(
    pairs: np.ndarray[tuple[int], np.dtype[np.int64]], n: int, rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """`n` of them, none twice while there are enough."""
    return rng.choice(pairs, n, replace=len(pairs) < n)


def _in_order(references: Sequence[ReferencePair]) -> list[ReferencePair]:
    """By what they show, so that the order in which they came says nothing."""
    return sorted(references, key=lambda pair: _hash(pair.preferred) + _hash(pair.rejected))


def _hash(image: Pixels) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Size:
    width: int
    height: int


class _ReferencePhotos:
    """References as `PairCrops` reads photos: preferred images at even positions, rejected ones at odd ones."""

    def __init__(self, opened: Sequence[PillowImage.Image]) -> None:
        self.image_ids = [str(number) for number in range(len(opened))]
        self.images = {
            image_id: _Size(width=one.width, height=one.height)
            for image_id, one in zip(self.image_ids, opened, strict=True)
        }
        self._opened = dict(zip(self.image_ids, opened, strict=True))

    @classmethod
    def of(cls, references: Sequence[ReferencePair]) -> "_ReferencePhotos":
        return cls([_eight_bit(image) for pair in references for image in (pair.preferred, pair.rejected)])

    def opened(self, image_id: str, *, short_side: int | None = None) -> PillowImage.Image:
        opened = self._opened[image_id]
        if short_side is not None and min(opened.size) > short_side:
            scale = short_side / min(opened.size)
            size = (max(1, round(opened.width * scale)), max(1, round(opened.height * scale)))
            return opened.resize(size, PillowImage.Resampling.LANCZOS, reducing_gap=3.0)
        return opened


def _eight_bit(image: Pixels) -> PillowImage.Image:
    return PillowImage.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8))
