"""Losses of the first training step and of PieNet's embedding.

Source: Kosugi and Yamasaki (2024) and their public code's weights; H.-U. Kim et al. (2020), PieNet.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from learning.systems.style_parts.encoders import DEVIATION, normalised

MARGIN = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class EnhancerLoss:
    """Weights beside the L1 distance in ImageNet's normalised units."""

    embedding: float = 0.4
    """L1 between the embeddings of the result and of the target by a frozen PieNet."""
    variation: float = 0.01
    """Edge-aware total variation of what the enhancer adds."""

    def __post_init__(self) -> None:
        for name in ("embedding", "variation"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")


def edge_aware_variation(change: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Mean |∇change| · exp(-|∇image|) over both directions: edits may jump where the photo does.

    Args:
        change: (B, 3, H, W), what is added.
        images: (B, 3, H, W), what it is added to.
    """
    parts = []
    for axis in (2, 3):
        weight = torch.exp(-images.diff(dim=axis).abs().mean(dim=1, keepdim=True))
        parts.append((weight * change.diff(dim=axis).abs()).mean())
    return torch.stack(parts).sum()


def enhancer_losses(
    edited: torch.Tensor,
    images: torch.Tensor,
    wanted: torch.Tensor,
    pienet: nn.Module | None,
    config: EnhancerLoss,
    embed_size: int,
) -> dict[str, torch.Tensor]:
    """The first step's losses by name, `loss` their weighted sum.

    Args:
        edited: (B, 3, S, S), the enhancer's result.
        images: (B, 3, S, S), what was edited.
        wanted: (B, 3, S, S).
        pienet: frozen, gives embeddings (B, D) of length 1; None leaves its term out.
        config: weights.
        embed_size: side at which it sees the photos.
    """
    pixel = F.l1_loss(normalised(edited), normalised(wanted))
    unit = images.new_tensor(DEVIATION)[:, None, None]
    variation = edge_aware_variation((edited - images) / unit, normalised(images))
    losses = {"loss_pixel": pixel, "loss_variation": variation}
    total = pixel + config.variation * variation
    if pienet is not None and config.embedding:
        with torch.no_grad():
            aim = pienet(shrunk(wanted, embed_size))
        losses["loss_embedding"] = F.l1_loss(pienet(shrunk(edited, embed_size)), aim)
        total = total + config.embedding * losses["loss_embedding"]
    return {"loss": total, **losses}


def triplet_loss(liked: torch.Tensor, other: torch.Tensor, user: torch.Tensor) -> torch.Tensor:
    """Mean of max(0, ‖liked - user‖ - ‖other - user‖ + 0.2) over (B, D) each."""
    nearer = (liked - user).norm(dim=1) - (other - user).norm(dim=1)
    return F.relu(nearer + MARGIN).mean()


def shrunk(images: torch.Tensor, size: int) -> torch.Tensor:
    """(B, 3, S, S) → (B, 3, size, size), where that is smaller."""
    if images.shape[-1] <= size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
