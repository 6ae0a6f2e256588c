"""L-BFGS that looks after itself: it keeps the best it has seen, and stops where it diverges."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from learning.systems.deep_photo.config import IterationConfig
from variants.progress import Report

WORSE = 10.0
"""A loss so many times that of the start is divergence, not a detour."""
SETTLED = 1e-7
"""A relative change smaller than this over all iterations at once is an end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    values: torch.Tensor
    """The best that was found."""
    losses: tuple[float, ...]
    """Of the start, and after every `at_once` iterations."""
    note: str = ""
    """What went wrong; empty where nothing did."""


def minimise(
    start: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    config: IterationConfig,
    report: Report,
    stage: str,
) -> Outcome:
    """Make the loss of some values smaller.

    Args:
        start: where to begin; it is not changed.
        loss: values → a scalar.
        config: how long.
        report: told of the iterations done; whatever it raises passes, which is how it is stopped.
        stage: what `report` is told.
    """
    values = start.detach().clone(memory_format=torch.contiguous_format).requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [values],
        max_iter=config.at_once,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_change=0.0,
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        found = loss(values)
        found.backward()  # type: ignore[no-untyped-call]
        return found

    losses = [float(loss(start).detach())]
    best, note = start.detach().clone(), ""
    if not math.isfinite(losses[0]):
        return Outcome(
            values=best, losses=tuple(losses), note=f"{stage}: the loss is no number from the start"
        )
    done = 0
    report(0, config.steps, stage)
    while done < config.steps:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
        done = min(config.steps, done + config.at_once)
        now = float(loss(values).detach())
        if not math.isfinite(now) or not torch.isfinite(values).all() or now > WORSE * losses[0] + 1e-12:
            note = (
                f"{stage}: stopped after {done} iterations, for the loss grew from {losses[0]:g} to {now:g}; "
                f"what is kept is the best before, of loss {min(losses):g}"
            )
            break
        if now < min(losses):
            best = values.detach().clone()
        losses.append(now)
        report(done, config.steps, stage)
        if abs(losses[-2] - now) <= SETTLED * abs(losses[-2]):
            break
    return Outcome(values=best, losses=tuple(losses), note=note)
