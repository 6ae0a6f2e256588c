"""Training: one encoder through all raters, and each rater's head in its turn.

Heads that are not in memory stand in the run folder's `heads/`, each with the number of
turns that it has had. A turn's first step writes the head before and reads the next one; old
numbers stay until the last checkpoint no longer needs them, so a resumed run reads what it
would have read.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from learning.data.alignment import Alignment, aligned_answers
from learning.data.crops import PairBatch, PairCrops
from learning.data.dataset import PreferenceDataset
from learning.data.episodes import too_few_answers, training_rows
from learning.systems.interface import Profile
from learning.systems.shared import best_device, dataset_facts, described
from learning.systems.user_decoder.config import NAME, TITLE, Config
from learning.systems.user_decoder.network import (
    Network,
    batch_loss,
    fill_head,
    new_head,
    new_network,
    profile_of_head,
)
from learning.systems.user_decoder.system import UserDecoder, load
from learning.training import run_folder as runs
from learning.training.loop import step_chance, train
from learning.training.threads import cpu_threads
from variants.progress import Report

HEADS = "heads"
"""Folder of the run's heads while it is trained; those of `raters/` are made of them at the end."""
TURNS_CHANCE = 1
"""Keeps the chance of the raters' order apart from that of the steps' data."""


def fit(
    dataset: PreferenceDataset, config: Config, run_folder: Path, report: Report, *, resume: bool = False
) -> UserDecoder:
    """Train on the dataset's training raters and scenes; the run folder holds all that comes of it.

    `weights.safetensors` holds the encoder and the mean head, `raters/` the head of every rater
    who had a turn.

    Args:
        dataset: whose valid training raters are learnt from.
        config: a preset, or one made from it with `dataclasses.replace`.
        run_folder: must not hold a run yet, unless resumed; then it must be the same run.
        report: told of every step; whatever it raises cancels, and a checkpoint stays.
        resume: go on from the last checkpoint.

    Raises:
        DatasetError: there is nothing to train on, or no pair is aligned.
        RunError: the folder holds another run, or a checkpoint or head is broken.
        TrainingError: the loss is no longer a number.
    """
    run_folder = Path(run_folder)
    if resume and runs.is_finished(run_folder):
        return load(run_folder)
    rows, left_out = _rows_of_raters(dataset, config.min_answers)
    device = best_device()
    alignment = Alignment(dataset)
    used = np.concatenate(list(rows.values()))
    unaligned = int((~aligned_answers(dataset, used, alignment, report)).sum())
    data = _TrainingData(dataset, list(rows.values()), config, alignment)
    images = np.union1d(dataset.judgments.preferred[used], dataset.judgments.rejected[used])
    facts = dataset_facts(
        dataset,
        raters=len(rows),
        left_out=left_out,
        images=len(images),
        judgments=len(used),
        unaligned=unaligned,
    )
    runs.open_run(run_folder, described(NAME, config, facts), resume=resume)
    network = new_network(config).to(device)
    turns = _Turns(network, list(rows), config, run_folder)
    if (run_folder / "weights.safetensors").is_file():  # stopped between the last step and the card
        runs.fill(network, runs.read_weights(run_folder, system=NAME), run_folder)
    else:
        with cpu_threads(config.threads):
            train(
                network,
                data,
                lambda progress, batch: _step_loss(network, batch, config, progress),
                config.loop,
                run_folder,
                system=NAME,
                seed=config.seed,
                report=report,
                resume=resume,
                before_step=turns,
            )
    turns.finish(report)
    n_parameters = sum(p.numel() for p in network.parameters())
    runs.write_card(run_folder, TITLE, n_parameters=n_parameters)
    return UserDecoder(network, config)


def _step_loss(
    network: Network, batch: PairBatch, config: Config, progress: float
) -> dict[str, torch.Tensor]:
    batch = batch.to(next(network.parameters()).device)
    edited = network(batch.inputs.flatten(0, 1))
    return {"loss": batch_loss(edited, batch, config.curriculum, progress)}


def _rows_of_raters(
    dataset: PreferenceDataset, at_least: int
) -> tuple[dict[str, npt.NDArray[np.int64]], list[str]]:
    """Rows of judgments on training scenes by rater, and the ids of raters with too few."""
    rows, left_out = training_rows(dataset, at_least)
    if not rows:
        raise too_few_answers(dataset, at_least)
    without = set(left_out)
    kept = [rater for rater in dataset.training_raters() if rater not in without]
    return dict(zip(kept, rows, strict=True)), left_out


class _TrainingData:
    """Batches of one rater's pairs; see `learning.training.loop.StepData`."""

    def __init__(
        self,
        dataset: PreferenceDataset,
        rows: Sequence[npt.NDArray[np.int64]],
        config: Config,
        alignment: Alignment,
    ) -> None:
        self._judgments, self._rows, self._config = dataset.judgments, rows, config
        self._crops = PairCrops(dataset, config.crops, alignment=alignment)
        self._schedule = Schedule(len(rows), config)

    def __getitem__(self, step: int) -> PairBatch:
        rng = step_chance(self._config.seed, step)
        rater, _ = self._schedule.turn(step)
        rows, n = self._rows[rater], self._config.batch
        chosen = rng.choice(rows, n, replace=len(rows) < n)
        return self._crops.draw(self._judgments.preferred[chosen], self._judgments.rejected[chosen], rng)


class Schedule:
    """Whose turn each step is: every rater once a round, in an order drawn for each round."""

    def __init__(self, n_raters: int, config: Config) -> None:
        self.n_raters, self.iterations, self.seed = n_raters, config.iterations, config.seed
        self._round, self._order = -1, np.empty(0, np.int64)

    def turn(self, step: int) -> tuple[int, int]:
        """The rater's number, and how many turns they have had before."""
        number, place = divmod(step // self.iterations, self.n_raters)
        if number != self._round:
            rng = np.random.default_rng([self.seed, TURNS_CHANCE, number])
            self._round, self._order = number, rng.permutation(self.n_raters)
        return int(self._order[place]), number

    def turns_had(self, steps: int) -> dict[int, int]:
        """How many turns, whole or begun, each rater has had after so many steps; raters without one are left out."""
        rounds, begun = divmod(-(-steps // self.iterations), self.n_raters)
        last_round = rounds * self.n_raters * self.iterations
        in_last_round = {self.turn(last_round + n * self.iterations)[0] for n in range(begun)}
        turns = {rater: rounds + (rater in in_last_round) for rater in range(self.n_raters)}
        return {rater: n for rater, n in turns.items() if n}


class _Turns:
    """Changes the head in memory, and forgets its optimiser; see `learning.training.loop.BeforeStep`."""

    def __init__(self, network: Network, raters: Sequence[str], config: Config, run_folder: Path) -> None:
        self._network, self._raters, self._config, self._run_folder = network, raters, config, run_folder
        self._folder = run_folder / HEADS
        self._schedule = Schedule(len(raters), config)
        self._first = profile_of_head(new_head(config))

    def __call__(self, step: int, optimizer: torch.optim.Optimizer) -> None:
        if step % self._config.iterations:
            return
        if step:
            self._write(step - 1)
        rater, turns = self._schedule.turn(step)
        if not step or rater != self._schedule.turn(step - 1)[0]:
            fill_head(self._network.head, self._read(rater, turns))
        for parameter in self._network.head.parameters():
            optimizer.state.pop(parameter, None)
        self._remove_unneeded(step)

    def finish(self, report: Report) -> None:
        """Keep every head that had a turn under raters/, and the mean of them in the weights; may be done again."""
        turns_had = self._schedule.turns_had(self._config.loop.steps)
        last_step = self._config.loop.steps - 1
        if not self._folder.is_dir() and last_step >= self._config.iterations:
            return  # done before
        last, before = self._schedule.turn(last_step)
        if not (self._folder / _file_name(last, before + 1)).is_file():
            self._write(last_step)
        total: dict[str, npt.NDArray[np.float64]] = {}
        for done, (rater, turns) in enumerate(turns_had.items(), start=1):
            head = self._read(rater, turns)
            runs.write_profile(self._run_folder, self._raters[rater], head, system=NAME)
            total = {name: total.get(name, 0.0) + value.astype(np.float64) for name, value in head.items()}
            report(done, len(turns_had), "keeping the raters' heads")
        mean = {name: (value / len(turns_had)).astype(np.float32) for name, value in total.items()}
        fill_head(self._network.head, mean)
        runs.write_weights(self._run_folder, self._network.state_dict(), system=NAME)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, last_step: int) -> None:
        """The head whose turn ended with this step."""
        rater, turns = self._schedule.turn(last_step)
        self._folder.mkdir(exist_ok=True)
        head = self._network.head.state_dict()
        runs.write_weights(self._folder, head, system=NAME, name=_file_name(rater, turns + 1))

    def _read(self, rater: int, turns: int) -> Profile:
        if not turns:
            return self._first
        tensors = runs.read_weights(self._folder, system=NAME, name=_file_name(rater, turns))
        return {name: value.numpy() for name, value in tensors.items()}

    def _remove_unneeded(self, step: int) -> None:
        """Once a round: what was before the round of the last checkpoint is never read again."""
        every, per_round = self._config.loop.checkpoint_every, self._config.iterations * len(self._raters)
        if step % per_round:
            return
        oldest = (step // every * every) // per_round
        for path in self._folder.glob("*.safetensors"):
            if int(path.stem.partition("-")[2]) < oldest:
                path.unlink(missing_ok=True)


def _file_name(rater: int, turns: int) -> str:
    return f"{rater:06d}-{turns:06d}.safetensors"
