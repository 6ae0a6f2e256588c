"""The seven terms of PrefLUT's personal training."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from learning.renderers import color_luts as luts
from learning.systems.preflut.config import LossConfig
from learning.systems.preflut.network import Network


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one step is shown. R raters, N references and T targets of each; D features."""

    preferred_references: torch.Tensor  # (R, N, D)
    rejected_references: torch.Tensor  # (R, N, D)
    preferred: torch.Tensor  # (R·T, 3, S, S)
    preferred_features: torch.Tensor  # (R·T, D)
    rejected: torch.Tensor  # (R·T, 3, S, S)
    rejected_features: torch.Tensor  # (R·T, D)
    aligned: torch.Tensor  # (R·T,) 1 where a target's images lie on each other, else 0


def step_loss(network: Network, step: Step, config: LossConfig) -> dict[str, torch.Tensor]:
    """Each term by its name in LossConfig, and their weighted sum."""
    profiles = network.reader(step.preferred_references, step.rejected_references)  # (R, D)
    targets = len(step.preferred) // len(profiles)
    profile = profiles.repeat_interleave(targets, dim=0)
    from_rejected, strength_of_rejected = network.plan(profile, step.rejected_features)
    from_preferred, strength_of_preferred = network.plan(profile, step.preferred_features)
    edited_rejected = _edited(network, from_rejected, strength_of_rejected, step.rejected)
    edited_preferred = _edited(network, from_preferred, strength_of_preferred, step.preferred)
    to_preferred = luts.statistics_distance(edited_rejected, step.preferred)
    to_rejected = luts.statistics_distance(edited_rejected, step.rejected)
    apart = luts.statistics_distance(step.rejected, step.preferred)
    # The next rater of the batch; the only one of a batch of one is their own, and the hinge is constant.
    wrong = network.plan(profiles.roll(1, 0).repeat_interleave(targets, dim=0), step.rejected_features)
    with_wrong = luts.statistics_distance(_edited(network, *wrong, step.rejected), step.preferred)
    neutral = network.decoder.neutral
    terms = {
        "distance": (to_preferred / (apart + config.floor)).mean(),
        "margin": F.relu(config.hinge + to_preferred - to_rejected).mean(),
        "to_preferred": _mean_of(_l1(edited_rejected, step.preferred), step.aligned),
        "keep": _l1(edited_preferred, step.preferred).mean(),
        "gate": gate_loss(strength_of_rejected, strength_of_preferred),
        "identity": ((from_rejected - neutral).abs().mean() + (from_preferred - neutral).abs().mean()) / 2,
        "wrong_rater": F.relu(config.hinge + to_preferred - with_wrong).mean(),
    }
    total = torch.stack([getattr(config, name) * value for name, value in terms.items()]).sum()
    return {"loss": total} | {f"loss_{name}": value for name, value in terms.items()}


def gate_loss(of_rejected: torch.Tensor, of_preferred: torch.Tensor) -> torch.Tensor:
    """Mean of both cross-entropies: rejected inputs want the edit, preferred ones do not. Logits (B,)."""
    return (F.softplus(-of_rejected).mean() + F.softplus(of_preferred).mean()) / 2


def _edited(
    network: Network, tables: torch.Tensor, logits: torch.Tensor, images: torch.Tensor
) -> torch.Tensor:
    return luts.look_up(network.weakened(tables, logits.sigmoid()), images)


def _l1(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return (first - second).abs().mean(dim=(1, 2, 3))


def _mean_of(values: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean over those that are wanted; 0 for none."""
    return (values * wanted).sum() / wanted.sum().clamp_min(1)
