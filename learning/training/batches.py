"""A training's data, in order: drawn ahead by workers, moved to the device, with a chance of its own.

What a step is shown hangs on its number alone, so it is the same with and without workers,
and a resumed run sees what it would have seen.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

ON_DEVICE = (
    "these data are held on the accelerator, where workers cannot reach them: take 0 workers (--workers 0)"
)
AHEAD = 4
"""Batches that each worker has ready."""


class StepData(Protocol):
    """The data of every step, a function of the step's number alone.

    With workers it is asked for in other processes: then it gives tensors on the CPU, and the loop moves them.
    """

    def __getitem__(self, step: int) -> Any: ...


def step_chance(seed: int, step: int) -> np.random.Generator:
    """The chance of one step's data."""
    return np.random.default_rng([seed, step])


def torch_seed(seed: int, step: int) -> int:
    """For torch's own chance in one step: dropout, noise. Another stream than the data's."""
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1, np.uint64)[0])


def batches(data: StepData, numbers: Sequence[int], workers: int, device: torch.device) -> Iterator[Any]:
    """data[number] for each of `numbers`, on the device.

    Raises:
        WorkerDied: a worker was killed.
        Exception: what `data` raises, in a worker or here.
    """
    if not workers:
        for number in numbers:
            yield moved(data[number], device)
        return
    loader: DataLoader[Any] = DataLoader(
        _Caught(data),
        batch_size=None,
        collate_fn=_as_it_is,
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=AHEAD,
        pin_memory=device.type == "cuda",
        worker_init_fn=_start_worker,
        # Its own draws would otherwise change those of the training.
        generator=torch.Generator(),
    )
    ahead = iter(loader)
    while True:
        try:
            batch = next(ahead)
        except StopIteration:
            return
        except RuntimeError as error:
            if "exited unexpectedly" not in str(error):
                raise
            raise WorkerDied(
                f"a worker that draws training data ended ({str(error).splitlines()[0]}). Mostly the machine is out of "
                f"memory: take fewer than {workers} workers (--workers), or 0"
            ) from error
        if isinstance(batch, _Error):
            if "re-initialize CUDA" in str(batch.error):
                raise WorkerDied(ON_DEVICE) from batch.error
            raise batch.error
        yield moved(batch, device)


class WorkerDied(Exception):
    """A worker process has gone; the message says what mends it."""


@dataclasses.dataclass(frozen=True)
class _Error:
    """Carried as a value: torch would put a worker's traceback into the message."""

    error: Exception


class _Caught(Dataset[Any]):
    def __init__(self, data: StepData) -> None:
        self.data = data

    def __getitem__(self, number: int) -> Any:
        try:
            return self.data[number]
        except Exception as error:  # noqa: BLE001 - raised again by the process that waits for it
            return _Error(error)


def _as_it_is(batch: Any) -> Any:
    return batch


def _start_worker(number: int) -> None:
    torch.set_num_threads(1)


def moved(batch: Any, device: torch.device) -> Any:
    """The same with all its tensors on the device: tensors, dataclasses, tuples, lists and dicts of them."""
    return mapped(batch, lambda tensor: tensor.to(device, non_blocking=True))


def mapped(batch: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same with `change` done to every tensor in it; what is neither tensor nor container stays."""
    if isinstance(batch, torch.Tensor):
        return change(batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {f.name: mapped(getattr(batch, f.name), change) for f in dataclasses.fields(batch) if f.init}
        return dataclasses.replace(batch, **fields)
    if isinstance(batch, dict):
        return {name: mapped(value, change) for name, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(mapped(value, change) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(mapped(value, change) for value in batch)
    return batch


def tensors_of(batch: Any) -> list[torch.Tensor]:
    """All tensors in it."""
    found: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        found.append(tensor)
        return tensor

    mapped(batch, keep)
    return found


def as_plain(batch: Any) -> Any:
    """Dicts, lists and tensors on the CPU, which load without running any code; the rest as text."""
    if isinstance(batch, torch.Tensor):
        return batch.detach().cpu()
    if isinstance(batch, np.ndarray):
        return torch.from_numpy(batch.copy()) if batch.dtype.kind in "biuf" else str(batch)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        return {f.name: as_plain(getattr(batch, f.name)) for f in dataclasses.fields(batch)}
    if isinstance(batch, dict):
        return {str(name): as_plain(value) for name, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return [as_plain(value) for value in batch]
    return batch if batch is None or isinstance(batch, (bool, int, float, str)) else repr(batch)
