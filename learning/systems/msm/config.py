"""Settings of masked style modeling, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.systems import TITLES
from learning.systems.style_parts.editing import LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig
from learning.systems.style_parts.examples import Augmentation
from learning.systems.style_parts.liked_config import LikedConfig
from learning.systems.style_parts.predictor import PredictorConfig
from learning.systems.style_parts.stages import check_shares
from learning.training.loop import LoopConfig

NAME = "msm"
TITLE = TITLES[NAME]
STAGES = ("degrading", "embedding", "style", "masked")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(LikedConfig):
    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    users: int = 32
    """In a step that trains the transformer; half of them are rules."""
    references: int = 10
    """Of each."""
    shares: tuple[float, ...] = (0.15, 0.15, 0.3, 0.4)
    """Of all steps: the degrading model, PieNet's embedding, style and enhancer, content and transformer."""

    def __post_init__(self) -> None:
        LikedConfig.__post_init__(self)
        for name in ("users", "references"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        check_shares(self.shares, STAGES)


def tiny() -> Config:
    """For a CPU: about a minute; encoders from scratch at 48 pixels."""
    return Config(
        preset="tiny",
        edit_size=48,
        embed_size=48,
        encoder=EncoderConfig(width=8),
        enhancer_width=8,
        predictor=PredictorConfig(width=128, heads=4, layers=2, hidden=256),
        lifting=LiftingConfig(lut_size=9),
        augmentation=Augmentation(brightness=0.2, saturation=0.1, channels=0.05),
        batch=16,
        users=6,
        references=8,
        shares=(0.15, 0.1, 0.4, 0.35),
        loop=LoopConfig(steps=600, learning_rate=2e-3, weight_decay=0.0, warmup=20),
        # Operations this small gain nothing from a second core and lose much where it is busy.
        threads=1,
    )


def paper() -> Config:
    """As published: ResNet-18 from ImageNet, 512 pixels, 6 layers of 8 heads and 1024, 10 references."""
    return Config(
        preset="paper",
        backbone="torchvision:resnet18",
        loop=LoopConfig(
            steps=150_000,
            learning_rate=1e-4,
            weight_decay=0.0,
            warmup=0,
            checkpoint_every=1000,
            log_every=50,
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
