"""The training loop: steps, checkpoints, curves. What a step's loss is, the system says.

A run that was killed and resumed ends with the same weights, bit for bit, as one that was
not: a checkpoint holds the network and the optimiser, and the data and the chance of every
step are functions of its number.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from learning.training import memory
from learning.training.batches import StepData, WorkerDied, as_plain, batches, step_chance, torch_seed
from learning.training.checkpoint import TrainingState, last_checkpoint, load_checkpoint, save_checkpoint
from learning.training.ema import WeightAverage
from learning.training.event_file import EventFile
from learning.training.processes import Processes, launched, share_first, share_means
from learning.training.run_folder import log, remove_checkpoints, write_curves, write_weights
from variants.progress import Report, silent

__all__ = ["Diverged", "LoopConfig", "StepData", "TrainingError", "step_chance", "train"]

SCHEDULES = ("cosine", "constant")
PRECISIONS = ("fp32", "bf16")


class TrainingError(Exception):
    """Training cannot go on; the message says why, and which checkpoint is the last good one."""


class Diverged(TrainingError):
    """The loss or its gradient is no number. The network is still as the step before left it, `steps` from the start."""

    def __init__(self, message: str, steps: int) -> None:
        super().__init__(message)
        self.steps = steps


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
    precision: str = "fp32"
    """bf16 is autocast: weights stay float32, matrix products and convolutions are in bfloat16."""
    accumulate: int = 1
    """Batches whose mean gradient makes one step."""
    ema: float = 0.0
    """Decay of the moving average of the weights, which is then what is kept at the end; 0 for none."""
    workers: int = 0
    """Processes that draw data ahead. Says nothing about the result, so a resumed run may have others."""
    tensorboard: bool = False
    """Write event files besides curves.parquet; likewise."""

    def __post_init__(self) -> None:
        for name in ("steps", "checkpoint_every", "log_every", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("weight_decay", "warmup", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; it must be one of {', '.join(SCHEDULES)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}; it must be from 0 (no average) to below 1")

    def rate(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        warm = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        fall = (1 + math.cos(math.pi * step / self.steps)) / 2 if self.schedule == "cosine" else 1.0
        return self.learning_rate * warm * fall


StepLoss = Callable[[float, Any], dict[str, torch.Tensor]]
"""(progress from 0 to 1, the step's data) → named scalars; the one called `loss` is made smaller."""
BeforeStep = Callable[[int, torch.optim.Optimizer], None]
"""(step, optimiser), before a step's loss. May change weights and forget the optimiser's state of some of them, as a
function of the step and of what is on disk alone, so that resuming stays exact."""


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

    Whatever `report` raises ends the training, with a checkpoint of the last whole step. Started by
    `accelerate launch`, every process calls this: each sees data of its own, all have the same weights
    at any time, and only the first writes and reports.

    Args:
        network: its weights as they are at the start.
        data: what each step is shown; with k batches a step (`accumulate` times the processes), step s is
            shown data[s·k] to data[s·k + k - 1].
        step_loss: gives the losses of a step's data.
        config: how long, how fast.
        folder: the run folder.
        system: written into the weights.
        seed: of torch's own chance, which is put back as it was at the end; the data has its own.
        report: told of every step.
        resume: whether to go on from the last checkpoint, where there is one.
        before_step: called before every step; then one batch makes a step, and no average is taken.

    Raises:
        TrainingError: the loss is no longer a number, memory does not suffice, or a worker died.
        RunError: a checkpoint cannot be read or written.
    """
    processes = launched()
    if before_step and (processes.count * config.accumulate > 1 or config.ema):
        raise TrainingError(
            f"{system} trains other weights in turn: it goes with one process, accumulate 1 and ema 0"
        )
    with torch.random.fork_rng(devices=_cuda_devices(network)):
        state = _new_state(network, config)
        if resume:
            load_checkpoint(state, folder, system)
        share_first([*network.parameters(), *network.buffers()])
        if state.average:
            share_first(state.average.tensors.values())
        training = _Training(
            state=state, step_loss=step_loss, config=config, folder=folder, system=system, seed=seed,
            processes=processes, before_step=before_step,
        )  # fmt: skip
        _steps(training, data, report if processes.is_main else silent)
    if state.average:
        state.average.put_into(network)
    write_curves(folder, state.curves)
    write_weights(folder, network.state_dict(), system=system)
    log(folder, f"done after {config.steps} steps, {state.seconds:.0f} s")
    remove_checkpoints(folder)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Training:
    """One call of `train`."""

    state: TrainingState
    step_loss: StepLoss
    config: LoopConfig
    folder: Path
    system: str
    seed: int
    processes: Processes
    before_step: BeforeStep | None

    @property
    def device(self) -> torch.device:
        return next(self.state.network.parameters()).device

    def numbers(self) -> list[int]:
        """Of the data that this process will be shown, from the next step on."""
        a_step = self.config.accumulate * self.processes.count
        first, last = self.state.step * a_step, self.config.steps * a_step
        return list(range(first + self.processes.rank, last, self.processes.count))


def _new_state(network: nn.Module, config: LoopConfig) -> TrainingState:
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return TrainingState(network, optimizer, WeightAverage(network, config.ema) if config.ema else None)


def _cuda_devices(network: nn.Module) -> list[int]:
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    return [device.index or 0 for device in devices]


def _steps(training: _Training, data: StepData, report: Report) -> None:
    state, config, folder = training.state, training.config, training.folder
    events = EventFile(folder, state.step) if config.tensorboard and training.processes.is_main else None
    numbers = training.numbers()
    coming = zip(numbers, batches(data, numbers, config.workers, training.device), strict=True)
    state.network.train()
    with _stopped_between_steps() as look_up:
        _all_steps(training, coming, events, report, look_up)
    state.network.eval()


def _all_steps(
    training: _Training,
    coming: Iterator[tuple[int, Any]],
    events: EventFile | None,
    report: Report,
    look_up: Callable[[], None],
) -> None:
    state, config, folder = training.state, training.config, training.folder
    while state.step < config.steps:
        started = time.monotonic()
        if training.before_step:
            training.before_step(state.step, state.optimizer)
        losses = _one_step(training, coming)
        state.seconds += time.monotonic() - started
        state.step += 1
        if state.step % config.log_every == 0 or state.step == config.steps:
            state.curves.append(_curve_row(state, losses, config))
            if events:
                events.add(state.step, {k: v for k, v in state.curves[-1].items() if k != "step"})
        if state.step % config.checkpoint_every == 0 and state.step < config.steps:
            save_checkpoint(state, folder, training.system)
        _report(state, config, folder, training.system, report, look_up)


@contextmanager
def _stopped_between_steps() -> Iterator[Callable[[], None]]:
    """Ctrl-C waits for the end of the step, so that a whole one can be kept; a second one does not.

    Gives what raises KeyboardInterrupt if somebody has asked. Where Ctrl-C is somebody else's to handle, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield lambda: None
        return
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def look_up() -> None:
        if asked:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, ask)
    try:
        yield look_up
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _one_step(training: _Training, coming: Iterator[tuple[int, Any]]) -> dict[str, torch.Tensor]:
    state, config = training.state, training.config
    for group in state.optimizer.param_groups:
        group["lr"] = config.rate(state.step)
    state.optimizer.zero_grad()
    sums: dict[str, torch.Tensor] = {}
    shown: list[Any] = []
    for _ in range(config.accumulate):
        number, batch = _next(training, coming)
        shown.append(batch)
        for name, value in _backward(training, number, batch).items():
            sums[name] = sums[name] + value if name in sums else value
    losses = share_means(state.network.parameters(), sums)
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), config.clip)
    # The norm holds every gradient: one that is no number would spoil all weights.
    if not (math.isfinite(losses["loss"].item()) and math.isfinite(norm.item())):
        raise Diverged(_not_a_number(training, losses, shown), state.step)
    state.optimizer.step()
    if state.average:
        state.average.update(state.network, state.step)
    return losses


def _next(training: _Training, coming: Iterator[tuple[int, Any]]) -> tuple[int, Any]:
    try:
        return next(coming)
    except WorkerDied as error:
        raise TrainingError(f"step {training.state.step + 1}: {error}{_go_on(training.folder)}") from error
    except (MemoryError, RuntimeError) as error:
        if not memory.is_out_of_memory(error):
            raise
        raise TrainingError(_out_of_memory(training, None, error)) from error


def _backward(training: _Training, number: int, batch: Any) -> dict[str, torch.Tensor]:
    """Add the batch's part to the gradients; its losses, divided by the batches of a step."""
    try:
        losses = _losses(training, number, batch)
        (losses["loss"] / training.config.accumulate).backward()  # type: ignore[no-untyped-call]
    except (MemoryError, RuntimeError) as error:
        if not memory.is_out_of_memory(error):
            raise
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
    else:
        return {name: value.detach() / training.config.accumulate for name, value in losses.items()}
    # Outside of the handler: the error's traceback holds the tensors that have to go.
    raise TrainingError(_out_of_memory(training, batch, reason))


def _losses(training: _Training, number: int, batch: Any) -> dict[str, torch.Tensor]:
    state, config = training.state, training.config
    torch.manual_seed(torch_seed(training.seed, number))
    with torch.autocast(training.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        return training.step_loss(state.step / max(1, config.steps - 1), batch)


def _out_of_memory(training: _Training, batch: Any, reason: object) -> str:
    state = training.state
    said = memory.advice(
        state.network, state.optimizer, batch, lambda part: _losses(training, 0, part)["loss"]
    )
    message = f"step {state.step + 1}: out of memory ({reason}). {said}{_go_on(training.folder)}"
    log(training.folder, message)
    return message


def _not_a_number(training: _Training, losses: dict[str, torch.Tensor], shown: list[Any]) -> str:
    """The data of the step is kept beside the message: what they have in common is often the cause."""
    state = training.state
    values = ", ".join(f"{name} {value.item():g}" for name, value in losses.items())
    path = training.folder / f"not-a-number-step-{state.step + 1:08d}-process-{training.processes.rank}.pt"
    try:
        torch.save({"step": state.step + 1, "batches": as_plain(shown)}, path)
        kept = f"its data are in {path.name} (torch.load)"
    except (OSError, RuntimeError) as error:  # a full disk must not hide the message
        kept = f"its data could not be kept ({error})"
    message = (
        f"step {state.step + 1}: the loss or its gradient is not a number ({values}); {kept}"
        f"{_go_on(training.folder)}. A lower learning rate is what mends this most often"
    )
    log(training.folder, message)
    return message


def _go_on(folder: Path) -> str:
    last = last_checkpoint(folder)
    return f"; the last good checkpoint, {last.name}, is kept" if last else "; there is no checkpoint yet"


def _report(
    state: TrainingState,
    config: LoopConfig,
    folder: Path,
    system: str,
    report: Report,
    look_up: Callable[[], None],
) -> None:
    try:
        look_up()
        report(state.step, config.steps, "training")
    except BaseException:  # cancelled: whatever the reason, the work so far is kept
        if state.step < config.steps:
            save_checkpoint(state, folder, system)
            log(folder, f"stopped at step {state.step}")
        raise


def _curve_row(state: TrainingState, losses: dict[str, torch.Tensor], config: LoopConfig) -> dict[str, float]:
    return {
        "step": state.step,
        **{name: value.item() for name, value in losses.items()},
        "learning_rate": config.rate(state.step - 1),
        "seconds": round(state.seconds, 3),
    }
