"""Settings of exemplar-based inference, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.data.episodes import EpisodeConfig
from learning.systems import TITLES
from learning.systems.style_parts.editing import LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig
from learning.systems.style_parts.examples import Augmentation
from learning.systems.style_parts.losses import EnhancerLoss
from learning.systems.style_parts.predictor import PredictorConfig
from learning.systems.style_parts.stages import check_shares
from learning.training.loop import LoopConfig

NAME = "exemplar"
TITLE = TITLES[NAME]
STYLES = ("triplet", "preferred_minus_rejected")
QUERIES = ("original", "input")
STAGES = ("embedding", "style", "masked")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    backbone: str = ""
    """A ResNet-18 that the encoders start from, such as torchvision:resnet18; empty for random weights."""
    seed: int = 0
    edit_size: int = 512
    """Side of the squares that the enhancer edits."""
    embed_size: int = 256
    """Side at which styles and contents are read."""
    style: str = "triplet"
    query: str = "original"
    neutral_share: float = 0.5
    """How often a scene's neutral rendition is the original in training; else the pair's mean."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    enhancer_width: int = 64
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    lifting: LiftingConfig = field(default_factory=LiftingConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    enhancer_loss: EnhancerLoss = field(default_factory=EnhancerLoss)
    batch: int = 64
    """Pairs in a step that trains the embedding or the enhancer."""
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    """Of the steps that train the transformer."""
    shares: tuple[float, ...] = (0.2, 0.4, 0.4)
    """Of all steps: PieNet's embedding, style and enhancer, content and transformer."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        for name, choices in (("style", STYLES), ("query", QUERIES)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        for name in ("edit_size", "embed_size"):
            if not 32 <= getattr(self, name) <= 2048:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 32 to 2048 pixels")
        if self.embed_size > self.edit_size:
            raise ValueError(
                f"embed_size is {self.embed_size}; it must be at most edit_size ({self.edit_size})"
            )
        if not 0 <= self.neutral_share <= 1:
            raise ValueError(f"neutral_share is {self.neutral_share}; it must be from 0 to 1")
        for name in ("batch", "enhancer_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        check_shares(self.shares, STAGES)

    @property
    def styles(self) -> int:
        """Of each reference."""
        return 2 if self.style == "triplet" else 1


def tiny() -> Config:
    """For a CPU: about a minute with 8 scenes and 48 raters; encoders from scratch at 48 pixels."""
    return Config(
        preset="tiny",
        edit_size=48,
        embed_size=48,
        style="preferred_minus_rejected",
        query="input",
        encoder=EncoderConfig(width=8),
        enhancer_width=8,
        predictor=PredictorConfig(width=128, heads=4, layers=2, hidden=256),
        lifting=LiftingConfig(lut_size=9),
        augmentation=Augmentation(brightness=0.2, saturation=0.1, channels=0.05),
        batch=12,
        episodes=EpisodeConfig(raters=4, targets=4, min_references=4, max_references=12),
        shares=(0.1, 0.45, 0.45),
        loop=LoopConfig(steps=500, learning_rate=2e-3, weight_decay=0.0, warmup=20),
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """As adapted by Kim, Yoo and Kim: triplets, ResNet-18 from ImageNet, 6 layers of 8 heads and 1024.

    Steps are 25,000 for PieNet's embedding, and 40 and 30 epochs of 60,000 pairs by 64 and 32.
    """
    return Config(
        preset="paper",
        backbone="torchvision:resnet18",
        episodes=EpisodeConfig(raters=32, targets=1, min_references=10, max_references=16),
        shares=(0.2, 0.3, 0.5),
        loop=LoopConfig(
            steps=120_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
