"""CQS reports as jobs: made, cancelled."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.db import transaction

from collection.models import Study
from collection.services.audit import audit_record, current_actor
from evaluation.models import Report
from evaluation.protocol import EvaluationProtocol
from learning.models import Run
from variants.jobs import Job, new_public_id


class ReportError(ValueError):
    """A report that cannot be; the message says why and what mends it."""


@transaction.atomic
def report_create(
    runs: Sequence[Run],
    *,
    seed: int = 0,
    references: int = 16,
    evaluations: int = 16,
    edit_size: int = 512,
    metric_size: int = 256,
) -> Report:
    """A job that evaluates finished runs of one dataset side by side; `enqueue()` starts it.

    Raises:
        ReportError: a run is not done or its folder is gone, the runs learnt from different
            datasets, or a number cannot be.
    """
    dataset = _dataset_of(runs)
    try:
        protocol = EvaluationProtocol(
            references=references,
            evaluations=evaluations,
            edit_size=edit_size,
            metric_size=metric_size,
            seed=seed,
        )
    except ValueError as error:
        raise ReportError(str(error)) from error
    public_id = new_public_id()
    actor = current_actor()
    report = Report.objects.create(
        public_id=public_id,
        dataset=dataset,
        folder=str(settings.TONALIST_DATA / "reports" / public_id),
        seed=seed,
        protocol=asdict(protocol),
        is_simulated=any(run.is_simulated for run in runs),
        started_by_id=actor.pk if actor else None,
    )
    report.runs.set(runs)
    _record("report.create", report, runs=[run.public_id for run in runs])
    return report


@transaction.atomic
def report_cancel(report: Report) -> None:
    """Ask the job to stop; nothing of the report stays."""
    if report.is_over:
        return
    report.cancel()
    _record("report.cancel", report)


def _record(action: str, report: Report, **details: object) -> None:
    study = Study.objects.filter(exports__runs__reports=report).first()
    audit_record(action, study, what=report.public_id, **details)


def report_refused(runs: Sequence[Run]) -> str:
    """Why there can be no report of these runs together; empty where there can."""
    try:
        _dataset_of(runs)
    except ReportError as error:
        return str(error)
    return ""


def _dataset_of(runs: Sequence[Run]) -> str:
    """The one dataset of the runs; a report compares only what can be compared."""
    if not runs:
        raise ReportError("name at least one run")
    for run in runs:
        if run.is_over and run.state != Job.State.DONE:
            raise ReportError(f"{run} {run.get_state_display().lower()}; resume it, or leave it out")
        if run.state != Job.State.DONE:
            raise ReportError(f"{run} is {run.get_state_display().lower()}; wait until it is done")
        if not Path(run.folder).is_dir():
            raise ReportError(f"the folder of {run}, {run.folder}, is gone; train again")
    datasets = sorted({run.dataset for run in runs})
    if len(datasets) > 1:
        raise ReportError(f"the runs learnt from different datasets: {', '.join(datasets)}")
    if not Path(datasets[0]).is_dir():
        raise ReportError(f"the dataset {datasets[0]} is gone; export the study again")
    return datasets[0]
