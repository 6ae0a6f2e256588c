"""The heavy verb of reports; torch comes with it, so tasks and commands import it in their bodies."""

from pathlib import Path
from typing import Any

from evaluation.models import Report
from evaluation.protocol import EvaluationProtocol
from evaluation.report.build import PROFILES, report_build
from evaluation.report.profiles import remove_profiles
from variants.jobs import JobCancelled
from variants.progress import Report as Progress
from variants.progress import silent, throttled


def report_run(report: Report, watch: Progress = silent) -> None:
    """Evaluate the report's runs and write its folder.

    Args:
        report: its `report` is told of progress and may cancel.
        watch: told of progress besides, by one who waits at a terminal.
    """
    tell_row = throttled(report.report)

    def progress(done: int, total: int, stage: str) -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    try:
        data = _build(report, progress)
    except JobCancelled:
        # A report that failed may be taken up again; of a cancelled one nothing stays.
        remove_profiles(Path(report.folder) / PROFILES)
        raise
    report.verdict = data["verdict"]
    report.is_simulated = data["simulated"]
    report.save(update_fields=["verdict", "is_simulated"])


def _build(report: Report, progress: Progress) -> dict[str, Any]:
    return report_build(
        runs={run.public_id[:8]: Path(run.folder) for run in report.runs.order_by("pk")},
        dataset_folder=Path(report.dataset),
        out=Path(report.folder),
        protocol=EvaluationProtocol(**report.protocol),
        report=progress,
    )
