"""From run folders and a dataset folder to report.html and report.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.protocol import SCENES, EvaluationProtocol, Scenes
from evaluation.report.evaluation import evaluate
from evaluation.report.gallery import PICTURES_OF_RATER, write_gallery
from evaluation.report.page import page_html
from evaluation.report.pictures import choose_examples
from evaluation.report.profiles import remove_profiles
from learning.data.dataset import PreferenceDataset
from learning.systems.interface import System
from learning.systems.load import load_run
from learning.systems.shared import best_device
from variants.progress import Report, silent

PROFILES = "profiles"
"""Folder in the report's, while it is made: what was adapted so far."""


def report_build(
    *,
    runs: Mapping[str, Path],
    dataset_folder: Path,
    out: Path,
    protocol: EvaluationProtocol,
    report: Report = silent,
    device: str | None = None,
    pictures: int = PICTURES_OF_RATER,
    on: Sequence[Scenes] = SCENES,
) -> dict[str, Any]:
    """Evaluate runs on a dataset, write the report's folder, and return what report.json holds.

    A report that was stopped and is made again into the same folder adapts only to the raters that are left.

    Args:
        runs: run folders by the names that the report gives them.
        dataset_folder: the dataset.
        out: folder for report.html, report.json and pages of pictures; each replaces an older one as a whole.
        protocol: numbers, sizes and seed.
        report: told of progress.
        device: where outputs are measured, such as `cpu` or `cuda`; None takes the accelerator where there is one.
        pictures: judgments of each rater on the pages of pictures; 0 makes no such pages.
        on: which kinds of scenes.

    Raises:
        DatasetError, RunError, WeightsMissing: what is to be read cannot be.
        NothingToEvaluate: no rater has judgments enough.
    """
    dataset = PreferenceDataset.load(dataset_folder)
    systems = {name: load_run(folder) for name, folder in runs.items()}
    return write_report(
        dataset,
        systems,
        out=out,
        protocol=protocol,
        report=report,
        folders=runs,
        device=device or str(best_device()),
        pictures=pictures,
        on=on,
    )


def write_report(
    dataset: PreferenceDataset,
    systems: Mapping[str, System],
    *,
    out: Path,
    protocol: EvaluationProtocol,
    report: Report = silent,
    folders: Mapping[str, Path] | None = None,
    device: str = "cpu",
    pictures: int = PICTURES_OF_RATER,
    on: Sequence[Scenes] = SCENES,
) -> dict[str, Any]:
    """`report_build` for what is loaded already."""
    evaluation = evaluate(
        dataset, systems, protocol, report, folders=folders, profiles=out / PROFILES, device=device, on=on
    )
    report(0, 1, "drawing the report")
    examples = choose_examples(evaluation, dataset, protocol)
    out.mkdir(parents=True, exist_ok=True)
    pages = write_gallery(evaluation, dataset, protocol, out, each=pictures, report=report)
    evaluation.data["pictures"] = pages
    _replace(out / "report.html", page_html(evaluation.data, examples))
    _replace(
        out / "report.json", json.dumps(evaluation.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    remove_profiles(out / PROFILES)
    report(1, 1, "drawing the report")
    return evaluation.data


def _replace(path: Path, text: str) -> None:
    """Write beside and rename: whoever reads meanwhile has the old file or the new one, never a half."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
