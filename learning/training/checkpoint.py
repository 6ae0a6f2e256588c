"""A training's state: what the next step depends on, on disk and back.

Chance is not among it: every step has its own, made from the seed and the step's number.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from learning.training.ema import WeightAverage
from learning.training.processes import launched
from learning.training.run_folder import RunError, fill, log, read_weights, write_curves, write_weights


class TrainingState:
    """Everything that the next step depends on."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, average: WeightAverage | None
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.average = average
        self.step = 0
        self.seconds = 0.0
        self.curves: list[dict[str, float]] = []


def save_checkpoint(state: TrainingState, folder: Path, system: str) -> None:
    """Written beside, renamed when whole; only then the one before goes away. Only the first process writes.

    Raises:
        RunError: it cannot be written; the one before stays.
    """
    if not launched().is_main:
        return
    parent = folder / "checkpoint"
    target = parent / f"step-{state.step:08d}"
    partial = parent / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        write_weights(partial, state.network.state_dict(), system=system)
        torch.save(_rest_of(state), partial / "state.pt")
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except (OSError, RuntimeError, RunError) as error:  # torch.save wraps the system's errors
        shutil.rmtree(partial, ignore_errors=True)
        last = last_checkpoint(folder)
        kept = f"; the last good one, {last.name}, is kept" if last else ""
        raise RunError(f"{target} cannot be written ({error}){kept}") from error
    write_curves(folder, state.curves)  # for those who watch; a resumed run takes them from the checkpoint
    for older in parent.glob("step-*"):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(state: TrainingState, folder: Path, system: str) -> None:
    """Fill the state from the last checkpoint; it stays as it is where there is none.

    Raises:
        RunError: the checkpoint is broken, of another system, or of another number of processes.
    """
    last = last_checkpoint(folder)
    if last is None:
        log(folder, "nothing to resume from, starting at step 0")
        return
    fill(state.network, read_weights(last, system=system), last)
    try:
        rest = torch.load(last / "state.pt", weights_only=True, map_location="cpu")
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise RunError(
            f"{last / 'state.pt'} is cut short or broken ({_first_line(error)}); delete {folder} and train again"
        ) from error
    before, now = rest.get("processes", 1), launched().count
    if before != now:
        raise RunError(
            f"{last} was trained by {before} processes, and {now} would see other data; resume with {before}"
        )
    state.optimizer.load_state_dict(rest["optimizer"])
    state.step, state.seconds, state.curves = rest["step"], rest["seconds"], rest["curves"]
    if state.average:
        state.average.load(rest["average"])
    log(folder, f"resumed from step {state.step}")


def last_checkpoint(folder: Path) -> Path | None:
    return max((folder / "checkpoint").glob("step-*"), default=None)


def _rest_of(state: TrainingState) -> dict[str, Any]:
    """Plain values and tensors only, so that it loads without running any code."""
    return {
        "step": state.step,
        "seconds": state.seconds,
        "optimizer": state.optimizer.state_dict(),
        "curves": state.curves,
        "average": state.average.tensors if state.average else {},
        "processes": launched().count,
    }


def _first_line(error: Exception) -> str:
    """Torch explains its archives at length."""
    return (str(error).splitlines() or [type(error).__name__])[0]
