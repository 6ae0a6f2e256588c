"""What one step is made smaller: edits towards what was preferred, and which photo needs one.

A gate that is trained only through what it lets pass closes: a distance gains nothing from moving
part of the way while it is not known which input was the preferred one. So it is told that, and
edits are trained without it.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F

from learning.renderers.color_luts import color_statistics, falls, roughness
from learning.systems.tastelut.config import LossConfig
from learning.systems.tastelut.network import Network, Taste
from variants.tone.color import srgb_to_oklab

SCALE = 10.0
"""OKLab distances of usual pairs are some hundredths."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """R raters, N references and T pairs of each; Q = 2·T inputs, the rejected images first."""

    tokens: torch.Tensor  # (R, N, ·)
    counted: torch.Tensor  # (R, N) bool
    ideal: torch.Tensor  # (R, C, K)
    variance: torch.Tensor  # (R, C, C, K)
    features: torch.Tensor  # (R, Q, S) scaled statistics
    inputs: torch.Tensor  # (R·Q, 3, H, W)
    targets: torch.Tensor  # (R·Q, 3, H, W): the pair's preferred image
    others: torch.Tensor  # (R·Q, 3, H, W): its rejected one
    aligned: torch.Tensor  # (R, Q) bool
    told: torch.Tensor  # (R, Q) bool
    target_tones: torch.Tensor  # (R, Q, K)


def step_loss(network: Network, step: Step, config: LossConfig, progress: float) -> dict[str, torch.Tensor]:
    seen = network.sees(step.features)
    taste = Taste(memory=network.reads(step.tokens, step.counted), ideal=step.ideal, variance=step.variance)
    edit, logits = network.plans(seen, taste, (step.told, step.target_tones))
    edited = edit(step.inputs)
    counts = _counts(step, config)
    shape = step.told.shape
    near = distance(edited, step.targets).view(shape)
    apart = distance(edited, step.others).view(shape)
    w = config.curriculum.weight(progress)
    rejected = torch.arange(shape[1], device=near.device) < shape[1] // 2
    pull = torch.where(rejected, w * near + (1 - w) * apart, near)
    by_pixels = _mean(pull * counts, step.aligned)
    losses = {"loss_edit": by_pixels}
    total = by_pixels
    if config.statistics and not step.aligned.all():
        away = (color_statistics(edited) - color_statistics(step.targets)).abs().mean(1).view(shape)
        losses["loss_statistics"] = _mean(SCALE * away * counts, ~step.aligned)
        total = total + config.statistics * losses["loss_statistics"]
    losses["loss_gate"] = _gate(logits, rejected, ~step.told)
    total = total + config.gate * losses["loss_gate"]
    if config.wrong_rater:
        roll = {f.name: getattr(taste, f.name).roll(1, dims=0) for f in fields(taste)}
        theirs = distance(network.plans(seen, Taste(**roll))[0](step.inputs), step.targets).view(shape)
        losses["loss_wrong_rater"] = _mean(
            F.relu(config.hinge + near - theirs), step.aligned & ~step.told & rejected
        )
        total = total + config.wrong_rater * losses["loss_wrong_rater"]
    if config.dpo:
        losses["loss_dpo"] = _mean(_dpo(edited, step, config.dpo_beta).view(shape), step.aligned & rejected)
        total = total + config.dpo * losses["loss_dpo"]
    if config.monotone:
        losses["loss_monotone"] = falls(edit.luts).mean()
        total = total + config.monotone * losses["loss_monotone"]
    if config.smooth:
        losses["loss_smooth"] = roughness(edit.luts).mean()
        total = total + config.smooth * losses["loss_smooth"]
    return {"loss": total, **losses}


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean OKLab distance of two batches of images (B, 3, H, W), times SCALE; (B,)."""
    apart = _oklab(a) - _oklab(b)
    return SCALE * (apart.square().sum(-1) + 1e-6).sqrt().mean(dim=(1, 2))


def _dpo(edited: torch.Tensor, step: Step, beta: float) -> torch.Tensor:
    """-log σ of how much more the edit is the preferred image's than the untouched input is; (R·Q,).

    The form of Rafailov et al. (2023) for a Gaussian about the edit, the untouched image being the reference.
    Squared distances cancel to a term linear in the edit, so it has no optimum of its own.
    """

    def squared(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return SCALE**2 * (_oklab(a) - _oklab(b)).square().sum(-1).mean(dim=(1, 2))

    gain = squared(edited, step.others) - squared(edited, step.targets)
    untouched = squared(step.inputs, step.others) - squared(step.inputs, step.targets)
    return F.softplus(-beta * (gain - untouched))


def _gate(logits: torch.Tensor, rejected: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    wanted = rejected.to(logits).expand_as(logits)
    return _mean(F.binary_cross_entropy_with_logits(logits, wanted, reduction="none"), counted)


def _counts(step: Step, config: LossConfig) -> torch.Tensor:
    """The weight (1, Q) of each input's distance: rejected ones, then preferred ones."""
    pairs = step.told.shape[1] // 2
    weights = step.features.new_tensor([config.to_preferred] * pairs + [config.keep] * pairs)
    return 2 * weights[None]  # the mean is over both kinds


def _mean(values: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    counted = counted.expand_as(values).to(values)
    return (values * counted).sum() / counted.sum().clamp(min=1)


def _oklab(images: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = srgb_to_oklab(images.permute(0, 2, 3, 1))
    return found
