"""Long work on researchers' pages: the JSON that static/js/researcher/job.js reads, and cancelling."""

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpRequest, JsonResponse

from variants.jobs import Job


def job_progress(job: Job, parts: Mapping[str, str] | None = None) -> JsonResponse:
    """State of a job; `parts` is HTML for elements of the page, by their id."""
    reply = JsonResponse(
        {
            "state": job.state,
            "state_words": job.get_state_display(),
            "stage": job.stage,
            "done": job.done,
            "total": job.total,
            "fraction": round(job.fraction, 4),
            "is_over": job.is_over,
            "parts": dict(parts or {}),
        }
    )
    reply["Cache-Control"] = "no-store"
    return reply


def job_cancel(request: HttpRequest, job: Job, what: str) -> None:
    """Cancel, and say what came of it."""
    job.cancel()
    job_cancel_tell(request, job, what)


def job_cancel_tell(request: HttpRequest, job: Job, what: str) -> None:
    """Say what came of a cancelling."""
    if job.state == Job.State.CANCELLED:
        messages.success(request, f"The {what} is cancelled.")
    elif job.is_over:
        messages.info(request, f"The {what} was over before it could be cancelled.")
    else:
        messages.info(request, f"The {what} is asked to stop; it ends at its next step.")
