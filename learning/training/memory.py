"""When a step does not fit into memory: which part of its data does, found by trying."""

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from learning.training.batches import mapped, tensors_of

SMALLEST_PART = 64
"""A 64th of a step's data is the least that is tried."""


def is_out_of_memory(error: BaseException) -> bool:
    """Numpy and Python raise MemoryError, CUDA its own, torch on a CPU a RuntimeError with these words."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def advice(
    network: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, loss_of: Callable[[Any], torch.Tensor]
) -> str:
    """A sentence that says how large a step fits beside the network and the optimiser, measured.

    Args:
        network: that is trained.
        optimizer: its state is made room for where it has none yet.
        batch: the data that did not fit.
        loss_of: of part of the data, the loss.
    """
    if batch is None:
        return "Its data alone do not fit: take a smaller batch"
    size = max((len(tensor) for tensor in tensors_of(batch) if tensor.dim()), default=0)
    part = 2
    while part <= min(SMALLEST_PART, size):
        fits = _fits(network, optimizer, _part_of(batch, part), loss_of)
        if fits is None:
            break
        if fits:
            return (
                f"A step of {size} images or pairs is too large; {-(-size // part)} fit (measured). Make the batch "
                f"{part} times as small; with --accumulate {part} the weights learn from as many a step as now"
            )
        part *= 2
    return f"Make the batch, {size} images or pairs, or the crops smaller; --accumulate makes up for it"


def _fits(
    network: nn.Module, optimizer: torch.optim.Optimizer, batch: Any, loss_of: Callable[[Any], torch.Tensor]
) -> bool | None:
    """Whether a step with this data fits; None where it cannot be said, the data not being made of equal parts."""
    _free(optimizer)
    room = []
    try:
        if not optimizer.state:
            room = [torch.zeros_like(p) for p in network.parameters() if p.requires_grad for _ in range(2)]
        loss_of(batch).backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, MemoryError, ValueError, IndexError, AssertionError) as error:
        return False if is_out_of_memory(error) else None
    finally:
        del room
        _free(optimizer)
    return True


def _part_of(batch: Any, part: int) -> Any:
    """The first part of every tensor's rows, at least one."""
    return mapped(batch, lambda tensor: tensor[: -(-len(tensor) // part)] if tensor.dim() else tensor)


def _free(optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
