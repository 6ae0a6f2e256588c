"""What a run folder says to readers on the site, while it is written and after. No torch, no Django."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NOT_LOSSES = {"learning_rate", "seconds"}
TOTAL = "loss"
MAX_CURVES = 4
MAX_POINTS = 400
"""Of a curve, thinned evenly: more cannot be seen in a chart."""
LOG_BYTES = 16_000
LOG_LINES = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    name: str
    points: list[tuple[float, float]]
    """(step, value)."""


def run_curves(folder: Path) -> list[Curve]:
    """The losses in curves.parquet, the one that is made smaller first; none where there is no whole file."""
    try:
        table = pq.read_table(folder / "curves.parquet")
    except (OSError, pa.ArrowInvalid):  # not written yet
        return []
    columns: dict[str, list[float | None]] = table.to_pydict()
    steps = columns.pop("step", [])
    losses = {name: values for name, values in columns.items() if name not in NOT_LOSSES}
    curves = [Curve(name=name, points=_points(steps, values)) for name, values in losses.items()]
    total = next((c.points for c in curves if c.name == TOTAL), None)
    return [c for c in curves if c.points and (c.name == TOTAL or c.points != total)][:MAX_CURVES]


def run_log(folder: Path) -> str:
    """The last lines of log.txt; empty where there is none."""
    try:
        with (folder / "log.txt").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            tail = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(tail.splitlines()[-LOG_LINES:])


def run_config(folder: Path) -> dict[str, Any]:
    """config.json without its long lists, nested settings under names with dots; empty where there is no
    whole file.
    """
    try:
        data = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return {}
    found = dict(_flat(data)) if isinstance(data, dict) else {}
    for name in ("environment.packages", "dataset.left_out"):
        found.pop(name, None)
    return found


def has_checkpoint(folder: Path) -> bool:
    """Whether there is one to go on from."""
    return any((folder / "checkpoint").glob("step-*"))


def _points(steps: Sequence[float | None], values: Sequence[float | None]) -> list[tuple[float, float]]:
    known = [
        (float(s), float(v))
        for s, v in zip(steps, values, strict=True)
        if s is not None and v is not None and v == v
    ]
    every = -(-len(known) // MAX_POINTS) or 1
    return known[::every] if len(known) < 2 else [*known[:-1:every], known[-1]]


def _flat(data: dict[str, Any], path: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in data.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{path}{name}.")
        else:
            found.append((f"{path}{name}", value))
    return found
