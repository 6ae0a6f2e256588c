"""The stages that `pienet` and `msm` have in common, and how both begin and end."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.systems.exemplars.encoders import normalised
from learning.systems.exemplars.enhancer import Enhancer
from learning.systems.exemplars.examples import training_answers
from learning.systems.exemplars.liked import LikedSource, RuleStep, RuleSteps, liked_source
from learning.systems.exemplars.liked_config import LikedConfig
from learning.systems.exemplars.losses import edge_aware_variation
from learning.systems.exemplars.stages import Stage, train_stages
from learning.systems.exemplars.user_embedding import LikedData, UserEmbedding
from learning.systems.shared import dataset_facts, described
from learning.training import run_folder as runs
from learning.training.threads import cpu_threads
from variants.progress import Report


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


def run_stages(
    dataset: PreferenceDataset,
    source: LikedSource,
    stages: Sequence[Stage],
    network: nn.Module,
    config: LikedConfig,
    run_folder: Path,
    *,
    system: str,
    title: str,
    report: Report,
    resume: bool,
) -> None:
    """Open the run, train, and keep `network`."""
    judgments = dataset.judgments
    shown = {*judgments.preferred[source.rows].tolist(), *judgments.rejected[source.rows].tolist()}
    facts = dataset_facts(
        dataset,
        raters=len(set(source.raters.tolist())),
        left_out=len(dataset.training_raters()) - len(set(source.raters.tolist())),
        images=len(shown),
        judgments=len(source.rows),
    )
    runs.open_run(run_folder, described(system, config, facts), resume=resume)
    with cpu_threads(config.threads):
        train_stages(
            stages, config.loop, run_folder, system=system, seed=config.seed, report=report, resume=resume
        )
    network.eval()
    runs.write_weights(run_folder, network.state_dict(), system=system)
    runs.remove_checkpoints(run_folder)
    runs.write_card(run_folder, title, n_parameters=sum(p.numel() for p in network.parameters()))


def freeze(*networks: nn.Module) -> None:
    """In evaluation mode and without gradients from now on."""
    for network in networks:
        network.eval().requires_grad_(False)
