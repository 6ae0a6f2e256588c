"""PieNet's embedding: photos of unit length around a learned vector of each person who likes them.

It stands by itself in the system `pienet`, and measures the first training step's results in
the others.

Source: H.-U. Kim, Y. J. Koh, C.-S. Kim (2020), PieNet, ECCV.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.systems.style_parts.encoders import EncoderConfig, StyleEncoder
from learning.systems.style_parts.examples import (
    Augmentation,
    Indices,
    Squares,
    framed,
    random_frames,
)
from learning.systems.style_parts.losses import triplet_loss
from learning.training.loop import step_chance


class UserEmbedding(nn.Module):
    """φ and the vectors of the people it is trained on."""

    def __init__(self, users: int, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = StyleEncoder(config)
        self.vectors = nn.Parameter(F.normalize(torch.randn(users, config.embedding), dim=1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) in [0, 1] → (B, D) of length 1."""
        return F.normalize(self.encoder(images), dim=1)

    def loss(self, step: "LikedStep") -> dict[str, torch.Tensor]:
        liked, other = self(torch.cat([step.liked, step.other])).chunk(2)
        loss = triplet_loss(liked, other, self.vectors[step.users])
        return {"loss": loss, "loss_triplet": loss}


@dataclass(frozen=True, kw_only=True, slots=True)
class LikedStep:
    """For each of B users a photo that they like and one that they do not."""

    users: torch.Tensor  # (B,)
    liked: torch.Tensor  # (B, 3, S, S)
    other: torch.Tensor  # (B, 3, S, S)


class LikedData:
    """Photos that raters preferred, against those that they rejected or that others preferred."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        answers: tuple[Indices, Indices],
        squares: Squares,
        *,
        batch: int,
        size: int,
        augmentation: Augmentation,
        seed: int,
        rules: Callable[[int, np.random.Generator], tuple[Indices, torch.Tensor]] | None = None,
    ) -> None:
        """`rules` draws photos of rule-based users: (n, chance) → users from 0 on, (n, 3, B, B)."""
        self.judgments, (self.rows, self.raters) = dataset.judgments, answers
        self.squares, self.batch, self.size = squares, batch, size
        self.augmentation, self.seed, self.rules = augmentation, seed, rules
        self.n_raters = int(self.raters.max(initial=-1)) + 1

    def __getitem__(self, step: int) -> LikedStep:
        rng = step_chance(self.seed, step)
        n = self.batch if self.rules is None else -(-self.batch // 2)
        drawn = rng.integers(len(self.rows), size=n)
        rows, users = self.rows[drawn], self.raters[drawn]
        other_rows = self.rows[rng.integers(len(self.rows), size=n)]
        # Half of the others are what the rater rejected; the rest is what anybody else preferred.
        by_another = (rng.random(n) < 0.5) & (self.judgments.rater[other_rows] != self.judgments.rater[rows])
        others = np.where(by_another, self.judgments.preferred[other_rows], self.judgments.rejected[rows])
        liked = self.squares(self.judgments.preferred[rows].tolist())
        other = self.squares(others.tolist())
        if self.rules is not None:
            rule_users, by_rule = self.rules(2 * n, rng)
            # Two draws of the same rule as each other's opposite would teach nothing: shift them apart.
            users = np.concatenate([users, self.n_raters + rule_users[:n]])
            same = rule_users[:n] == rule_users[n:]
            liked = torch.cat([liked, by_rule[:n]])
            away = by_rule[n:].clone()
            away[torch.from_numpy(same)] = other[torch.from_numpy(same)]
            other = torch.cat([other, away])
        frames = (random_frames(len(liked), self.augmentation, rng) for _ in range(2))
        return LikedStep(
            users=torch.from_numpy(users),
            liked=framed(liked, next(frames), self.size),
            other=framed(other, next(frames), self.size),
        )
