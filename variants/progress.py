"""How long work says how far it is: one signature for terminals, database rows and tests.

A core that takes long has a parameter `report`, calls `report(done, total, stage)` as
often as it likes, and lets whatever `report` raises pass: that is how it is cancelled.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")

Report = Callable[[int, int, str], None]
"""(done, total, stage): `stage` names what is being done, in a few words."""


PACE_KNOWN_AFTER = 5.0
"""Seconds."""


def silent(done: int, total: int, stage: str) -> None:
    """Say nothing."""


def throttled(report: Report, seconds: float = 1.0) -> Report:
    """Pass on at most one call in `seconds`, the first and last of each stage always."""
    last_time, last = -float("inf"), (-1, -1, "")

    def call(done: int, total: int, stage: str) -> None:
        nonlocal last_time, last
        now = time.monotonic()
        if (done, total, stage) == last:
            return
        if now - last_time >= seconds or stage != last[2] or done >= total:
            last_time, last = now, (done, total, stage)
            report(done, total, stage)

    return call


def with_time_left(report: Report, clock: Callable[[], float] = time.monotonic) -> Report:
    """Say with the stage how long the rest of it takes, from its pace so far: "training, about 3 min left".

    Nothing is said in the first seconds, when the pace is not known. Put it after `throttled`, which goes by the
    stage's name.
    """
    began, first, stage_before = 0.0, 0, ""

    def call(done: int, total: int, stage: str) -> None:
        nonlocal began, first, stage_before
        now = clock()
        if stage != stage_before or done < first:
            began, first, stage_before = now, done, stage
        left = ""
        if first < done < total and now - began >= PACE_KNOWN_AFTER:
            left = f", {about((now - began) / (done - first) * (total - done))} left"
        report(done, total, stage + left)

    return call


def about(seconds: float) -> str:
    """A duration in words, no more exact than an estimate is: "about 40 s", "about 3 min", "about 2 h 10 min"."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    if minutes < 600:
        hours, tens = divmod(round(minutes / 10), 6)
        return f"about {hours} h {10 * tens} min" if tens else f"about {hours} h"
    hours = round(minutes / 60)
    return f"about {hours} h" if hours < 48 else f"about {round(hours / 24)} days"


def reported(work: Callable[[Callable[[], bool]], T], report: Callable[[], None], seconds: float) -> T:
    """Do what cannot report by itself, and call `report` every so many seconds meanwhile.

    Args:
        work: Runs in a thread of its own; it is given a function that says whether it is to stop.
        report: Runs in this thread. What it raises passes, once `work` has come to an end.
        seconds: Between two reports.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, stop.is_set)
        try:
            while not wait([future], seconds).done:
                report()
        finally:
            stop.set()
    return future.result()


@contextmanager
def terminal(*, quiet: bool = False) -> Iterator[Report]:
    """A bar per stage where stderr is a terminal, plain lines elsewhere, nothing when quiet."""
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bars() as report:
            yield report
    else:
        yield throttled(with_time_left(_line), seconds=10)


def _line(done: int, total: int, stage: str) -> None:
    sys.stderr.write(f"{stage}: {done} of {total}\n")
    sys.stderr.flush()


@contextmanager
def _bars() -> Iterator[Report]:
    bar: tqdm[Any] | None = None

    def report(done: int, total: int, stage: str) -> None:
        nonlocal bar
        if bar is None or bar.desc.removesuffix(": ") != stage:
            if bar is not None:
                bar.close()
            bar = tqdm(total=total, desc=stage, file=sys.stderr, dynamic_ncols=True)
        bar.total = total
        bar.n = done
        bar.refresh()

    try:
        yield report
    finally:
        if bar is not None:
            bar.close()
