"""A degrading model by itself: from a photo that somebody likes to what it may have been before."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from learning.systems.interface import Pixels
from learning.systems.shared import best_device, pixels_of, resized, tensor_of
from learning.systems.style_parts.editing import LiftingConfig, lifted
from learning.systems.style_parts.encoders import normalised
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import Augmentation, square_side
from learning.systems.style_parts.liked import RulePhotos, RuleSteps, degraded
from learning.systems.style_parts.pseudo_users import RULES
from learning.training.loop import LoopConfig, train
from variants.progress import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class DegraderConfig:
    """Sizes for a CPU: half a minute on two cores."""

    size: int = 64
    width: int = 8
    batch: int = 16
    seed: int = 0
    lifting: LiftingConfig = field(default_factory=lambda: LiftingConfig(lut_size=9))
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=400, learning_rate=2e-3, weight_decay=0.0, warmup=20)
    )


class Degrader:
    """Trained backwards, from the results of rule-based pseudo-users to their originals."""

    def __init__(self, network: Enhancer, config: DegraderConfig) -> None:
        self._network, self._config = network.eval(), config
        self._device = next(network.parameters()).device

    @torch.inference_mode()
    def pseudo_original(self, photo: Pixels) -> Pixels:
        """(H, W, 3) → the same size."""
        square = resized(tensor_of(photo, self._device), (self._config.size,) * 2)
        after = degraded(square, self._network, self._config.size)
        return lifted(pixels_of(square), pixels_of(after), photo, self._config.lifting)


def fit_degrader(
    originals: Sequence[Pixels],
    config: DegraderConfig,
    report: Report,
    *,
    rules: Sequence[str] = tuple(RULES),
) -> Degrader:
    """Train on photos that were retouched by nobody.

    Args:
        originals: a few at least; ValueError without any.
        config: sizes and how long.
        report: told of every step.
        rules: names of the pseudo-users.
    """
    if not originals:
        raise ValueError("originals is empty; a degrading model is trained on at least one photo")
    augmentation = Augmentation(brightness=0)
    photos = RulePhotos(
        lambda number: originals[number],
        np.arange(len(originals)),
        square_side(config.size, augmentation),
        names=rules,
    )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Enhancer(config.width, 0)
    network.to(best_device())
    with tempfile.TemporaryDirectory(prefix="degrading-") as folder:
        train(
            network,
            RuleSteps(
                photos, batch=config.batch, size=config.size, augmentation=augmentation, seed=config.seed
            ),
            lambda _, step: {
                "loss": F.l1_loss(normalised(network(step.enhanced)), normalised(step.original))
            },
            config.loop,
            Path(folder),
            system="degrading",
            seed=config.seed,
            report=report,
            resume=False,
        )
    return Degrader(network, config)
