"""The parts of a run of the benchmark, each kept on disk when it is finished.

OUT/datasets/clear-tiny-v1-seed0/        a level's dataset folder, and beside it a .json with its hash
OUT/runs/clear-tiny-v1-seed0/upe-tiny/   a training's run folder, and beside it a .json with its seconds
OUT/reports/clear-tiny-v1-seed0/         report.html, report.json, cells.json: what the report was made of
OUT/speed/upe-tiny.json                  seconds to adapt and to render, bytes of a rater
"""

import json
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collection.export.folder import dataset_sha256
from evaluation.protocol import SCENES, EvaluationProtocol, Scenes
from evaluation.simulation import simpps
from learning.training.run_folder import is_finished

ROOT = Path(__file__).resolve().parents[2]
PROTOCOLS = {
    "tiny": EvaluationProtocol(references=16, evaluations=6, edit_size=96, metric_size=96),
    "paper": EvaluationProtocol(references=16, evaluations=16, edit_size=512, metric_size=256),
}
"""By preset. Tone edits differ little in ΔE00 between sizes; SSIM is stricter on small images."""

SCENES_OF: dict[str, tuple[Scenes, ...]] = {"tiny": ("new",), "paper": SCENES}
"""Known scenes, the published way, take as long again."""


class CellError(Exception):
    """A part cannot be made; the message says why and what mends it."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """What one run of the benchmark is about."""

    levels: tuple[str, ...]
    systems: tuple[str, ...]
    preset: str
    seed: int
    out: Path
    shared: Path | None = simpps.SHARED_DATA

    @property
    def size(self) -> str:
        return self.preset

    def dataset(self, level: str) -> Path:
        photos = "" if simpps.has_shared_data(self.shared) else "-packages"
        return self.out / "datasets" / f"{level}-{self.size}-v{simpps.VERSION}{photos}-seed{self.seed}"

    def run(self, level: str, system: str) -> Path:
        return self.out / "runs" / self.dataset(level).name / f"{system}-{self.preset}"

    def report(self, level: str) -> Path:
        """Without systems it holds identity and the oracle, in a folder of its own."""
        return self.out / ("reports" if self.systems else "oracle") / self.dataset(level).name

    def speed(self, system: str) -> Path:
        return self.out / "speed" / f"{system}-{self.preset}.json"


def make_dataset(bench: Benchmark, level: str) -> dict[str, Any]:
    """Facts of the level's dataset, which is made where it is not there.

    Raises:
        CellError: the folder is not what was made.
    """
    folder = bench.dataset(level)
    facts_file = beside(folder)
    if not folder.is_dir():
        started = time.monotonic()
        simpps.make_dataset(level, folder, bench.seed, size=bench.size, shared=bench.shared)
        facts = {"sha256": dataset_sha256(folder), "seconds": round(time.monotonic() - started, 1)}
        write_json(facts_file, facts)
    facts = read_json(facts_file)
    if facts.get("sha256") != dataset_sha256(folder):
        raise CellError(f"{folder} is not what was made (its hash differs); delete it to have it made again")
    return facts


def train(bench: Benchmark, level: str, system: str) -> dict[str, Any]:
    """Train, or go on with a training that was stopped; seconds of all attempts together.

    `core_seconds` are those that cores worked for it, whatever else the machine did meanwhile.

    Raises:
        CellError: the training failed; the message is its own.
    """
    folder = bench.run(level, system)
    facts = read_json(beside(folder))
    if facts.get("finished") and is_finished(folder):
        return facts
    before = facts if folder.is_dir() else {}
    started, worked = time.monotonic(), _core_seconds()
    command = [
        *(sys.executable, "-m", "learning.train", "--dataset", str(bench.dataset(level)), "--system", system),
        *("--preset", bench.preset, "--seed", str(bench.seed), "--out", str(folder), "--resume", "--quiet"),
    ]
    folder.parent.mkdir(parents=True, exist_ok=True)
    finished = False
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        finished = done.returncode == 0
    finally:
        facts = {
            "finished": finished,
            "seconds": round(before.get("seconds", 0.0) + time.monotonic() - started, 1),
            "core_seconds": round(before.get("core_seconds", 0.0) + _core_seconds() - worked, 1),
        }
        write_json(beside(folder), facts)
    if not finished:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise CellError(lines[-1].removeprefix("error: "))
    return facts


def _core_seconds() -> float:
    """Of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def beside(folder: Path) -> Path:
    return folder.with_name(folder.name + ".json")


def read_json(path: Path) -> dict[str, Any]:
    """What stands in the file; nothing where there is none."""
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def write_json(path: Path, data: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)
