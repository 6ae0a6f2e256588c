"""What one step is made smaller: the pairwise objective, the gate's losses, and the contrast with another rater."""

import torch
import torch.nn.functional as F

from learning.systems.upe.config import Config
from learning.systems.upe.data import Step
from learning.systems.upe.network import Network
from learning.training.objective import pairwise_loss


def step_loss(network: Network, step: Step, config: Config, progress: float) -> dict[str, torch.Tensor]:
    """Every input of every target pair is edited; the rater's choice supervises all of them."""
    embedding = network.reader(
        _noisy(network.scaled(step.preferred_references), config),
        _noisy(network.scaled(step.rejected_references), config),
    )  # (R, E)
    features = _noisy(network.scaled(step.input_features), config)
    beside = _for_inputs(embedding, step)
    edited = network.editor(step.inputs, network.editor.plan(beside, features, step.inputs))
    preferred, rejected = (side.repeat(step.n_inputs, 1, 1, 1) for side in (step.preferred, step.rejected))
    pairwise = _mean(
        pairwise_loss(
            edited, preferred, rejected, config.curriculum.weight(progress), form=config.curriculum.form
        ),
        step,
    )
    losses = {"loss": pairwise, "loss_pairwise": pairwise}
    if network.gate is not None:
        gate, ranking = gate_losses(network.gate(beside, features), step.n_inputs)
        losses["loss"] = losses["loss"] + config.gate_weight * (gate + ranking / 2)
        losses |= {"loss_gate": gate, "loss_ranking": ranking}
    if config.contrast_weight:
        # The next rater's taste; where it is the same rater, both edits are equal and nothing pulls.
        others = network.editor.plan(_for_inputs(embedding.roll(1, dims=0), step), features, step.inputs)
        own, other = (_distance(image, preferred) for image in (edited, network.editor(step.inputs, others)))
        contrast = _mean(F.relu(config.contrast_margin + own - other), step)
        losses["loss"] = losses["loss"] + config.contrast_weight * contrast
        losses["loss_contrast"] = contrast
    return losses


def gate_losses(logits: torch.Tensor, n_inputs: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Of logits (n_inputs·P,), rejected and preferred inputs in turn: which input was it, and which needs it more."""
    of_rejected, of_preferred = logits.view(n_inputs // 2, 2, -1).unbind(1)
    wanted = torch.stack([torch.ones_like(of_rejected), torch.zeros_like(of_preferred)], dim=1)
    return (
        F.binary_cross_entropy_with_logits(logits, wanted.flatten()),
        F.softplus(of_preferred - of_rejected).mean(),
    )


def _for_inputs(embedding: torch.Tensor, step: Step) -> torch.Tensor:
    """(R, E) → one for each input, (K·R·T, E)."""
    return embedding.repeat_interleave(step.n_targets, dim=0).repeat(step.n_inputs, 1)


def _distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).abs().mean(dim=(1, 2, 3))


def _mean(of_inputs: torch.Tensor, step: Step) -> torch.Tensor:
    """Over the inputs of aligned pairs: the others' pixels cannot be compared."""
    if step.aligned is None:
        return of_inputs.mean()
    counted = step.aligned.repeat(step.n_inputs)
    return (of_inputs * counted).sum() / counted.sum().clamp(min=1)


def _noisy(features: torch.Tensor, config: Config) -> torch.Tensor:
    return features + config.feature_noise * torch.randn_like(features) if config.feature_noise else features
