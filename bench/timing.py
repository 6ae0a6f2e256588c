"""What the measurements share: interleaved rounds, medians, and the row that each prints."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal


def interleaved(functions: dict[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Median seconds of each function over `rounds`, taken in turn so that noise hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


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
