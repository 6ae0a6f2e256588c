"""What the measurements share: interleaved rounds, medians, and the row that each prints."""

import ctypes
import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal


def interleaved(
    functions: dict[str, Callable[[], object]],
    rounds: int = 7,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each function over `rounds`, taken in turn so that noise hits all alike.

    On one core `time.process_time` leaves out what else the machine does.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = clock()
            function()
            seconds[name].append(clock() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def peak_extra_mb(function: Callable[[], object]) -> float:
    """By how many MB the process grows at most while the function runs; what it takes once, before. Linux."""
    function()
    forget_peak()
    before = memory_mb("VmRSS")
    function()
    return memory_mb("VmHWM") - before


def forget_peak() -> None:
    """The peak that VmHWM tells begins anew, from what is in use: what was freed goes back to the system."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def memory_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def row(
    name: str,
    *,
    ours: float,
    peer: float,
    peer_name: str,
    goal: float,
    better: Literal["lower", "higher"],
    unit: str,
) -> dict[str, Any]:
    """A measurement's row; `ratio` is ours over the peer's."""
    ratio = ours / peer
    ok = ratio <= goal if better == "lower" else ratio >= goal
    return {
        "name": name, "ours": ours, "peer": peer, "peer_name": peer_name, "ratio": ratio,
        "goal": goal, "better": better, "ok": ok, "unit": unit,
    }  # fmt: skip


def print_rows(rows: list[dict[str, Any]]) -> None:
    """For people first, then one JSON object a line."""
    for r in rows:
        print(
            f"{r['name']:40} ours {r['ours']:9.4g} {r['unit']}  {r['peer_name']} {r['peer']:9.4g} {r['unit']}  ratio {r['ratio']:.2f} (goal {r['goal']})"
        )
    for r in rows:
        print(json.dumps(r))
