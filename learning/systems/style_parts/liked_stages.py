"""The stages that `pienet` and `msm` have in common, and what both say of their data."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.data.episodes import training_rows
from learning.systems.shared import dataset_facts
from learning.systems.style_parts.encoders import normalised
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.examples import training_answers
from learning.systems.style_parts.liked import LikedSource, RuleStep, RuleSteps, liked_source
from learning.systems.style_parts.liked_config import LikedConfig
from learning.systems.style_parts.losses import edge_aware_variation
from learning.systems.style_parts.stages import Stage
from learning.systems.style_parts.user_embedding import LikedData, UserEmbedding


def sources(dataset: PreferenceDataset, config: LikedConfig) -> tuple[LikedSource, LikedSource]:
    """Liked photos at the size that is edited and at the size that is embedded."""

    def source(size: int) -> LikedSource:
        return liked_source(
            dataset,
            training_answers(dataset),
            size,
            config.augmentation,
            neutral_share=config.neutral_share,
            with_rules=config.rule_users,
        )

    large = source(config.edit_size)
    return large, large if config.edit_size == config.embed_size else source(config.embed_size)


def degrading_stage(degrader: Enhancer, source: LikedSource, config: LikedConfig, share: float) -> Stage:
    """From the rules' results back to the originals."""
    return Stage(
        name="degrading",
        network=degrader,
        data=RuleSteps(
            source.rules,
            batch=config.batch,
            size=config.edit_size,
            augmentation=config.augmentation,
            seed=config.seed,
        ),
        step_loss=lambda _, step: degrading_loss(degrader, step, config),
        share=share,
    )


def degrading_loss(degrader: Enhancer, step: RuleStep, config: LikedConfig) -> dict[str, torch.Tensor]:
    made = degrader(step.enhanced)
    pixel = nn.functional.l1_loss(normalised(made), normalised(step.original))
    variation = edge_aware_variation(made - step.enhanced, normalised(step.enhanced))
    return {
        "loss": pixel + config.enhancer_loss.variation * variation,
        "loss_degrading": pixel,
    }


def embedding_stage(
    embedding: UserEmbedding,
    source: LikedSource,
    config: LikedConfig,
    share: float,
    prepare: Callable[[], None],
) -> Stage:
    """PieNet's triplets."""
    return Stage(
        name="embedding",
        network=embedding,
        data=LikedData(
            source.dataset,
            (source.rows, source.raters),
            source.squares,
            batch=config.batch,
            size=config.embed_size,
            augmentation=config.augmentation,
            seed=config.seed,
            rules=source.rules.by_chance if config.rule_users else None,
        ),
        step_loss=lambda _, step: embedding.loss(step),
        share=share,
        prepare=prepare,
    )


def liked_facts(dataset: PreferenceDataset, source: LikedSource) -> dict[str, Any]:
    """What is trained on; see `learning.systems.shared.dataset_facts`."""
    judgments = dataset.judgments
    shown = {*judgments.preferred[source.rows].tolist(), *judgments.rejected[source.rows].tolist()}
    return dataset_facts(
        dataset,
        raters=source.n_raters,
        left_out=training_rows(dataset, 1)[1],
        images=len(shown),
        judgments=len(source.rows),
    )
