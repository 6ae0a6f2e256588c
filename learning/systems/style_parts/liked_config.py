"""Settings that the systems on liked photos share."""

from dataclasses import dataclass, field

from learning.systems.style_parts.editing import LiftingConfig
from learning.systems.style_parts.encoders import EncoderConfig
from learning.systems.style_parts.examples import Augmentation
from learning.systems.style_parts.losses import EnhancerLoss
from learning.training.loop import LoopConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class LikedConfig:
    preset: str
    backbone: str = ""
    """A ResNet-18 that the encoders start from, such as torchvision:resnet18; empty for random weights."""
    seed: int = 0
    edit_size: int = 512
    """Side of the squares that the enhancer edits."""
    embed_size: int = 256
    """Side at which styles and contents are read."""
    neutral_share: float = 0.5
    """How often a scene's neutral rendition is a liked photo's original in training, where there is one;
    else the degrading model makes it, as it does for every photo read later."""
    rule_users: bool = True
    """Whether the rule-based pseudo-users are users in training beside the raters."""
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    enhancer_width: int = 64
    lifting: LiftingConfig = field(default_factory=LiftingConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)
    enhancer_loss: EnhancerLoss = field(default_factory=EnhancerLoss)
    batch: int = 64
    """Photos in a step that trains the degrading model, the embedding or the enhancer."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
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
