"""Settings of PrefLUT, and its two presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.data.episodes import EpisodeConfig
from learning.data.views import ViewConfig
from learning.training.loop import LoopConfig


def _check_positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be above 0")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """The defaults are the recipe's sizes."""

    channels: tuple[int, ...] = (32, 64, 128, 256)
    """Of the image encoder's convolutions, each of which halves the image."""
    width: int = 256
    """Of an image's features, of a token, of the profile and of a LUT's latent."""
    hidden: int = 512
    """Of the networks with one hidden layer."""
    pool_tokens: int = 4
    blocks: int = 4
    heads: int = 8
    volume: tuple[int, ...] = (128, 64, 32)
    """Channels of the LUT decoder's convolutions, which work on a lattice of volume_size³."""
    volume_size: int = 4
    lut_size: int = 17
    largest_shift: float = 0.5
    """How far a LUT can move a channel."""

    def __post_init__(self) -> None:
        _check_positive(self, "width", "hidden", "pool_tokens", "blocks", "heads", "largest_shift")
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}; it must be a multiple of heads ({self.heads})")
        for name, least in (("volume_size", 2), ("lut_size", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least {least}")
        for name in ("channels", "volume"):
            if not getattr(self, name) or min(getattr(self, name)) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be whole numbers from 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainingConfig:
    """A LUT is fitted to each aligned pair; then LUTs become latents, and pairs become those latents."""

    pairs: int = 5711
    """At most so many pairs, at random."""
    fit_steps: int = 30
    fit_rate: float = 0.03
    smoothness: float = 0.01
    monotonicity: float = 0.01
    identity: float = 0.001
    """Weights of what holds a fitted LUT back; `identity` is the mean distance from doing nothing."""
    autoencoder_epochs: int = 50
    latent_epochs: int = 30
    learning_rate: float = 1e-3
    """The recipe does not say it."""
    batch: int = 64
    view_size: int = 64
    """Side of the pictures that LUTs are fitted to and compared on."""

    def __post_init__(self) -> None:
        _check_positive(
            self,
            *("pairs", "fit_steps", "fit_rate", "autoencoder_epochs", "latent_epochs", "learning_rate"),
            *("batch", "view_size"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the seven terms of personal training, as in the recipe; 0 switches one off."""

    distance: float = 1.0
    """Of the edited rejected image to the preferred one in colour statistics, over the pair's own distance."""
    margin: float = 1.0
    """Of the hinge: nearer to the preferred image than to the rejected one."""
    to_preferred: float = 2.0
    """L1 of the edited rejected image to the preferred one, where the two lie on each other."""
    keep: float = 3.0
    """L1 of the edited preferred image to itself."""
    gate: float = 0.5
    """Which input was the rejected one."""
    identity: float = 0.05
    """The LUT's mean distance from doing nothing."""
    wrong_rater: float = 0.5
    """Of the hinge: nearer with the rater's own profile than with another's."""
    hinge: float = 0.02
    """By how much nearer."""
    floor: float = 0.05
    """Added to the pair's own distance."""

    def __post_init__(self) -> None:
        for name in (*TERMS, "hinge", "floor"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")


TERMS = ("distance", "margin", "to_preferred", "keep", "gate", "identity", "wrong_rater")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    seed: int = 0
    edit_size: int = 512
    """Long side at which evaluations edit, in pixels; the LUT is applied at any."""
    image_size: int = 256
    """Side of the square that the encoders see of an image."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    pretraining: PretrainingConfig = field(default_factory=PretrainingConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    strength: float = 0.7
    """What the predicted strength is multiplied by outside of training."""
    views: ViewConfig = field(default_factory=ViewConfig)
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        if self.image_size < 2 ** len(self.network.channels):
            raise ValueError(
                f"image_size is {self.image_size}; {len(self.network.channels)} halvings need at least "
                f"{2 ** len(self.network.channels)}"
            )
        if not 0 <= self.strength <= 1:
            raise ValueError(f"strength is {self.strength}; it must be from 0 to 1")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")


def tiny() -> Config:
    """For a CPU: a minute or two on two cores; a quarter of the widths, views of 32 pixels."""
    return Config(
        preset="tiny",
        edit_size=256,
        image_size=32,
        network=NetworkConfig(
            channels=(16, 32, 64, 64), width=64, hidden=128, blocks=2, heads=4, volume=(32, 32, 16)
        ),
        pretraining=PretrainingConfig(pairs=512, view_size=32),
        views=ViewConfig(count=6, size=32, jitter=0),
        episodes=EpisodeConfig(raters=16, targets=4, min_references=4, max_references=16),
        loop=LoopConfig(steps=1000, learning_rate=1e-3, weight_decay=1e-4),
        threads=1,
    )


def paper() -> Config:
    """The recipe: 100 epochs of 30 steps for 471 raters; crops of 128 pixels, drawn once as six views an image."""
    return Config(
        preset="paper",
        views=ViewConfig(count=6, size=128, smallest_crop=0.25, jitter=0, max_bytes=6 * 2**30),
        episodes=EpisodeConfig(raters=16, targets=4, min_references=16, max_references=16),
        loop=LoopConfig(
            steps=3000,
            learning_rate=2e-4,
            weight_decay=1e-4,
            warmup=0,
            schedule="cosine",
            checkpoint_every=500,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
