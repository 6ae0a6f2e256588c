"""The sizes of the preference embedding: for a CPU, and the two published ones."""

import dataclasses
from collections.abc import Callable

from learning.data.crops import ColorJitter, CropConfig
from learning.renderers.hiif import HiifConfig
from learning.systems.upe.config import Config, FixedReferences, ReaderConfig
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum


def tiny() -> Config:
    """For a CPU: one minute on two cores with 8 scenes and 48 raters."""
    return Config(
        preset="tiny",
        reader=ReaderConfig(log_length=True, unscaled=True, standardise=True),
        # Measured on simulated raters (docs/decisions): less noise learns the known scenes by heart.
        feature_noise=0.7,
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """The smaller of the authors' two configurations, whose family their ablations name: most likely the published.

    Steps: 500 epochs of 64 pairs, the public release having 31 400 pairs of 471 training raters. The weight
    of the preferred image is that of the published text, linear 0.5 to 1.5; the configuration in the
    code ends logarithmically at 1.0. The minimum is the same for both, the pull is stronger with
    the text's. ImageNet's normalisation is on, as DINOv2 was trained; the code leaves it out.
    """
    return Config(
        preset="paper",
        backbone="dinov2_base",
        edit_size=512,
        reader=ReaderConfig(token=64, hidden=64, heads=2, embedding=48),
        decoder=HiifConfig(channels=48, blocks=12, width=48, heads=12),
        photo_statistics=False,
        gate=False,
        crops=CropConfig(size=64, jitter=ColorJitter(), four_inputs=True),
        episodes=FixedReferences(references=16, pairs=64),
        curriculum=Curriculum(schedule="linear", start=0.5, end=1.5),
        loop=_loop(steps=186_000),
    )


def full() -> Config:
    """The larger one: crops of 128, two pairs a step, 200 epochs of the public release."""
    return Config(
        preset="full",
        backbone="dinov2_base",
        edit_size=512,
        reader=ReaderConfig(token=256, hidden=512, heads=8, embedding=512),
        decoder=HiifConfig(channels=64, blocks=16, width=384, heads=24),
        photo_statistics=False,
        gate=False,
        crops=CropConfig(size=128, jitter=ColorJitter(), four_inputs=True),
        episodes=FixedReferences(references=16, pairs=2),
        curriculum=Curriculum(schedule="linear", start=0.5, end=1.5),
        loop=_loop(steps=2_380_000),
    )


def plus() -> Config:
    """The smaller published size, changed so that the rater cannot be ignored: our own variant, UPE+.

    Tokens also tell the difference of the pair's colour statistics and the style's length, the embedding
    scales and shifts every layer, and another rater's edit must be farther from the preferred image.
    """
    published = paper()
    return dataclasses.replace(
        published,
        preset="plus",
        color_tokens=True,
        reader=dataclasses.replace(published.reader, log_length=True),
        decoder=HiifConfig(channels=48, blocks=12, width=48, heads=12, injection="film"),
        contrast_weight=0.5,
    )


def _loop(steps: int) -> LoopConfig:
    """Adam at 1e-4 without decay, gradients clipped at 1."""
    return LoopConfig(
        steps=steps,
        learning_rate=1e-4,
        weight_decay=0.0,
        schedule="constant",
        warmup=0,
        checkpoint_every=1000,
        log_every=50,
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper, "full": full, "plus": plus}
