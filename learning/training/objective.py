"""The pairwise objective: near the image that the rater preferred, far from the other one.

With L1 the minimum stays exactly at the preferred image for every w from above 0.5 to
1.5, so a weight above 1 only strengthens the pull; the loss itself may go below 0 then,
down to -(w - 1) times the pair's own distance. That is no fault and no reason to stop.

Source: J. Kim, J. Yoo, S. J. Kim (2026), Learning Personalized Photographic Style from
Pairwise User Preferences, CVPR.
"""

import math
from dataclasses import dataclass

import torch

SCHEDULES = ("linear", "exponential", "logarithmic", "uniform")
FORMS = ("complement", "fixed_anchor")


@dataclass(frozen=True, kw_only=True, slots=True)
class Curriculum:
    """How the weight w of the preferred image grows over training."""

    schedule: str = "linear"
    start: float = 0.5
    """Here both images pull alike."""
    end: float = 1.5
    form: str = "complement"
    """complement: w and 1 - w, as published; fixed_anchor: w and 0.5, for ablation."""

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; it must be one of {', '.join(SCHEDULES)}")
        if self.form not in FORMS:
            raise ValueError(f"form is {self.form!r}; it must be one of {', '.join(FORMS)}")
        for name in ("start", "end"):
            if not 0 <= getattr(self, name) <= 2:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be from 0 to 2")

    def weight(self, progress: float) -> float:
        """The weight w at `progress` from 0 to 1; `uniform` is the end weight all along."""
        grown = {
            "linear": progress,
            "exponential": progress**2,  # the authors' name for a square
            "logarithmic": math.log1p(progress) / math.log(2),
            "uniform": 1.0,
        }[self.schedule]
        return self.start + (self.end - self.start) * grown


def pairwise_loss(
    output: torch.Tensor,
    preferred: torch.Tensor,
    rejected: torch.Tensor,
    w: float,
    *,
    form: str = "complement",
) -> torch.Tensor:
    """w·L1(output, preferred) + (1 - w)·L1(output, rejected), one number an image.

    Args:
        output: (B, 3, H, W) in [0, 1].
        preferred: the same shape, from the same scene and crop.
        rejected: likewise.
        w: weight of the preferred image.
        form: `fixed_anchor` takes 0.5 instead of 1 - w.
    """
    to_preferred = (output - preferred).abs().mean(dim=(1, 2, 3))
    to_rejected = (output - rejected).abs().mean(dim=(1, 2, 3))
    return w * to_preferred + (0.5 if form == "fixed_anchor" else 1 - w) * to_rejected
