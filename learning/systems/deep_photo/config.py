"""Settings of Deep Photo Style Transfer and of the quick methods beside it, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.systems import TITLES

NAME = "deep_photo"
TITLE = TITLES[NAME]
METHODS = ("reinhard", "monge_kantorovich", "sliced_ot", "lut_lbfgs", "optimise")
WITH_FEATURES = ("lut_lbfgs", "optimise")
"""Methods that need a network's features."""
STYLES = ("pooled", "nearest")
MISSING = ("remap", "refuse")
BALANCES = ("energy", "published")
INPUTS = ("torchvision", "caffe")


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights of the losses, as in the authors' code."""

    content: float = 5.0
    style: float = 100.0
    variation: float = 1e-3
    """Of the squared differences of neighbouring pixels."""
    matting: float = 1e4
    smoothness: float = 2e4
    """Of a LUT's squared second differences and wrong slopes, in units of its lattice; not used for pixels."""
    balance: str = "energy"
    """energy: each loss is relative to what it compares, and the Matting Laplacian's counts for one pixel, so
    that the weights serve any network and any size. published: plain sums and means, for Caffe's VGG-19."""
    input: str = "torchvision"
    """How the network wants its pixels. torchvision: RGB, scaled by ImageNet's deviations; caffe: BGR levels of
    0 to 255 less the mean, for the VGG-19 that the authors used."""

    def __post_init__(self) -> None:
        for name in ("content", "style", "variation", "matting", "smoothness"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        for name, known in (("balance", BALANCES), ("input", INPUTS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class IterationConfig:
    """How long L-BFGS goes on."""

    steps: int = 1000
    """Iterations of each stage; `lut_lbfgs` has one stage, `optimise` two."""
    at_once: int = 20
    """Iterations between two looks at whether it goes well."""

    def __post_init__(self) -> None:
        for name in ("steps", "at_once"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    method: str = "monge_kantorovich"
    backbone: str = ""
    """Features for lut_lbfgs and optimise: torchvision:vgg19 as published, or torchvision:squeezenet1_1 as a
    small stand-in, either with =PATH. The other methods need none."""
    seed: int = 0
    edit_size: int = 700
    """Long side at which `optimise` works, in pixels; a larger photo gets the same edit by a bilateral grid."""
    lut_edit_size: int = 256
    """Long side at which `lut_lbfgs` looks at the photo while it fits."""
    style_size: int = 256
    """Liked photos are kept as squares of this side."""
    max_photos: int = 16
    """Of those that are liked, evenly picked where there are more."""
    style: str = "pooled"
    """pooled: all liked photos together are the style; nearest: the one whose layout of light is most like the photo's."""
    segmentation: str = ""
    """Name or folder of a transformers model for semantic segmentation; empty: one segment, or masks by hand."""
    missing_labels: str = "remap"
    """What becomes of a segment that no liked photo has. remap: it takes the style of the segment nearest in colour."""
    max_gain: float = 3.0
    """Largest stretch of colours by reinhard and monge_kantorovich; more shows noise and steps of 8 bits."""
    directions: int = 20
    """Random bases of sliced_ot."""
    losses: LossConfig = field(default_factory=LossConfig)
    affine_filter: bool = True
    """Whether `optimise` ends with the affine filter."""
    loop: IterationConfig = field(default_factory=IterationConfig)

    def __post_init__(self) -> None:
        known = (("method", METHODS), ("style", STYLES), ("missing_labels", MISSING))
        for name, choices in known:
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(choices)}")
        if self.method in WITH_FEATURES and not self.backbone:
            raise ValueError(
                f"the method {self.method} needs features: name a backbone, torchvision:vgg19 as published"
            )
        for name in ("edit_size", "lut_edit_size", "style_size"):
            if not 8 <= getattr(self, name) <= 4096:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 8 to 4096 pixels")
        if not 1 <= self.max_photos <= 1000:
            raise ValueError(f"max_photos is {self.max_photos}; it must be from 1 to 1000")
        if not self.max_gain >= 1:
            raise ValueError(f"max_gain is {self.max_gain}; it must be 1 or more")
        if self.directions < 0:
            raise ValueError(f"directions is {self.directions}; it must be 0 or more")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")


def tiny() -> Config:
    """Milliseconds a photo and no weights: the linear Monge-Kantorovich map."""
    return Config(preset="tiny", style_size=96)


def full() -> Config:
    """Seconds a photo: L-BFGS on a LUT with VGG-19's augmented Gram loss; a colour map by construction."""
    return Config(
        preset="full", method="lut_lbfgs", backbone="torchvision:vgg19", loop=IterationConfig(steps=100)
    )


def paper() -> Config:
    """As published: pixels by L-BFGS, 1000 iterations without and 1000 with the Matting Laplacian, at 700 pixels.

    The losses are balanced by energy, since the published weights belong to Caffe's VGG-19: with its
    weights in torchvision's names set `losses` to balance published and input caffe.
    """
    return Config(
        preset="paper", method="optimise", backbone="torchvision:vgg19", style_size=512, style="nearest"
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "full": full, "paper": paper}
