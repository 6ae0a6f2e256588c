"""From run folders and a dataset folder to report.html and report.json."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.protocol import EvaluationProtocol
from evaluation.report.evaluation import evaluate
from evaluation.report.page import page_html
from evaluation.report.pictures import choose_examples
from learning.data.dataset import PreferenceDataset
from learning.systems.interface import System
from learning.systems.load import load_run
from variants.progress import Report, silent


def report_build(
    *,
    runs: Mapping[str, Path],
    dataset_folder: Path,
    out: Path,
    protocol: EvaluationProtocol,
    report: Report = silent,
) -> dict[str, Any]:
    """Evaluate runs on a dataset, write the report's folder, and return what report.json holds.

    Args:
        runs: run folders by the names that the report gives them.
        dataset_folder: the dataset.
        out: folder for report.html and report.json; each replaces an older one as a whole.
        protocol: numbers, sizes and seed.
        report: told of progress.

    Raises:
        DatasetError, RunError, WeightsMissing: what is to be read cannot be.
        NothingToEvaluate: no rater has judgments enough.
    """
    dataset = PreferenceDataset.load(dataset_folder)
    systems = {name: load_run(folder) for name, folder in runs.items()}
    return write_report(dataset, systems, out=out, protocol=protocol, report=report)


def write_report(
    dataset: PreferenceDataset,
    systems: Mapping[str, System],
    *,
    out: Path,
    protocol: EvaluationProtocol,
    report: Report = silent,
) -> dict[str, Any]:
    """`report_build` for what is loaded already."""
    evaluation = evaluate(dataset, systems, protocol, report)
    report(0, 1, "drawing the report")
    examples = choose_examples(evaluation, dataset, protocol)
    out.mkdir(parents=True, exist_ok=True)
    _replace(out / "report.html", page_html(evaluation.data, examples))
    _replace(
        out / "report.json", json.dumps(evaluation.data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    report(1, 1, "drawing the report")
    return evaluation.data


def _replace(path: Path, text: str) -> None:
    """Write beside and rename: whoever reads meanwhile has the old file or the new one, never a half."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
