"""Training of TasteLUT on a dataset folder."""

import copy
from pathlib import Path

import numpy as np
import torch

from learning.backbones.tone_statistics import ToneStatistics
from learning.data.alignment import Alignment, aligned_answers
from learning.data.dataset import DatasetError, PreferenceDataset
from learning.data.episodes import training_rows
from learning.data.views import build_views
from learning.systems.shared import best_device, dataset_facts, described
from learning.systems.tastelut.answering import learn_stand_ins
from learning.systems.tastelut.calibration import calibrate, split
from learning.systems.tastelut.config import Config
from learning.systems.tastelut.data import TrainingData
from learning.systems.tastelut.losses import step_loss
from learning.systems.tastelut.preparing import learn_raters, learn_to_look, new_network, survey
from learning.systems.tastelut.system import NAME, TITLE, TasteLut, load
from learning.training import run_folder as runs
from learning.training.loop import train
from learning.training.threads import cpu_threads
from variants.progress import Report


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> TasteLut:
    """Train on the dataset's training raters and scenes; the run folder holds all that comes of it.

    What comes before the editor (tone space, the raters, seeing tones) takes about a minute and is done
    again by a resumed run: it is a function of the dataset and the seed.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every image, rater and step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on, or no pair is aligned.
        RunError: the folder holds another run, or a checkpoint is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    rows, left_out = training_rows(dataset, 2)
    if not rows:
        raise DatasetError(
            f"{dataset.folder}: none of the {len(dataset.training_raters())} valid training raters has 2 answers on "
            "training scenes; there is nothing to train on"
        )
    trained, calibrated, held = split(dataset, rows, config.calibration, config.seed)
    every = np.concatenate(rows)
    answered = dataset.judgments.preferred[every], dataset.judgments.rejected[every]
    images = np.union1d(*answered)
    unaligned = int((~aligned_answers(dataset, every, Alignment(dataset), report)).sum())
    facts = dataset_facts(
        dataset,
        raters=len(rows),
        left_out=left_out,
        images=len(images),
        judgments=len(every),
        unaligned=unaligned,
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    with cpu_threads(config.threads):
        statistics = ToneStatistics()
        views = build_views(
            dataset,
            images,
            config.views,
            features_of=statistics,
            feature_size=statistics.image_size,
            feature_dim=statistics.dim,
            seed=config.seed,
            report=report,
        )
        scene_of = {scene_id: n for n, scene_id in enumerate(dataset.scene_ids)}
        scenes = np.array([scene_of[dataset.images[dataset.image_ids[i]].scene_id] for i in images.tolist()])
        shown = views.only(images[~held[scenes]])
        ground = survey(dataset, shown, config)
        network = new_network(shown, ground, config)
        learn_to_look(network, shown, ground, config, report)
        raters = learn_raters(network, dataset, trained, shown, ground, config)
        stand_ins = learn_stand_ins(dataset, trained, ground.tones, ground.content, config, report)
        # Data are drawn on the CPU, with the part of the network that is not trained.
        data = TrainingData(
            dataset, trained, shown, stand_ins, raters, copy.deepcopy(network).eval(), config, report
        )
        network = network.to(best_device())
        train(
            network,
            data,
            lambda progress, step: step_loss(network, step, config.losses, progress),
            config.loop,
            run_folder,
            system=NAME,
            seed=config.seed,
            report=report,
            resume=resume,
        )
        network = network.cpu().eval()
        strength, gate, n = 1.0, 0.0, 0
        if calibrated:
            whole = survey(dataset, views, config, ground.space)
            answers = learn_stand_ins(
                dataset, calibrated, whole.tones, whole.content, config, report, stand_ins.model
            )
            strength, gate, n = calibrate(
                network, raters, dataset, calibrated, every, held, answers, views, config.seed, report
            )
        network.dial.copy_(torch.tensor([strength, gate]))
        found = "found" if calibrated else "kept"
        runs.log(
            run_folder, f"{found} on {n} answers kept out of training: strength {strength}, gate {gate:.2f}"
        )
    system = TasteLut(network, raters, config)
    runs.write_weights(run_folder, system.tensors(), system=NAME)
    runs.write_card(run_folder, TITLE, n_parameters=sum(p.numel() for p in network.parameters()))
    return system
