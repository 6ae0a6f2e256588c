"""What a study's webhooks are told of reports on its runs."""

from typing import Any

from collection.models import Webhook
from collection.services.webhooks import event_record
from evaluation.models import Report
from variants.jobs import Job


def report_event(sender: type[Job], job: Job, **_: Any) -> None:
    """A report is over: a receiver of `job_over`. Each study whose datasets its runs learned from is told."""
    if not isinstance(job, Report):
        return
    report = job
    studies = report.runs.filter(export__isnull=False).values_list("export__study", flat=True)
    for study in studies.order_by().distinct():
        event_record(
            study,
            Webhook.Event.REPORT_FINISHED,
            lambda study: {
                "report": report.public_id,
                "state": report.state,
                "path": f"/research/reports/{report.public_id}/",
            },
        )
