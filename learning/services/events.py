"""What a study's webhooks are told of its runs."""

from typing import Any

from collection.models import Webhook
from collection.services.webhooks import event_record
from learning.models import Run
from variants.jobs import Job


def run_event(sender: type[Job], job: Job, **_: Any) -> None:
    """A run on a study's dataset is over: a receiver of `job_over`."""
    if isinstance(job, Run) and job.export:
        run = job
        event_record(
            job.export.study_id,
            Webhook.Event.RUN_FINISHED,
            lambda study: {
                "run": run.public_id,
                "state": run.state,
                "system": run.system,
                "preset": run.preset,
                "seed": run.seed,
                "path": f"/research/runs/{run.public_id}/",
            },
        )
