"""One training in many processes: who is who, what only the first does, and means over all.

The launcher (`accelerate launch`, or torchrun) sets the environment; Accelerate opens the
connection and gives each process its device. Each process draws other data, and the
mean of their gradients is everybody's: weights are the same in all of them, always.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

HOW = (
    "Training in many processes needs Accelerate: pip install 'tonalist[multi-gpu]'. Without it start one process: "
    "python -m learning.train ..."
)


class LaunchError(Exception):
    """The processes cannot be connected; the message says what mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Processes:
    rank: int = 0
    """This one's number."""
    count: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0


def launched() -> Processes:
    """As the launcher's environment says; one process where there is none."""
    count, rank = (int(os.environ.get(name, default)) for name, default in (("WORLD_SIZE", 1), ("RANK", 0)))
    return Processes(rank=rank, count=count) if count > 1 else Processes()


def is_main() -> bool:
    """Whether this process writes and speaks: only the first of many does."""
    return launched().is_main


def own_device() -> torch.device | None:
    """The device of this process among many, and the connection to the others; None where it is alone.

    Raises:
        LaunchError: Accelerate is not installed.
    """
    if launched().count == 1:
        return None
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise LaunchError(HOW) from error
    device: torch.device = PartialState().device
    return device


def share_first(tensors: Iterable[torch.Tensor]) -> None:
    """Give every process the first one's values, in place."""
    if launched().count == 1:
        return
    own_device()
    with torch.no_grad():
        for tensor in tensors:
            torch.distributed.broadcast(tensor.data, 0)


def share_means(
    parameters: Iterable[nn.Parameter], values: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Put the mean of all processes' gradients into each, and return the means of the named scalars.

    A parameter that no process has a gradient for keeps none; where some have one, the others count as 0.
    """
    names = sorted(values)
    if launched().count == 1:
        return dict(values)
    held = [p for p in parameters if p.requires_grad]
    device = held[0].device
    parts = [torch.zeros_like(p, dtype=torch.float32) if p.grad is None else p.grad.float() for p in held]
    has_one = torch.tensor([float(p.grad is not None) for p in held], device=device)
    scalars = torch.stack([values[name].detach().float().to(device) for name in names])
    flat = torch.cat([has_one, scalars, *(part.flatten() for part in parts)])
    torch.distributed.all_reduce(flat)
    flat /= launched().count
    has_one, scalars, gradients = flat.split([len(held), len(names), flat.numel() - len(held) - len(names)])  # type: ignore[no-untyped-call]
    start = 0
    for parameter, part in zip(held, has_one.tolist(), strict=True):
        end = start + parameter.numel()
        if part:
            parameter.grad = gradients[start:end].view_as(parameter).to(parameter.dtype)
        start = end
    return dict(zip(names, scalars, strict=True))
