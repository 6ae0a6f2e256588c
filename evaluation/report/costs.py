"""What each system costs: to train, from its run folder; to adapt and to render, measured while reporting."""

import json
import platform
import re
import statistics
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from evaluation.report.contenders import Learner


def costs_of(learner: Learner) -> dict[str, Any]:
    """Facts of one run; null for what is not known.

    `parameters` counts without the backbone. `adapt_seconds` and `render_seconds` are medians on this
    machine, for one rater and one image at `render_size`, while other cores measured.
    """
    return {
        "run": learner.run,
        "name": learner.system.name,
        "train_seconds": training_seconds(learner.folder),
        "adapt_seconds": _median(learner.profiles.seconds),
        "render_seconds": _median(learner.render_seconds),
        "render_size": learner.protocol.edit_size,
        "bytes_per_rater": learner.profiles.bytes_per_rater or None,
        "parameters": parameters_of(learner.folder),
    }


def training_seconds(folder: Path | None) -> float | None:
    """Seconds in the training loop, as the curves' last row says."""
    if folder is None:
        return None
    try:
        seconds = pq.read_table(folder / "curves.parquet", columns=["seconds"]).column("seconds").to_pylist()
    except (OSError, pa.ArrowException, KeyError):
        return None
    return float(seconds[-1]) if seconds and seconds[-1] is not None else None


def parameters_of(folder: Path | None) -> int | None:
    """As the model card says; else the numbers in the weights' file, buffers among them."""
    if folder is None:
        return None
    try:
        card = re.search(r"\| parameters \| ([\d,]+)", (folder / "README.md").read_text(encoding="utf-8"))
        if card:
            return int(card[1].replace(",", ""))
    except OSError:
        pass
    try:
        with safe_open(folder / "weights.safetensors", framework="numpy") as file:
            return sum(_size(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return None


def run_facts(folder: Path | None) -> dict[str, Any]:
    """What the report says of a run's training: preset, seed, and the dataset that it saw."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        config = {}
    dataset = config.get("dataset") or {}
    return {
        "preset": config.get("preset"),
        "training_seed": config.get("seed"),
        "trained_on_sha256": dataset.get("sha256"),
        "training_raters": dataset.get("training_raters"),
    }


def machine(device: str) -> dict[str, Any]:
    """Where the times were measured."""
    import torch

    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return {"device": device, "name": name, "threads": torch.get_num_threads()}


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _size(shape: list[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total
