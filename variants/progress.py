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
        yield throttled(_line, seconds=10)


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
