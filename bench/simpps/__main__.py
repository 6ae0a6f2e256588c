"""Run the standard simulated benchmark: `python -m bench.simpps`."""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

from bench.simpps import tables
from bench.simpps.cells import (
    PROTOCOLS,
    ROOT,
    Benchmark,
    CellError,
    beside,
    make_dataset,
    read_json,
    train,
)
from bench.simpps.measure import machine, make_report, measure_speed
from bench.timing import print_rows
from evaluation.simulation import simpps
from learning.systems import PHOTO_READERS, PRESETS, SYSTEMS
from variants.cores import usable_cores

DOCS = ROOT / "docs" / "simpps.md"
USUAL_SECONDS = {"dataset": 90.0, "train": 120.0, "report": 240.0}
"""Of a part, until the first of its kind is finished."""
EXAMPLE = """\
examples
  python -m bench.simpps                               all levels, all systems that train on answers, on a CPU
  python -m bench.simpps --levels clear --systems upe  one of each
  python -m bench.simpps --systems none                what there is to win on each level, without any training
  python -m bench.simpps --preset paper                published sizes; wants a GPU and the backbones' weights
  python -m bench.simpps --dataset clear --seed 1 --out my-study   only the dataset, to tune a learner on

What is finished stays in --out, and the same command goes on where it was stopped. Seed 0 is the
published table's: tune learners on seeds from 1 up.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.dataset:
            simpps.make_dataset(options.dataset, options.out, options.seed, size=options.preset)
            print(f"SIMULATED raters: {options.out}")
            return 0
        bench = _benchmark(options)
    except (ValueError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if not simpps.has_shared_data(bench.shared):
        print("../shared/data is not there: the packages' photos alone are used, and looks have no film LUT.")
    failed = _Run(bench, options.jobs).all()
    return _tell(bench, failed, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.simpps",
        description="Train, evaluate and time systems on simulated raters whose tastes are known.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = ", ".join(_systems_with("tiny"))
    parser.add_argument("--levels", default=",".join(simpps.LEVELS), metavar="A,B", help="(default all)")
    parser.add_argument(
        "--systems",
        default="",
        metavar="A,B",
        help=f"default all that learn from pairs: {known}; none: identity and the oracle alone",
    )
    parser.add_argument("--preset", choices=list(simpps.SIZES), default="tiny", help="(default tiny)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "simpps", metavar="DIR")
    parser.add_argument("--seed", type=int, default=simpps.PUBLISHED_SEED, metavar="N", help="(default 0)")
    parser.add_argument(
        "--jobs", type=int, default=0, metavar="N", help="processes (default: 2 on a CPU, else 1)"
    )
    parser.add_argument(
        "--dataset", choices=list(simpps.LEVELS), help="only make this level's dataset at --out"
    )
    parser.add_argument("--write-docs", action="store_true", help="put the tables into docs/simpps.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    return parser


def _systems_with(preset: str) -> list[str]:
    """Systems with this preset that learn from answers; the others read liked photos, and may be named."""
    return [name for name in SYSTEMS if preset in PRESETS[name] and name not in PHOTO_READERS]


def _benchmark(options: argparse.Namespace) -> Benchmark:
    levels = tuple(filter(None, options.levels.split(",")))
    systems = tuple(filter(None, options.systems.split(","))) or tuple(_systems_with(options.preset))
    if options.systems == "none":
        if options.write_docs:
            raise ValueError("--write-docs puts tables of systems into the page; leave out --systems none")
        systems = ()
    for name in levels:
        if name not in simpps.LEVELS:
            raise ValueError(f"there is no level {name!r}; there are {', '.join(simpps.LEVELS)}")
    for name in systems:
        if options.preset not in PRESETS.get(name, ()):
            there = ", ".join(system for system in SYSTEMS if options.preset in PRESETS[system])
            raise ValueError(
                f"there is no system {name!r} with the preset {options.preset}; there are {there}"
            )
    out = options.out.resolve()
    return Benchmark(levels=levels, systems=systems, preset=options.preset, seed=options.seed, out=out)


class _Run:
    """All parts in their order, several at a time: datasets, then trainings, then reports, then speed alone."""

    def __init__(self, bench: Benchmark, jobs: int) -> None:
        import torch

        self.bench = bench
        on_cpu = not torch.cuda.is_available()
        self.jobs = jobs if jobs > 0 else min(2, usable_cores()) if on_cpu else 1
        self.failed: dict[str, str] = {}
        self.waiting: dict[Future[Any], tuple[str, str, str]] = {}
        self.seconds: dict[str, list[float]] = {kind: [] for kind in USUAL_SECONDS}
        self.left = {
            "dataset": len(bench.levels),
            "train": len(bench.levels) * len(bench.systems),
            "report": len(bench.levels),
        }
        self.started: dict[Future[Any], float] = {}

    def all(self) -> dict[str, str]:
        """What failed, and why."""
        bench = self.bench
        if self.jobs > 1:  # several processes share the cores
            os.environ["OMP_NUM_THREADS"] = str(max(1, usable_cores() // self.jobs))
        with _pool(self.jobs) as pool:
            for level in bench.levels:
                self._submit(pool, "dataset", level, "", make_dataset, bench, level)
            while self.waiting:
                done, _ = wait(self.waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(pool, future)
        os.environ.pop("OMP_NUM_THREADS", None)
        for level in bench.levels[:1]:
            for system in self._trained(level):
                with _pool(1) as pool:  # alone on the machine, in a process of its own
                    self._speed(pool, level, system)
        return self.failed

    def _submit(self, pool: ProcessPoolExecutor, kind: str, level: str, system: str, *call: Any) -> None:
        future = pool.submit(*call)
        self.waiting[future] = (kind, level, system)
        self.started[future] = time.monotonic()

    def _finish(self, pool: ProcessPoolExecutor, future: Future[Any]) -> None:
        kind, level, system = self.waiting.pop(future)
        name = ", ".join(filter(None, (level, system or kind)))
        self.left[kind] -= 1
        try:
            facts = future.result()
        except CellError as error:
            self.failed[name] = str(error)
            self._say(f"{name}: failed: {error}")
        else:
            # A part that was kept took no time now.
            if time.monotonic() - self.started[future] > 1:
                self.seconds[kind].append(float(facts["seconds"]))
            self._say(f"{name}: done in {float(facts['seconds']):.0f} s")
        if kind == "dataset":
            if name in self.failed:
                self.left["train"] -= len(self.bench.systems)
                self.left["report"] -= 1
                return
            for wanted in self.bench.systems:
                self._submit(pool, "train", level, wanted, train, self.bench, level, wanted)
        is_trained = all((k, lv) != ("train", level) for k, lv, _ in self.waiting.values())
        if kind != "report" and is_trained:
            runs = self._trained(level)
            self._submit(pool, "report", level, "", make_report, self.bench, level, runs)

    def _speed(self, pool: ProcessPoolExecutor, level: str, system: str) -> None:
        try:
            pool.submit(measure_speed, self.bench, level, system).result()
        except (OSError, ValueError, RuntimeError) as error:
            self.failed[f"{system}, speed"] = str(error)

    def _trained(self, level: str) -> list[str]:
        return [s for s in self.bench.systems if read_json(beside(self.bench.run(level, s))).get("finished")]

    def _say(self, words: str) -> None:
        means = {
            kind: sum(taken) / len(taken) if (taken := self.seconds[kind]) else usual
            for kind, usual in USUAL_SECONDS.items()
        }
        rest = sum(means[kind] * n for kind, n in self.left.items()) / self.jobs
        print(f"{words}; {sum(self.left.values())} parts left, about {rest / 60:.0f} min", flush=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    # A process for each part: none inherits another's memory or threads.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), max_tasks_per_child=1)


def _tell(bench: Benchmark, failed: dict[str, str], options: argparse.Namespace) -> int:
    reports = {
        level: found for level in bench.levels if (found := read_json(bench.report(level) / "report.json"))
    }
    text = _text(bench, reports, failed)
    print("\n" + text + "\n")
    if options.write_docs:
        tables.write_docs(DOCS, text)
        print(f"written into {DOCS}")
    rows = [row for level, report in reports.items() for row in tables.bench_rows(level, report)]
    print_rows(rows)
    if options.json:
        print(json.dumps({"simulated": True, "rows": rows, "failed": failed, "out": str(bench.out)}))
    return 1 if failed else 0


def _text(bench: Benchmark, reports: dict[str, Any], failed: dict[str, str]) -> str:
    protocol = PROTOCOLS[bench.preset]
    trained = {
        system: [
            float(facts["core_seconds" if bench.preset == "tiny" else "seconds"])
            for level in bench.levels
            if (facts := read_json(beside(bench.run(level, system)))).get("finished")
        ]
        for system in bench.systems
    }
    speeds = {system: read_json(bench.speed(system)) for system in bench.systems}
    measured_on = next((speed["machine"] for speed in speeds.values() if speed), machine())
    photos = (
        "the shared photos and film LUTs"
        if simpps.has_shared_data(bench.shared)
        else "the packages' photos alone"
    )
    parts = [
        f"**Simulated raters.** Definition {simpps.VERSION}, seed {bench.seed}, preset {bench.preset}, {photos}; "
        f"{protocol.references} references and at most {protocol.evaluations} evaluated judgments of a rater, edited "
        f"at {protocol.edit_size} and measured at {protocol.metric_size} pixels. 95 % intervals by bootstrap over raters.",
    ]
    for level, report in reports.items():
        parts.append(tables.level_table(level, report))
        if bench.systems:
            parts.append(tables.control_table(level, report))
        if "known" in report["episodes"]:
            parts.append(tables.level_table(level, report, "known"))
    if bench.systems:
        parts.append(f"### What it costs\n\nOn {measured_on}; {_train_words(bench.preset)}.")
        parts.append(tables.cost_table(bench.systems, trained, speeds))
    parts += [f"{name} failed: {why}" for name, why in failed.items()]
    return "\n\n".join(parts)


def _train_words(preset: str) -> str:
    if preset == "tiny":
        return "trainings ran beside each other and are in seconds of a core, each system on one"
    return "trainings ran one at a time"


if __name__ == "__main__":
    sys.exit(main())
