"""Trains and evaluates every cell of an ablation, and goes on where it was stopped.

A cell is a switch of the config, a number of training raters, and a number of references that
the finished system reads of each new rater. One run is trained for each switch and number of
raters; all cells are evaluated on the same judgments of the same raters: those who have as
many references as the largest cell reads.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evaluation.ablation.raters import nested_raters, with_training_raters
from evaluation.protocol import EvaluationProtocol
from evaluation.report.build import PROFILES
from evaluation.report.contenders import CONTROLS
from evaluation.report.evaluation import evaluate
from evaluation.report.profiles import remove_profiles
from learning.data.dataset import PreferenceDataset
from learning.systems import make_config, system_module
from learning.systems.load import load_run
from learning.training.overrides import with_settings
from learning.training.run_folder import is_finished, write_text
from learning.training.settings import to_json
from variants.progress import Report, silent

AS_IT_IS = "as it is"
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """What is varied.

    Args:
        system, preset: as in `learning.train`.
        raters: numbers of training raters.
        references: numbers of references of each new rater.
        switches: by name, the settings that each changes; `as it is` changes none.
        protocol: its `references` is the largest of `references`.
        steps: of training, instead of the preset's.
        seed: of training, and of the order of the raters.
    """

    system: str
    preset: str
    raters: tuple[int, ...]
    references: tuple[int, ...]
    switches: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: {AS_IT_IS: {}})
    protocol: EvaluationProtocol
    steps: int | None = None
    backbone: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("raters", "references"):
            values = getattr(self, name)
            if not values or min(values) < 1:
                raise ValueError(f"{name} is {values}; it must be whole numbers from 1, such as 4,8,16")
        if self.protocol.references != max(self.references):
            raise ValueError("protocol.references must be the largest of references")

    def config(self, switch: str) -> Any:
        made = make_config(self.system, self.preset, backbone=self.backbone, steps=self.steps, seed=self.seed)
        return with_settings(made, self.switches[switch])


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    switch: str
    raters: int
    references: int

    @property
    def run_name(self) -> str:
        word = "".join(c if c.isalnum() or c in ".=-" else "-" for c in self.switch)
        return f"{word}_{self.raters}-raters"

    @property
    def name(self) -> str:
        return f"{self.run_name}_{self.references}-references"


def cells_of(ablation: Ablation) -> list[Cell]:
    return [
        Cell(switch=switch, raters=raters, references=references)
        for switch in ablation.switches
        for raters in sorted(set(ablation.raters))
        for references in sorted(set(ablation.references))
    ]


def ablate(
    dataset: PreferenceDataset,
    ablation: Ablation,
    out: Path,
    report: Report = silent,
    tell: Tell = lambda line: None,
    *,
    device: str = "cpu",
) -> dict[str, Any]:
    """Do every cell that is not done yet; return what ablation.json holds.

    Args:
        dataset: trained on and evaluated on.
        ablation: what is varied.
        out: folder with runs/, cells/ and ablation.json; what is finished in it is kept.
        report: told of progress inside a cell; what it raises passes, and finished cells stay.
        tell: given a line for each cell, with the time left.
        device: where outputs are measured.

    Raises:
        ValueError: too many raters are asked for, a setting is unknown, or the folder is of another ablation.
    """
    for switch in ablation.switches:  # before hours of work
        ablation.config(switch)
    for n in ablation.raters:
        nested_raters(dataset, n, seed=ablation.seed)
    facts = _facts(dataset, ablation)
    _open(out, facts)
    cells = cells_of(ablation)
    clock = _Clock(cells, out)
    for number, cell in enumerate(cells, 1):
        path = out / "cells" / f"{cell.name}.json"
        if path.is_file():
            continue
        tell(f"cell {number} of {len(cells)}: {_words(cell)}{clock.left()}")
        _train(dataset, ablation, cell, out, report, clock)
        started = time.monotonic()
        found = _evaluated(dataset, ablation, cell, out, report, device)
        write_text(path, json.dumps(found, ensure_ascii=False, allow_nan=False) + "\n")
        clock.evaluated(time.monotonic() - started)
    done = [json.loads((out / "cells" / f"{cell.name}.json").read_text(encoding="utf-8")) for cell in cells]
    switches = {name: dict(switch) for name, switch in ablation.switches.items()}
    data = facts | {"simulated": dataset.is_simulated, "switches": switches, "cells": done}
    write_text(out / "ablation.json", json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    return data


def _train(
    dataset: PreferenceDataset, ablation: Ablation, cell: Cell, out: Path, report: Report, clock: "_Clock"
) -> None:
    folder = out / "runs" / cell.run_name
    if is_finished(folder):
        return
    started = time.monotonic()
    kept = with_training_raters(dataset, nested_raters(dataset, cell.raters, seed=ablation.seed))
    resume = (folder / "config.json").is_file()
    config = ablation.config(cell.switch)
    folder.parent.mkdir(parents=True, exist_ok=True)
    system_module(ablation.system).fit(kept, config, folder, report, resume=resume)
    clock.trained(time.monotonic() - started)


def _evaluated(
    dataset: PreferenceDataset, ablation: Ablation, cell: Cell, out: Path, report: Report, device: str
) -> dict[str, Any]:
    folder = out / "runs" / cell.run_name
    kept = with_training_raters(dataset, nested_raters(dataset, cell.raters, seed=ablation.seed))
    data = evaluate(
        kept,
        {cell.run_name: load_run(folder)},
        ablation.protocol,
        report,
        folders={cell.run_name: folder},
        profiles=out / PROFILES,
        device=device,
        reads=cell.references,
    ).data
    remove_profiles(out / PROFILES)
    names = {ablation.system, "identity", "oracle", "average_preference"}
    return {
        "switch": cell.switch,
        "raters": cell.raters,
        "references": cell.references,
        "system": ablation.system,
        "verdict": data["verdict"],
        "controls_passed": _controls(data),
        "rows": [row for row in data["rows"] if row["name"] in names],
        "gains": [gain for gain in data["gains"] if gain["against"] in ("identity", *CONTROLS)],
        "per_rater": [one for one in data["per_rater"] if one["name"] == ablation.system],
        "episodes": data["episodes"],
        "predictions": data["predictions"],
        "costs": data["costs"][0],
        "missing": data["missing"],
        "protocol": data["protocol"],
    }


def _controls(data: Mapping[str, Any]) -> dict[str, int]:
    from evaluation.report.verdict import controls_passed

    run = data["systems"][0]["run"]
    return {scenes: len(controls_passed(data, run, scenes)) for scenes in data["episodes"]}


def _facts(dataset: PreferenceDataset, ablation: Ablation) -> dict[str, Any]:
    return {
        "system": ablation.system,
        "preset": ablation.preset,
        "seed": ablation.seed,
        "dataset": {"path_name": dataset.name, "sha256": dataset.sha256},
        "protocol": asdict(ablation.protocol),
        "settings": {switch: to_json(ablation.config(switch)) for switch in ablation.switches},
    }


def _open(out: Path, facts: Mapping[str, Any]) -> None:
    """A folder goes on with the same ablation only; more raters, references or switches may be added."""
    path = out / "settings.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        for name in ("system", "preset", "seed", "dataset", "protocol"):
            if before.get(name) != facts[name]:
                raise ValueError(
                    f"{out} holds an ablation with another {name} ({before.get(name)}, now {facts[name]}); "
                    "name another --out"
                )
        common = before["settings"].keys() & facts["settings"].keys()
        if other := sorted(name for name in common if before["settings"][name] != facts["settings"][name]):
            raise ValueError(f"{out} holds {other[0]!r} with other settings; name another --out")
        facts = {**facts, "settings": before["settings"] | facts["settings"]}
    elif out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no ablation; name a folder that is new")
    (out / "cells").mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _words(cell: Cell) -> str:
    return f"{cell.switch}, {cell.raters} training raters, {cell.references} references"


class _Clock:
    """How long the cells that are left will take, by what those before took."""

    def __init__(self, cells: Sequence[Cell], out: Path) -> None:
        self._cells, self._out = cells, out
        self._trainings: list[float] = []
        self._evaluations: list[float] = []

    def trained(self, seconds: float) -> None:
        self._trainings.append(seconds)

    def evaluated(self, seconds: float) -> None:
        self._evaluations.append(seconds)

    def left(self) -> str:
        if not self._evaluations:
            return ""
        open_cells = [c for c in self._cells if not (self._out / "cells" / f"{c.name}.json").is_file()]
        runs = {c.run_name for c in open_cells if not is_finished(self._out / "runs" / c.run_name)}
        each = [sum(seen) / len(seen) if seen else 0.0 for seen in (self._trainings, self._evaluations)]
        minutes = (len(runs) * each[0] + len(open_cells) * each[1]) / 60
        return f"; about {minutes:.0f} min left" if minutes >= 1 else "; less than a minute left"
