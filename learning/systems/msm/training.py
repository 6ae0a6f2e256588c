"""Training of masked style modeling on liked photos, in four stages."""

from pathlib import Path

import torch
from torch import nn

from learning.data.dataset import PreferenceDataset
from learning.systems.msm.config import NAME, TITLE, Config
from learning.systems.msm.network import Network
from learning.systems.msm.system import MaskedStyleModel, load
from learning.systems.shared import best_device
from learning.systems.style_parts.encoders import start_from
from learning.systems.style_parts.liked import (
    LikedPairs,
    LikedPairSteps,
    LikedReferences,
    LikedReferenceSteps,
    LikedSource,
    originals_of,
)
from learning.systems.style_parts.liked_stages import degrading_stage, embedding_stage, liked_facts, sources
from learning.systems.style_parts.losses import enhancer_losses, shrunk
from learning.systems.style_parts.stages import Stage, freeze, run_stages
from learning.systems.style_parts.user_embedding import UserEmbedding
from learning.training import run_folder as runs
from learning.training.batches import moved
from variants.progress import Report


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> MaskedStyleModel:
    """Train in four stages: degrading model, embedding, style and enhancer, content and transformer.

    Args:
        dataset: whose valid training raters are the users; a folder of photos that people like becomes
            one by `python -m learning.favourites`.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on.
        WeightsMissing: the weights that the encoders start from are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    large, small = sources(dataset, config)
    device = best_device()
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(config)
        pienet = UserEmbedding(large.n_users, config.encoder)
    for part in (network, pienet):
        start_from(part, config.backbone)
        part.to(device)
    run_stages(
        liked_facts(dataset, large),
        _stages(large, small, network, pienet, config),
        network,
        config,
        run_folder,
        system=NAME,
        title=TITLE,
        report=report,
        resume=resume,
    )
    return MaskedStyleModel(network, config)


def _stages(
    large: LikedSource, small: LikedSource, network: Network, pienet: UserEmbedding, config: Config
) -> list[Stage]:
    pairs = LikedPairSteps(
        large,
        batch=config.batch,
        size=config.edit_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    references = LikedReferenceSteps(
        small,
        users=config.users,
        references=config.references,
        size=config.embed_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    return [
        degrading_stage(network.degrader, large, config, config.shares[0]),
        embedding_stage(pienet, small, config, config.shares[1], lambda: freeze(network.degrader)),
        Stage(
            name="style",
            network=nn.ModuleDict({"style": network.style, "enhancer": network.enhancer}),
            data=pairs,
            step_loss=lambda _, step: _style_loss(network, pienet, step, config),
            share=config.shares[2],
            prepare=lambda: freeze(pienet),
        ),
        Stage(
            name="masked",
            network=network.predicting,
            data=references,
            step_loss=lambda _, step: _masked_loss(network, step, config),
            share=config.shares[3],
            prepare=lambda: network.learn_components(lambda n: _more_styles(network, references, n, config)),
        ),
    ]


def _style_loss(
    network: Network, pienet: UserEmbedding, step: LikedPairs, config: Config
) -> dict[str, torch.Tensor]:
    originals = originals_of(step, network.degrader, config.augmentation, config.edit_size, colours=False)
    style = network.style.style(
        shrunk(step.retouched, config.embed_size), shrunk(originals, config.embed_size)
    )
    edited = network.enhancer(originals, style)
    return enhancer_losses(edited, originals, step.retouched, pienet, config.enhancer_loss, config.embed_size)


def _masked_loss(network: Network, step: LikedReferences, config: Config) -> dict[str, torch.Tensor]:
    styles, originals = _styles(network, step, config)
    contents = network.content(originals)
    styles, contents = (part.reshape(step.users, -1, part.shape[-1]) for part in (styles, contents))
    return network.prediction_loss(
        styles[:, :-1, None], contents[:, :-1], contents[:, -1], styles[:, -1], step.absent
    )


@torch.no_grad()
def _styles(network: Network, step: LikedReferences, config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Of all photos of a step their styles (n, D) and originals (n, 3, S, S), by the frozen networks."""
    originals = originals_of(
        step.pairs, network.degrader, config.augmentation, config.edit_size, colours=True
    )
    return network.style.style(step.pairs.retouched, originals), originals


def _more_styles(network: Network, data: LikedReferenceSteps, n: int, config: Config) -> list[torch.Tensor]:
    # Far beyond the steps of training, so that these are other crops.
    step = moved(data[2**31 + n], network.whitening.mean.device)
    return [_styles(network, step, config)[0]]
