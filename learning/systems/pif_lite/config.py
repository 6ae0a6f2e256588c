"""Settings of PIF-lite."""

from collections.abc import Callable
from dataclasses import dataclass, field

from learning.systems import TITLES
from learning.training.loop import LoopConfig

NAME = "pif_lite"
TITLE = TITLES[NAME]
SUBSETS = ("random", "joint")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    preset: str
    seed: int = 0
    edit_size: int = 512
    """Long side at which evaluations edit, in pixels."""
    photos: int = 96
    """Photos of the population that are kept."""
    clusters: int = 4
    """Scene clusters; fewer where one would have under 12 photos."""
    subsets: str = "random"
    """random: in each step a random subset of the concepts moves; joint: all in each step."""
    grid: int = 16
    """Side of the grid of pixels that each of them is reduced to; the references' is twice as fine."""
    rarity: float = 0.15
    """Deviation of a taste's strengths that is expected, in parts of each concept's range above neutral."""
    pair_noise: float = 0.06
    """Deviation of what an edit cannot explain between two aligned images, in sRGB."""
    seen: float = 0.03
    """Strengths below this part of their range are set to 0: nobody sees them, and a LUT can hold the rest."""
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(steps=24, learning_rate=1.0, weight_decay=0.0, warmup=0)
    )
    """Of the fit of a taste: its steps are Gauss-Newton's, and the rate their part."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed is {self.seed}; it must be from 0 to 2^63 - 1")
        if not 8 <= self.photos <= 2000:
            raise ValueError(f"photos is {self.photos}; it must be from 8 to 2000")
        if not 8 <= self.grid <= 64:
            raise ValueError(f"grid is {self.grid}; it must be from 8 to 64")
        if self.clusters < 1:
            raise ValueError(f"clusters is {self.clusters}; it must be 1 or more")
        if self.subsets not in SUBSETS:
            raise ValueError(f"subsets is {self.subsets!r}; it must be one of {', '.join(SUBSETS)}")
        for name in ("rarity", "pair_noise"):
            if not 0 < getattr(self, name) <= 10:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0, and 10 at most")
        if not 0 <= self.seen < 1:
            raise ValueError(f"seen is {self.seen}; it must be from 0 to below 1")


def tiny() -> Config:
    return Config(preset="tiny", photos=48, clusters=2)


def paper() -> Config:
    """As many steps as make no further difference, and a larger population."""
    return Config(
        preset="paper",
        photos=400,
        clusters=8,
        grid=32,
        loop=LoopConfig(steps=100, learning_rate=1.0, weight_decay=0.0, warmup=0),
    )


PRESETS: dict[str, Callable[[], Config]] = {"tiny": tiny, "paper": paper}
