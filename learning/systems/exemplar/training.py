"""Training of exemplar-based inference on a dataset folder, in three stages."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from learning.data.alignment import Alignment, aligned_answers
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import EpisodeSampler
from learning.systems.exemplar.config import NAME, TITLE, Config
from learning.systems.exemplar.network import Network
from learning.systems.exemplar.system import Exemplar, load
from learning.systems.shared import best_device, dataset_facts
from learning.systems.style_parts.encoders import start_from
from learning.systems.style_parts.examples import Indices, dataset_squares, square_side, training_answers
from learning.systems.style_parts.losses import enhancer_losses, shrunk
from learning.systems.style_parts.stages import Stage, freeze, run_stages
from learning.systems.style_parts.triplets import PairStep, PairSteps, ReferenceStep, ReferenceSteps
from learning.systems.style_parts.user_embedding import LikedData, UserEmbedding
from learning.training import run_folder as runs
from learning.training.batches import moved
from learning.training.loop import step_chance
from variants.progress import Report


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> Exemplar:
    """Train in three stages: PieNet's embedding, style and enhancer, content and transformer.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on, or no pair is aligned.
        WeightsMissing: the weights that the encoders start from are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    sampler = EpisodeSampler(dataset, config.episodes)
    answers, device = training_answers(dataset), best_device()
    alignment = Alignment(dataset)
    aligned = answers[0][aligned_answers(dataset, answers[0], alignment, report)]
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(config)
        pienet = UserEmbedding(int(answers[1].max()) + 1, config.encoder)
    for part in (network, pienet):
        start_from(part, config.backbone)
        part.to(device)
    facts = dataset_facts(
        dataset,
        raters=sampler.n_raters,
        left_out=sampler.left_out,
        images=len(sampler.images),
        judgments=sampler.n_judgments,
        unaligned=int((~np.isin(sampler.rows, aligned)).sum()),
    )
    run_stages(
        facts,
        _stages(dataset, sampler, answers, aligned, network, pienet, config),
        network,
        config,
        run_folder,
        system=NAME,
        title=TITLE,
        report=report,
        resume=resume,
    )
    return Exemplar(network, config)


def _stages(
    dataset: PreferenceDataset,
    sampler: EpisodeSampler,
    answers: tuple[Indices, Indices],
    aligned: Indices,
    network: Network,
    pienet: UserEmbedding,
    config: Config,
) -> list[Stage]:
    """`answers` as `training_answers` gives them, and those of which pixels can be compared."""
    large = dataset_squares(dataset, square_side(config.edit_size, config.augmentation))
    small = (
        large
        if config.edit_size == config.embed_size
        else dataset_squares(dataset, square_side(config.embed_size, config.augmentation))
    )
    liked = LikedData(
        dataset,
        answers,
        small,
        batch=config.batch,
        size=config.embed_size,
        augmentation=config.augmentation,
        seed=config.seed,
    )
    pairs = PairSteps(
        dataset,
        aligned,
        large,
        batch=config.batch,
        size=config.edit_size,
        augmentation=config.augmentation,
        neutral_share=config.neutral_share,
        edits=_edits(config),
        seed=config.seed,
    )
    references = ReferenceSteps(
        dataset,
        sampler,
        small,
        size=config.embed_size,
        augmentation=config.augmentation,
        neutral_share=config.neutral_share,
        seed=config.seed,
    )
    return [
        Stage(
            name="embedding",
            network=pienet,
            data=liked,
            step_loss=lambda _, step: pienet.loss(step),
            share=config.shares[0],
        ),
        Stage(
            name="style",
            network=nn.ModuleDict({"style": network.style, "enhancer": network.enhancer}),
            data=pairs,
            step_loss=lambda _, step: _style_loss(network, pienet, step, config),
            share=config.shares[1],
            prepare=lambda: freeze(pienet),
        ),
        Stage(
            name="masked",
            network=network.predicting,
            data=references,
            step_loss=lambda _, step: _masked_loss(network, step, config),
            share=config.shares[2],
            prepare=lambda: network.learn_components(lambda n: _more_styles(network, references, n, config)),
        ),
    ]


def _edits(config: Config) -> tuple[tuple[str, str], ...]:
    """(from, to) of the edits that teach style and enhancer."""
    if config.query == "input":
        between = (("rejected", "preferred"), ("preferred", "rejected"), ("preferred", "preferred"))
        if config.style == "preferred_minus_rejected":
            return between
        return (*between, ("original", "preferred"), ("original", "rejected"))
    if config.style == "preferred_minus_rejected":
        return (("rejected", "preferred"),)
    return (("original", "preferred"), ("original", "rejected"))


def _style_loss(
    network: Network, pienet: UserEmbedding, step: PairStep, config: Config
) -> dict[str, torch.Tensor]:
    embedded = shrunk(torch.cat([step.wanted, step.images]), config.embed_size)
    wanted, images = network.style(embedded).chunk(2)
    edited = network.enhancer(step.images, wanted - images)
    return enhancer_losses(edited, step.images, step.wanted, pienet, config.enhancer_loss, config.embed_size)


def _masked_loss(network: Network, step: ReferenceStep, config: Config) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        styles = network.styles_of(step.references, config)  # (R·N, k, D)
    contents = network.contents_of(step.references, config)
    styles, contents = (
        of_all.reshape(step.raters, -1, *of_all.shape[1:]).repeat_interleave(config.episodes.targets, dim=0)
        for of_all in (styles, contents)
    )
    photos, aim = _queries(network, step, config)
    return network.prediction_loss(styles, contents, network.content(photos), aim)


def _queries(network: Network, step: ReferenceStep, config: Config) -> tuple[torch.Tensor, torch.Tensor]:
    """Photos (n, 3, S, S) whose style is masked, and that style (n, D)."""
    targets = step.targets
    if config.query == "input":
        photos = torch.where(step.from_preferred[:, None, None, None], targets.preferred, targets.rejected)
    else:
        photos = targets.original if config.style == "triplet" else targets.rejected
    with torch.no_grad():
        return photos, network.style.style(targets.preferred, photos)


def _more_styles(network: Network, data: ReferenceSteps, n: int, config: Config) -> list[torch.Tensor]:
    # Far from the steps of training, so that these are other crops.
    step = moved(data.at(step_chance(config.seed + 1, n)), network.whitening.mean.device)
    return [_queries(network, step, config)[1], network.styles_of(step.references, config)[:, 0]]
