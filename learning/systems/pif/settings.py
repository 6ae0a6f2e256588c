"""Settings of the personalized image filter."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.renderers.lifting import METHODS
from learning.systems import TITLES
from learning.systems.pif.model import MODEL
from learning.training.loop import LoopConfig

NAME = "pif"
TITLE = TITLES[NAME]
FROM_SCRATCH = "small"
"""As `model`: a small one of the same form, made on the spot."""
SPACES = ("latent", "pixel")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    model: str = MODEL
    """A name in the hub's cache of this machine, a folder of Stable Diffusion 1.5's form, or small."""
    seed: int = 0
    edit_size: int = 512
    """Long side at which photos are edited, in pixels; larger ones are reduced and the edit is lifted."""
    lift: str = "bilateral_grid"
    """How: lut or bilateral_grid, which can hold a vignette."""
    size: int = 512
    """Side of the squares that are trained on."""
    batch: int = 4
    rank: int = 16
    """Of the adapters; 0 trains the whole UNet and text encoder."""
    timestep: int = 999
    residual_space: str = "latent"
    left_out: float = 0.3
    """Chance that a training prompt says nothing of a concept."""
    perceptual: float = 0.5
    edges: float = 0.5
    vgg: str = "torchvision:vgg16"
    """Whose features the perceptual loss compares; not loaded where its weight is 0."""
    autoencoder_steps: int = 0
    """Training of the autoencoder before its decoder is frozen; for a model from scratch."""
    attention: float = 0.01
    """Weight of the attention loss in learning the words of a taste."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    inversion: LoopConfig = field(default_factory=LoopConfig)
    """Of the words of one taste."""

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("model is empty; it must be a name or a folder, or small")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        if not 16 <= self.size <= 2048:
            raise ValueError(f"size is {self.size}; it must be from 16 to 2048 pixels")
        if self.lift not in METHODS:
            raise ValueError(f"lift is {self.lift!r}; it must be one of {', '.join(METHODS)}")
        if self.residual_space not in SPACES:
            raise ValueError(
                f"residual_space is {self.residual_space!r}; it must be one of {', '.join(SPACES)}"
            )
        if self.batch < 1:
            raise ValueError(f"batch is {self.batch}; it must be 1 or more")
        if not 0 <= self.timestep < 1000:
            raise ValueError(f"timestep is {self.timestep}; it must be from 0 to 999")
        if not 0 <= self.left_out < 1:
            raise ValueError(f"left_out is {self.left_out}; it must be from 0 to below 1")
        for name in ("rank", "perceptual", "edges", "autoencoder_steps", "attention"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")


def tiny() -> Config:
    """From scratch on a CPU, with no weights of others: it shows that the chain runs, and little of what PIF can do."""
    return Config(
        preset="tiny",
        model=FROM_SCRATCH,
        edit_size=64,
        size=32,
        batch=4,
        rank=0,
        timestep=400,
        perceptual=0.0,
        autoencoder_steps=200,
        loop=LoopConfig(steps=250, learning_rate=1e-3, warmup=20),
        inversion=LoopConfig(steps=40, learning_rate=2e-2, weight_decay=0.0, warmup=4),
    )


def paper() -> Config:
    """The published numbers of steps; rank, rates and weights are lost, and these are usual ones."""
    return Config(
        preset="paper",
        loop=LoopConfig(
            steps=80_000,
            learning_rate=1e-4,
            weight_decay=0.01,
            schedule="constant",
            warmup=500,
            checkpoint_every=1000,
            log_every=50,
        ),
        inversion=LoopConfig(
            steps=10_000, learning_rate=5e-3, weight_decay=0.0, warmup=0, checkpoint_every=1000, log_every=50
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
