"""Settings of TasteLUT, and its presets."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.data.views import ViewConfig
from learning.training.loop import LoopConfig
from learning.training.objective import Curriculum


def _check_from(config: object, least: float, *names: str) -> None:
    for name in names:
        if getattr(config, name) < least:
            raise ValueError(f"{name} is {getattr(config, name)}; it must be {least} or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    hidden: int = 128
    """Of networks with two hidden layers."""
    width: int = 64
    """Of a reference pair's token."""
    heads: int = 4
    layers: int = 2
    memory: int = 4
    """Tokens that a rater's pairs are pooled into: what a profile holds."""
    dropout: float = 0.1
    sides: bool = False
    """A token also holds the statistics of both images. Then a rater can be read from what they like and dislike, whatever
    was compared with what, and scenes can be learnt by heart."""
    attention: bool = True
    """Off: the editor knows of the rater by the ideal point alone."""
    ideal_point: bool = True
    """Off: by the tokens alone."""
    knots: int = 12
    """Pieces of each channel's curve."""
    lut_basis: int = 48
    """LUTs that an edit's LUT is mixed from."""
    lut_size: int = 9
    basis_size: int = 5
    """Lattice on which the basis is learnt; it is smooth between its points."""
    largest_shift: float = 0.5
    """How far the LUT can move a channel."""

    def __post_init__(self) -> None:
        _check_from(self, 1, "hidden", "width", "heads", "layers", "memory", "knots", "lut_basis")
        _check_from(self, 2, "lut_size", "basis_size")
        if self.width % self.heads:
            raise ValueError(f"width is {self.width}; it must be a multiple of heads ({self.heads})")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")
        if not 0 < self.largest_shift <= 1:
            raise ValueError(f"largest_shift is {self.largest_shift}; it must be above 0 and at most 1")
        if not (self.attention or self.ideal_point):
            raise ValueError(
                "attention and ideal_point are both off; the editor would know nothing of the rater"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LookConfig:
    """Of networks that see how an image departs from its scene's usual look, learnt first and on their own.

    Scenes are few and what is to be seen is subtle: they learn scenes by heart where nothing keeps them from it.
    """

    members: int = 3
    """Networks whose mean is taken."""
    hidden: int = 192
    dropout: float = 0.3
    noise: float = 0.35
    """Added to standardised statistics, in deviations."""
    weight_decay: float = 0.3
    steps: int = 1000

    def __post_init__(self) -> None:
        _check_from(self, 1, "members", "hidden", "steps")
        _check_from(self, 0, "noise", "weight_decay")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be from 0 to below 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeConfig:
    raters: int = 16
    """Raters in one step."""
    targets: int = 8
    """Pairs to edit for each of them."""
    max_references: int = 64
    draws: int = 24
    """Sets of references of each rater, drawn once; from 0 to `max_references` answers in each."""
    max_draws: int = 8192
    """In all, where there are many raters."""
    unasked: float = 0.8
    """Part of the pairs to edit that the rater was never asked about: the rater model answers for them."""
    told: float = 0.3
    """Part of the rejected inputs whose target tone is told instead of guessed: how to get to a tone is learnt apart from
    where to go."""
    noise: float = 0.2
    """Added to standardised statistics, in deviations."""

    def __post_init__(self) -> None:
        _check_from(self, 1, "raters", "targets", "max_references", "draws", "max_draws")
        _check_from(self, 0, "noise")
        for name in ("unasked", "told"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a part from 0 to 1")


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """Weights; 0 switches a term off. Distances are of OKLab, times 10, so that a usual pair's is about 0.6."""

    to_preferred: float = 1.0
    """Of the edited rejected image to the preferred one; with a `curriculum` also away from the rejected one."""
    keep: float = 0.5
    """Of the edited preferred image to itself."""
    curriculum: Curriculum = field(default_factory=lambda: Curriculum(schedule="uniform", start=1.0, end=1.0))
    """Weight w of the preferred image, 1 - w of the rejected one; at 1 the rejected one counts nothing."""
    gate: float = 0.5
    """Which input was the rejected one."""
    statistics: float = 1.0
    """Of colour statistics instead of pixels, for pairs that do not lie on each other."""
    wrong_rater: float = 0.0
    """Of the hinge: nearer to the preferred image than with another rater's profile."""
    dpo: float = 0.0
    """Of the preference of the edited image over the untouched one, which keeps its anchor in `to_preferred`."""
    dpo_beta: float = 2.0
    hinge: float = 0.2
    """By how much nearer, in the units of distances."""
    monotone: float = 1.0
    """Of how far channels fall where their own input rises."""
    smooth: float = 1.0
    """Of the LUT's roughness."""

    def __post_init__(self) -> None:
        _check_from(
            self,
            0,
            *("to_preferred", "keep", "gate", "statistics", "wrong_rater", "dpo", "dpo_beta"),
            *("hinge", "monotone", "smooth"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationConfig:
    """A slice of the training raters and scenes, kept out of training, on which strength and gate are found."""

    raters: float = 0.2
    scenes: float = 0.12

    def __post_init__(self) -> None:
        for name in ("raters", "scenes"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a part from 0 to 0.5")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    seed: int = 0
    edit_size: int = 512
    """Long side at which evaluations edit, in pixels; the edit is a map of colours and fits any size."""
    n_tones: int = 12
    """Axes of tone space."""
    n_contents: int = 4
    """Kinds of scenes for which a rater may want different tones."""
    rater_rounds: int = 4
    """Of learning how raters' ideal points are spread."""
    rater_sample: int = 400
    """Training raters from whom that is learnt, at most."""
    look: LookConfig = field(default_factory=LookConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    episodes: EpisodeConfig = field(default_factory=EpisodeConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    calibration: CalibrationConfig = field(default_factory=CalibrationConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    threads: int | None = None
    """CPU threads in training; None for torch's own number."""

    def __post_init__(self) -> None:
        _check_from(self, 1, "n_tones", "n_contents", "rater_rounds", "rater_sample")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads is {self.threads}; it must be 1 or more, or null")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")


def tiny() -> Config:
    """For a CPU: about four minutes on one core."""
    return Config(
        preset="tiny",
        edit_size=256,
        views=ViewConfig(count=8, size=16, smallest_crop=0.5, jitter=0),
        loop=LoopConfig(steps=1500, learning_rate=1.5e-3, weight_decay=0.03),
        threads=1,
    )


def full() -> Config:
    """For a dataset of hundreds of raters and thousands of scenes, on a GPU."""
    return Config(
        preset="full",
        n_tones=16,
        n_contents=8,
        look=LookConfig(hidden=384, steps=4000),
        network=NetworkConfig(hidden=256, width=128, heads=8, layers=3, memory=8, lut_basis=64, lut_size=17),
        episodes=EpisodeConfig(raters=64, targets=8),
        views=ViewConfig(count=12, size=24, smallest_crop=0.4, jitter=0.05, max_bytes=8 * 2**30),
        loop=LoopConfig(
            steps=20_000, learning_rate=1e-3, weight_decay=0.03, ema=0.999, checkpoint_every=1000
        ),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "full": full}
