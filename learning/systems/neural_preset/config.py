"""Settings of Neural Preset, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.renderers.dncm import DncmConfig
from learning.renderers.random_looks import LookConfig
from learning.systems import TITLES
from learning.training.loop import LoopConfig

NAME = "neural_preset"
TITLE = TITLES[NAME]
ENCODERS = ("conv", "efficientnet_b0")
STARTS = "timm:efficientnet_b0"


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderConfig:
    """The network that reads d, how a photo leaves the normal colours, and r, the style."""

    kind: str = "efficientnet_b0"
    image_size: int = 256
    """Side of the squares that it looks at, in pixels."""
    hidden: int = 640
    """Width of the layer before d and r; with it the whole has 5.16 M parameters (published: 5.15 M)."""

    def __post_init__(self) -> None:
        if self.kind not in ENCODERS:
            raise ValueError(f"kind is {self.kind!r}; it must be one of {', '.join(ENCODERS)}")
        if not 16 <= self.image_size <= 1024:
            raise ValueError(f"image_size is {self.image_size}; it must be from 16 to 1024 pixels")
        if self.hidden < 1:
            raise ValueError(f"hidden is {self.hidden}; it must be 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoConfig:
    """What one step is shown of the photos."""

    photo_size: int = 512
    """Long side at which photos are read, in pixels."""
    crop: int = 256
    """Side of what one step is shown: a random square of a photo, resized."""
    batch: int = 24
    smallest: float = 0.5
    """Smallest side of the square, of the photo's shorter side."""

    def __post_init__(self) -> None:
        for name in ("photo_size", "crop"):
            if not 8 <= getattr(self, name) <= 4096:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 8 to 4096 pixels")
        if self.batch < 2:
            raise ValueError(f"batch is {self.batch}; it must be 2 or more")
        if not 0 < self.smallest <= 1:
            raise ValueError(f"smallest is {self.smallest}; it must be above 0, and 1 at most")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    backbone: str = ""
    """Weights that EfficientNet-B0 starts from, as timm:efficientnet_b0 or with =PATH; empty: random ones."""
    seed: int = 0
    edit_size: int = 512
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    dncm: DncmConfig = field(default_factory=DncmConfig)
    """Of both maps; each has its own P and Q."""
    photos: PhotoConfig = field(default_factory=PhotoConfig)
    looks: LookConfig = field(default_factory=LookConfig)
    """Of the random looks that a photo is given, two at a time."""
    consistency: float = 10.0
    """Weight of the difference between the two normalised photos (published: 10)."""
    anchor: float = 0.0
    """Weight of the mean absolute difference of the normalised photos from the photo without a look (published: 0).
    With it normal colours are the photo's own, and a style is a look alone, not what else the photo shows."""
    contrast: float = 0.0
    """How far a rater's style is pushed on from the mean of what they rejected; 0: what they preferred alone."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        name = self.backbone.partition("=")[0]
        if name and (name.partition(".")[0] != STARTS or self.encoder.kind != "efficientnet_b0"):
            kind = self.encoder.kind
            raise ValueError(
                f"backbone is {self.backbone!r} and the encoder {kind}; an efficientnet_b0 may start from {STARTS} "
                "or a file of it, a conv starts from random weights and takes no backbone"
            )
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        for setting in ("consistency", "anchor", "contrast"):
            if getattr(self, setting) < 0:
                raise ValueError(f"{setting} is {getattr(self, setting)}; it must be 0 or more")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")


def tiny() -> Config:
    """For a CPU: about a minute on one core, any few dozen photos, no weights."""
    return Config(
        preset="tiny",
        edit_size=256,
        encoder=EncoderConfig(kind="conv", image_size=32, hidden=128),
        photos=PhotoConfig(photo_size=128, crop=32, batch=16),
        anchor=1.0,
        loop=LoopConfig(steps=1200, learning_rate=2e-3, weight_decay=0.0),
        threads=1,
    )


def paper() -> Config:
    """Published sizes and form, a 3 × 3 matrix: 32 epochs of 118,000 photos in batches of 24.

    The learning rate falls along a cosine, not to a tenth at epoch 24 at once, and the looks are
    drawn (`learning.renderers.random_looks`), since the LUTs were not given out.
    """
    return Config(
        preset="paper",
        dncm=DncmConfig(lift="none"),
        loop=LoopConfig(
            steps=157_000, learning_rate=3e-4, weight_decay=0.0, warmup=0, checkpoint_every=1000, log_every=50
        ),
    )


def full() -> Config:
    """As `paper`, with lifted maps: curves and offsets that a 3 × 3 matrix cannot have."""
    published = paper()
    return Config(preset="full", loop=published.loop)


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper, "full": full}
