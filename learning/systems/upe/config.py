"""Settings of the preference embedding, and what they may be."""

from dataclasses import dataclass, field

from learning.backbones import TONE_STATISTICS, BackboneChoice
from learning.data.crops import CropConfig
from learning.data.episodes import EpisodeConfig
from learning.data.views import ViewConfig
from learning.renderers.color_field import ColorFieldConfig
from learning.renderers.hiif import HiifConfig
from learning.renderers.liif import LiifConfig
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum


@dataclass(frozen=True, kw_only=True, slots=True)
class ReaderConfig:
    """The aggregator: tokens of reference pairs → embedding."""

    token: int = 64
    """Width of a token after its MLP."""
    hidden: int = 64
    heads: int = 2
    layers: int = 3
    embedding: int = 48
    dropout: float = 0.1
    log_length: bool = False
    """Also tell the style's length, which scaling it to 1 throws away."""
    unscaled: bool = False
    """Also give the features as they are: preferred, rejected, and their difference."""
    standardise: bool = False
    """Scale each feature to mean 0 and deviation 1 over the training images first."""

    def __post_init__(self) -> None:
        for name in ("token", "hidden", "heads", "layers", "embedding"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if self.hidden % self.heads:
            raise ValueError(f"hidden is {self.hidden}; it must be a multiple of heads ({self.heads})")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedReferences:
    """Training as published: of each rater the same pairs are always the references, and never in the loss."""

    references: int = 16
    """Drawn once for each rater, by the rater's id and the seed."""
    pairs: int = 64
    """Pairs of any raters in one step; all pairs are gone through in turn."""

    def __post_init__(self) -> None:
        for name in ("references", "pairs"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    backbone: str = TONE_STATISTICS
    imagenet_norm: bool = True
    """For DINOv2; the authors' code leaves it out."""
    patch_mean: bool = False
    """For DINOv2: the mean of the patch tokens beside the class token."""
    bf16_features: bool = False
    """Let the backbone compute in bfloat16 where that keeps its precision."""
    color_tokens: bool = False
    """Also give the reader the difference of the pair's colour statistics, to which DINOv2 is nearly blind."""
    seed: int = 0
    edit_size: int = 256
    """Long side at which evaluations edit, in pixels."""
    reader: ReaderConfig = field(default_factory=ReaderConfig)
    decoder: ColorFieldConfig | LiifConfig | HiifConfig = field(default_factory=ColorFieldConfig)
    photo_statistics: bool = True
    """Whether the colour field sees the photo's features beside the embedding; a gate always does."""
    gate: bool = True
    views: ViewConfig = field(default_factory=ViewConfig)
    target_views: ViewConfig | None = None
    """Views that are edited, where they are not those that the backbone reads."""
    crops: CropConfig | None = None
    """Edit crops of the photos instead of views; then the backbone sees whole photos, and its features are kept."""
    episodes: EpisodeConfig | FixedReferences = field(default_factory=EpisodeConfig)
    curriculum: Curriculum = field(default_factory=Curriculum)
    feature_noise: float = 0.0
    """Deviation of the noise added to features in training, in units of the features."""
    gate_weight: float = 0.05
    """Of the gate's two losses beside the pairwise objective."""
    contrast_weight: float = 0.0
    """Of a loss that asks another rater's edit to be farther from the preferred image than the rater's own."""
    contrast_margin: float = 0.02
    """By how much, in mean absolute difference."""
    largest_short_side: int = 1024
    """Photos are edited place by place at this shorter side at most, the largest of training; the residual of a
    larger photo is enlarged."""
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        BackboneChoice.parse(self.backbone)
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        for name in ("feature_noise", "gate_weight", "contrast_weight", "contrast_margin"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not 16 <= self.largest_short_side <= 8192:
            raise ValueError(
                f"largest_short_side is {self.largest_short_side}; it must be from 16 to 8192 pixels"
            )
        if self.color_tokens and self.backbone == TONE_STATISTICS:
            raise ValueError(f"color_tokens adds nothing to {TONE_STATISTICS}: those are colour statistics")
        if self.crops and self.target_views:
            raise ValueError("crops and target_views are both set; targets are either crops or views")
