"""A level's report, and how fast each system is."""

import hashlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.data import astronaut

from bench.simpps.cells import PROTOCOLS, SCENES_OF, Benchmark, beside, read_json, write_json
from evaluation.protocol import episodes_of
from evaluation.report.build import report_build
from learning.data.dataset import PreferenceDataset
from learning.systems.interface import ColorMapper
from learning.systems.load import load_run
from learning.tastes import reference_pair
from learning.training.environment import cpu_name
from variants.cores import usable_cores
from variants.tone import lut_engine
from variants.tone.luts import Lut3D

LARGE = (3000, 4000)
"""Height and width of the photo of 12 megapixels."""
PATIENCE = 120.0
"""Seconds that the large photo may take by the small one's measure; above it, it is not rendered."""


def make_report(bench: Benchmark, level: str, systems: Sequence[str]) -> dict[str, Any]:
    """Evaluate all systems of a level on the same judgments; seconds that it took.

    A report that was made of the very same runs is kept.
    """
    folder = bench.report(level)
    made_of = {
        "dataset": read_json(beside(bench.dataset(level)))["sha256"],
        "protocol": asdict(PROTOCOLS[bench.preset]),
        "runs": {system: sha256_of(bench.run(level, system) / "weights.safetensors") for system in systems},
    }
    facts = read_json(folder / "cells.json")
    if (folder / "report.json").is_file() and facts.get("made_of") == made_of:
        return facts
    started = time.monotonic()
    report_build(
        runs={system: bench.run(level, system) for system in systems},
        dataset_folder=bench.dataset(level),
        out=folder,
        protocol=PROTOCOLS[bench.preset],
        pictures=0,
        on=SCENES_OF[bench.preset],
    )
    facts = {"made_of": made_of, "seconds": round(time.monotonic() - started, 1)}
    write_json(folder / "cells.json", facts)
    return facts


def measure_speed(bench: Benchmark, level: str, system: str) -> dict[str, Any]:
    """Measure one system with a level's run, unless it was measured already."""
    if not bench.speed(system).is_file():
        write_json(bench.speed(system), speed(bench.run(level, system), bench.dataset(level), bench.preset))
    return read_json(bench.speed(system))


def speed(run: Path, dataset_folder: Path, preset: str) -> dict[str, Any]:
    """Seconds to adapt to 16 answers and to render; bytes that a rater takes.

    `render_large_seconds` is None where it would take longer than PATIENCE; then `large_estimate` stands in
    for it, from the small photo by the number of pixels.
    """
    system = load_run(run)
    dataset = PreferenceDataset.load(dataset_folder)
    episode = episodes_of(dataset, "new", PROTOCOLS[preset]).episodes[0]
    pairs = [
        reference_pair(dataset, j.preferred_image, j.rejected_image, system.reference_size)
        for j in episode.references
    ]
    adapt_seconds = median_seconds(lambda: system.adapt(pairs))
    profile = system.adapt(pairs)
    small = photo((512, 512))
    render_seconds = median_seconds(lambda: system.render([small], profile))
    facts: dict[str, Any] = {
        "adapt_seconds": adapt_seconds,
        "render_seconds": render_seconds,
        "profile_bytes": profile_bytes(system, profile),
        "machine": machine(),
    }
    large = photo(LARGE)
    if bakes(system, small, profile):
        through_lut = median_seconds(lambda: bake_and_apply(system, large, profile), rounds=3)
        return facts | {"render_large_seconds": through_lut, "large_by": "a LUT of 33³"}
    estimate = render_seconds * LARGE[0] * LARGE[1] / 512**2
    if estimate > PATIENCE:
        return facts | {"render_large_seconds": None, "large_estimate": estimate, "large_by": "the network"}
    return facts | {
        "render_large_seconds": median_seconds(lambda: system.render([large], profile), rounds=1),
        "large_by": "the network",
    }


def median_seconds(function: Callable[[], object], rounds: int = 5) -> float:
    """Median of up to `rounds` calls, fewer where one takes seconds; the first is not counted if there are more."""
    taken = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
        if sum(taken) > 20:
            break
    return statistics.median(taken[1:] or taken)


def bakes(system: Any, guide: Any, profile: Any) -> bool:
    """Whether the edit of a photo is one map of colours."""
    if not isinstance(system, ColorMapper):
        return False
    try:
        system.bake(guide, profile, size=2)
    except ValueError:  # says that each place is edited differently
        return False
    return True


def bake_and_apply(system: Any, image: Any, profile: Any) -> Any:
    """What a photo at full size goes through; the edit is planned from a small copy, as systems read it."""
    step = max(1, max(image.shape[:2]) // 512)
    table = system.bake(np.ascontiguousarray(image[::step, ::step]), profile)
    return lut_engine.apply(image, Lut3D(table=table))


def profile_bytes(system: Any, profile: Any) -> int:
    """As the system stores it, where it says so; else all its arrays in float32."""
    stored = getattr(system, "profile_bytes", None)
    return int(stored(profile)) if stored else sum(int(array.nbytes) for array in profile.values())


def photo(size: tuple[int, int]) -> Any:
    image = Image.fromarray(astronaut()).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32) / np.float32(255)


def machine() -> str:
    """The processor and how many cores; the accelerator's name where there is one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{cpu_name()}, {usable_cores()} cores, {torch.get_num_threads()} torch threads"


def sha256_of(path: Path) -> str:
    """Of a file; empty where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
