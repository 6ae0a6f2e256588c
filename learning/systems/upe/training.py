"""Training of the preference embedding on a dataset folder."""

from pathlib import Path

from learning.data.alignment import Alignment, aligned_answers
from learning.data.dataset import PreferenceDataset
from learning.data.features import FeatureCache
from learning.systems.shared import best_device, dataset_facts, described
from learning.systems.upe.config import Config
from learning.systems.upe.data import CropData, Sampler, ViewData
from learning.systems.upe.losses import step_loss
from learning.systems.upe.network import new_network
from learning.systems.upe.system import NAME, TITLE, Upe, backbone_of, color_features, load
from learning.training import run_folder as runs
from learning.training.loop import train
from learning.training.threads import cpu_threads
from variants.progress import Report


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> Upe:
    """Train on the dataset's training raters and scenes; the run folder holds all that comes of it.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every image and every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on, or no pair is aligned.
        WeightsMissing: the backbone's weights are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    sampler = Sampler(dataset, config)
    backbone, device = backbone_of(config), best_device()
    backbone.to(device)
    alignment = Alignment(dataset)
    aligned = aligned_answers(dataset, sampler.of.rows, alignment, report)
    facts = dataset_facts(
        dataset,
        raters=sampler.of.n_raters,
        left_out=sampler.of.left_out,
        images=len(sampler.of.images),
        judgments=sampler.of.n_judgments,
        unaligned=int((~aligned).sum()),
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    with cpu_threads(config.threads):
        data: CropData | ViewData
        if config.crops:
            data = CropData(dataset, sampler, backbone, config, FeatureCache(), report, alignment)
        else:
            data = ViewData(dataset, sampler, backbone, config, device, report, alignment)
        network = new_network(backbone.dim, config, color_features(config), data.features).to(device)
        train(
            network,
            data,
            lambda progress, step: step_loss(network, step, config, progress),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return Upe(network, backbone, config)
