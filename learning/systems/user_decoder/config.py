"""Settings of the user-specific decoder, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.data.crops import ColorJitter, CropConfig
from learning.renderers.hiif import HiifConfig
from learning.renderers.liif import LiifConfig
from learning.systems import TITLES
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum

NAME = "user_decoder"
TITLE = TITLES[NAME]
ENCODERS = ("edsr", "rdn")
STARTS = ("mean", "scratch")
TRAINED_PARTS = ("head", "last_layer")
ASPECT = 1.5
"""Long side over short side of most photos: how large references have to be for crops of a given scale."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptConfig:
    """How a new rater's head is trained on their references, the encoder being frozen."""

    steps: int = 500
    """Published: 100 to 1000."""
    batch: int = 16
    """Pairs in one step."""
    learning_rate: float = 1e-4
    start: str = "mean"
    """mean: the mean of the training raters' heads; scratch: a head that changes nothing, as published."""
    trains: str = "head"
    """head: all of it, as published; last_layer: only the linear map that gives the residual."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it must be above 0")
        if self.start not in STARTS:
            raise ValueError(f"start is {self.start!r}; it must be one of {', '.join(STARTS)}")
        if self.trains not in TRAINED_PARTS:
            raise ValueError(f"trains is {self.trains!r}; it must be one of {', '.join(TRAINED_PARTS)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    seed: int = 0
    edit_size: int = 512
    """Long side at which evaluations edit, in pixels."""
    encoder: str = "edsr"
    """edsr: EDSR, with the head's `channels` and `blocks`; rdn: RDN of so many channels and dense blocks, 8
    convolutions in each ("B" with 64 and 16)."""
    head: LiifConfig | HiifConfig = field(default_factory=LiifConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    batch: int = 16
    """Pairs in one step, all of one rater; each is edited from both its images."""
    iterations: int = 16
    """Steps on one rater before the next one's turn."""
    min_answers: int = 4
    """Training raters with fewer answers on training scenes are left out."""
    curriculum: Curriculum = field(default_factory=Curriculum)
    loop: LoopConfig = field(default_factory=LoopConfig)
    adapt: AdaptConfig = field(default_factory=AdaptConfig)
    threads: int | None = None
    """CPU threads in training and adapting; None for torch's own number."""

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS:
            raise ValueError(f"encoder is {self.encoder!r}; it must be one of {', '.join(ENCODERS)}")
        for name in ("batch", "iterations", "min_answers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if not 16 <= self.edit_size <= 8192:
            raise ValueError(f"edit_size is {self.edit_size}; it must be from 16 to 8192 pixels")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")

    @property
    def reference_size(self) -> int:
        """Long side of references from which the largest crops are not scaled up, in pixels."""
        return round(ASPECT * self.crops.short_side[1])


def tiny() -> Config:
    """For a CPU: about a minute on one core."""
    return Config(
        preset="tiny",
        edit_size=256,
        head=LiifConfig(channels=16, blocks=2, hidden=32, hidden_layers=2),
        crops=CropConfig(size=24, short_side=(32, 128)),
        batch=8,
        iterations=8,
        loop=LoopConfig(steps=1600, learning_rate=2e-3, weight_decay=0.0, checkpoint_every=200),
        adapt=AdaptConfig(steps=60, batch=8, learning_rate=2e-3),
    )


def full() -> Config:
    """As the published text says: EDSR-baseline and a LIIF head. Wants a GPU."""
    return Config(preset="full", loop=_published_loop())


def paper() -> Config:
    """As the author's code runs it: a HIIF head, four inputs of each pair, new heads from scratch. Wants a GPU."""
    return Config(
        preset="paper",
        head=HiifConfig(),
        crops=CropConfig(jitter=ColorJitter(), four_inputs=True),
        loop=_published_loop(),
        adapt=AdaptConfig(steps=1000, start="scratch"),
    )


def _published_loop() -> LoopConfig:
    """Adam at 1e-4; with the paper's 471 raters, each has its turn 53 times."""
    return LoopConfig(
        steps=400_000,
        learning_rate=1e-4,
        weight_decay=0.0,
        schedule="constant",
        warmup=0,
        checkpoint_every=1000,
        log_every=50,
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper, "full": full}
