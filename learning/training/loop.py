"""The training loop: steps, checkpoints, curves. What a step's loss is, the system says.

A run that was killed and resumed ends with the same weights, bit for bit, as one that was
not: a checkpoint holds the network, the optimiser and every source of chance.
"""

import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from learning.training.run_folder import (
    RunError,
    fill,
    log,
    read_weights,
    remove_checkpoints,
    write_curves,
    write_weights,
)
from variants.progress import Report

SCHEDULES = ("cosine", "constant")


class TrainingError(Exception):
    """Training cannot go on; the message says why, and which checkpoint is the last good one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    steps: int = 1500
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    schedule: str = "cosine"
    """cosine falls to 0 at the last step; constant stays."""
    warmup: int = 50
    """Steps over which the learning rate grows from 0."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    checkpoint_every: int = 250
    log_every: int = 10

    def __post_init__(self) -> None:
        for name in ("steps", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("weight_decay", "warmup"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; it must be one of {', '.join(SCHEDULES)}")

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = (1 + math.cos(math.pi * step / self.steps)) / 2 if self.schedule == "cosine" else 1.0
        return self.learning_rate * warm * fall


class StepData(Protocol):
    """The data of every step, a function of the step's number alone.

    So workers can draw it ahead of time, and a resumed run sees what it would have seen.
    """

    def __getitem__(self, step: int) -> Any: ...


StepLoss = Callable[[float, Any], dict[str, torch.Tensor]]
"""(progress from 0 to 1, the step's data) → named scalars; the one called `loss` is made smaller."""
BeforeStep = Callable[[int, torch.optim.Optimizer], None]
"""(step, optimiser), before a step's loss. May change weights and forget the optimiser's state of some of them, as a
function of the step and of what is on disk alone, so that resuming stays exact."""


def step_chance(seed: int, step: int) -> np.random.Generator:
    """The chance of one step's data."""
    return np.random.default_rng([seed, step])


def train(
    network: nn.Module,
    data: StepData,
    step_loss: StepLoss,
    config: LoopConfig,
    folder: Path,
    *,
    system: str,
    seed: int,
    report: Report,
    resume: bool,
    before_step: BeforeStep | None = None,
) -> None:
    """Train the network in place; `folder` gets checkpoints on the way, the weights and curves at the end.

    Whatever `report` raises ends the training, with a checkpoint of the last whole step.

    Args:
        network: its weights as they are at the start.
        data: what each step is shown.
        step_loss: gives the losses of a step's data.
        config: how long, how fast.
        folder: the run folder.
        system: written into the weights.
        seed: of torch's own chance, which is put back as it was at the end; the data has its own.
        report: told of every step.
        resume: whether to go on from the last checkpoint, where there is one.
        before_step: called before every step.

    Raises:
        TrainingError: the loss is no longer a number.
        RunError: a checkpoint cannot be read or written.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state = _State(network, config)
        if resume:
            _resume(state, folder, system)
        _steps(state, data, step_loss, config, folder, system, report, before_step)
    write_curves(folder, state.curves)
    write_weights(folder, network.state_dict(), system=system)
    log(folder, f"done after {config.steps} steps, {state.seconds:.0f} s")
    remove_checkpoints(folder)


class _State:
    """Everything that the next step depends on."""

    def __init__(self, network: nn.Module, config: LoopConfig) -> None:
        self.network = network
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.step = 0
        self.seconds = 0.0
        self.curves: list[dict[str, float]] = []


def _steps(
    state: _State,
    data: StepData,
    step_loss: StepLoss,
    config: LoopConfig,
    folder: Path,
    system: str,
    report: Report,
    before_step: BeforeStep | None,
) -> None:
    state.network.train()
    while state.step < config.steps:
        started = time.monotonic()
        if before_step:
            before_step(state.step, state.optimizer)
        losses = _one_step(state, data, step_loss, config, folder)
        state.seconds += time.monotonic() - started
        state.step += 1
        if state.step % config.log_every == 0 or state.step == config.steps:
            state.curves.append(_curve_row(state, losses, config))
        if state.step % config.checkpoint_every == 0 and state.step < config.steps:
            _save_checkpoint(state, folder, system)
        _report(state, config, folder, system, report)
    state.network.eval()


def _one_step(
    state: _State, data: StepData, step_loss: StepLoss, config: LoopConfig, folder: Path
) -> dict[str, torch.Tensor]:
    for group in state.optimizer.param_groups:
        group["lr"] = config.rate(state.step)
    losses = step_loss(state.step / max(1, config.steps - 1), data[state.step])
    state.optimizer.zero_grad()
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), config.clip)
    # The norm holds every gradient: one that is no number would spoil all weights.
    if not (math.isfinite(losses["loss"].item()) and math.isfinite(norm.item())):
        raise TrainingError(_not_a_number(state, losses, folder))
    state.optimizer.step()
    return losses


def _not_a_number(state: _State, losses: dict[str, torch.Tensor], folder: Path) -> str:
    values = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
    last = _last_checkpoint(folder)
    kept = f"the last good checkpoint, {last.name}, is kept" if last else "there is no checkpoint yet"
    message = (
        f"step {state.step + 1}: the loss or its gradient is not a number ({values}); {kept}. "
        "A lower learning rate is what mends this most often"
    )
    log(folder, message)
    return message


def _report(state: _State, config: LoopConfig, folder: Path, system: str, report: Report) -> None:
    try:
        report(state.step, config.steps, "training")
    except BaseException:  # cancelled: whatever the reason, the work so far is kept
        if state.step < config.steps:
            _save_checkpoint(state, folder, system)
            log(folder, f"stopped at step {state.step}")
        raise


def _curve_row(state: _State, losses: dict[str, torch.Tensor], config: LoopConfig) -> dict[str, float]:
    return {
        "step": state.step,
        **{name: value.item() for name, value in losses.items()},
        "learning_rate": config.rate(state.step - 1),
        "seconds": round(state.seconds, 3),
    }


def _save_checkpoint(state: _State, folder: Path, system: str) -> None:
    """Written beside, renamed when whole; only then the one before goes away."""
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
    except (OSError, RuntimeError) as error:  # torch.save wraps the system's errors
        shutil.rmtree(partial, ignore_errors=True)
        last = _last_checkpoint(folder)
        kept = f"; the last good one, {last.name}, is kept" if last else ""
        raise RunError(f"{target} cannot be written ({error}){kept}") from error
    write_curves(folder, state.curves)  # for those who watch; a resumed run takes them from the checkpoint
    for older in parent.glob("step-*"):
        if older != target:
            shutil.rmtree(older)


def _rest_of(state: _State) -> dict[str, Any]:
    """Plain values and tensors only, so that it loads without running any code."""
    return {
        "step": state.step,
        "seconds": state.seconds,
        "optimizer": state.optimizer.state_dict(),
        "curves": state.curves,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def _resume(state: _State, folder: Path, system: str) -> None:
    last = _last_checkpoint(folder)
    if last is None:
        log(folder, "nothing to resume from, starting at step 0")
        return
    fill(state.network, read_weights(last, system=system), last)
    try:
        rest = torch.load(last / "state.pt", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise RunError(
            f"{last / 'state.pt'} is cut short or broken ({error}); start without --resume"
        ) from error
    state.optimizer.load_state_dict(rest["optimizer"])
    state.step, state.seconds, state.curves = rest["step"], rest["seconds"], rest["curves"]
    torch.set_rng_state(rest["torch"])
    if torch.cuda.is_available() and rest["cuda"]:
        torch.cuda.set_rng_state_all(rest["cuda"])
    log(folder, f"resumed from step {state.step}")


def _last_checkpoint(folder: Path) -> Path | None:
    return max((folder / "checkpoint").glob("step-*"), default=None)
