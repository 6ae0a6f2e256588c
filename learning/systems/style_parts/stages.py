"""Training in steps: each trains some of the networks while the others stay as they are.

Every stage is a whole run of `learning.training.loop` in a folder of its own below
`checkpoint/`, with its own optimiser and schedule. A resumed training passes over the
stages that are done and goes on within the one that is not.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from torch import nn

from learning.systems.shared import described
from learning.training import run_folder as runs
from learning.training.loop import LoopConfig, StepData, StepLoss, train
from learning.training.processes import is_main
from learning.training.threads import cpu_threads
from variants.progress import Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    name: str
    network: nn.Module
    """What is trained; nothing else is."""
    data: StepData
    step_loss: StepLoss
    share: float
    """Of all steps."""
    prepare: Callable[[], None] = lambda: None
    """Called before it starts, when the stages before it are done."""


def check_shares(shares: Sequence[float], stages: Sequence[str]) -> None:
    """Raise ValueError where they do not share out all steps among the stages."""
    if len(shares) != len(stages):
        raise ValueError(f"shares has {len(shares)} entries; there must be one each for {', '.join(stages)}")
    if any(share <= 0 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares is {tuple(shares)}; all must be above 0 and their sum 1")


def run_stages(
    facts: Mapping[str, Any],
    stages: Sequence[Stage],
    network: nn.Module,
    config: Any,
    run_folder: Path,
    *,
    system: str,
    title: str,
    report: Report,
    resume: bool,
) -> None:
    """Open the run, train, and keep `network`; `facts` say what it is trained on."""
    runs.open_run(run_folder, described(system, config, facts), resume=resume)
    with cpu_threads(config.threads):
        train_stages(
            stages, config.loop, run_folder, system=system, seed=config.seed, report=report, resume=resume
        )
    network.eval()
    runs.write_weights(run_folder, network.state_dict(), system=system)
    runs.remove_checkpoints(run_folder)
    runs.write_card(run_folder, title, n_parameters=sum(p.numel() for p in network.parameters()))


def train_stages(
    stages: Sequence[Stage],
    loop: LoopConfig,
    run_folder: Path,
    *,
    system: str,
    seed: int,
    report: Report,
    resume: bool,
) -> None:
    """Train one stage after the other in place; the run folder gets one table of curves for all.

    Args:
        stages: in their order.
        loop: of which each stage gets its share of the steps.
        run_folder: the run's.
        system: written into weights and checkpoints.
        seed: of torch's own chance; each stage has another.
        report: told of every step of all.
        resume: whether to go on where an earlier training stopped.
    """
    total, done = loop.steps, 0
    curves: list[dict[str, float]] = []
    for number, stage in enumerate(stages):
        folder = run_folder / "checkpoint" / f"step-{number + 1}-{stage.name}"
        steps = max(1, total - done if number == len(stages) - 1 else round(stage.share * total))
        stage.prepare()
        if resume and (folder / "weights.safetensors").is_file():
            runs.fill(stage.network, runs.read_weights(folder, system=system), folder)
            stage.network.eval()
        else:
            if is_main() and not resume:
                shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            runs.log(run_folder, f"stage {number + 1} of {len(stages)}, {stage.name}: {steps} steps")
            train(
                stage.network,
                stage.data,
                stage.step_loss,
                replace(loop, steps=steps),
                folder,
                system=system,
                seed=seed + number,
                report=_within(report, done, max(total, done + steps)),
                resume=resume,
            )
        if is_main():
            curves += [
                {**row, "step": row["step"] + done, "stage": number + 1}
                for row in pq.read_table(folder / "curves.parquet").to_pylist()
            ]
            runs.write_curves(run_folder, _complete(curves))
        done += steps


def freeze(*networks: nn.Module) -> None:
    """In evaluation mode and without gradients from now on."""
    for network in networks:
        network.eval().requires_grad_(False)


def _within(report: Report, before: int, total: int) -> Report:
    def told(done: int, _: int, stage: str) -> None:
        report(before + done, total, stage)

    return told


def _complete(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """A table has the same columns in every row; a loss that a stage does not have is no number there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [{name: row.get(name, float("nan")) for name in names} for row in rows]
