"""Self-supervised training: photos in two random looks, and nobody's answers."""

from pathlib import Path

from learning.data.dataset import PreferenceDataset
from learning.systems.neural_preset.config import NAME, TITLE, Config
from learning.systems.neural_preset.network import new_network, swap_loss
from learning.systems.neural_preset.photos import SwapData, as_photos
from learning.systems.neural_preset.system import NeuralPreset, load
from learning.systems.shared import best_device, described
from learning.training import run_folder as runs
from learning.training.loop import train
from learning.training.threads import cpu_threads
from variants.progress import Report


def fit(
    dataset: PreferenceDataset | Path | str,
    config: Config,
    run_folder: Path,
    report: Report,
    *,
    resume: bool = False,
) -> NeuralPreset:
    """Train on the images of a dataset's training scenes, or on a folder of photos.

    Args:
        dataset: loaded, or the path of a folder with photos.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on.
        WeightsMissing: the weights that the encoder is to start from are not on this machine.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    photos = as_photos(dataset, config.photos.photo_size)
    device = best_device()
    network = new_network(config).to(device)
    runs.open_run(run_folder, described(NAME, config, photos.facts()), resume=resume)
    with cpu_threads(config.threads):
        train(
            network,
            SwapData(photos, config, device),
            lambda progress, step: swap_loss(network, step, config),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return NeuralPreset(network, config)
