"""The page of all jobs: what waits, what is done, by whom, and what went wrong."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from collection.researcher.jobs import job_cancel_tell
from config.operations.jobs import ALL, KINDS, job_cancel, job_retry, jobs_counted, jobs_listed
from config.operations.queues import messages_waiting_lately, workers_alive
from config.queues import QUEUES
from learning.services.runs import RunRefused
from variants.jobs import Job


@login_required
@require_safe
def job_list(request: HttpRequest) -> HttpResponse:
    return render(request, "researcher/job_list.html", _context(request))


@login_required
@require_safe
def job_live(request: HttpRequest) -> JsonResponse:
    """The same as it is now, for static/js/researcher/live.js."""
    html = render_to_string("researcher/_jobs.html", _context(request), request)
    reply = JsonResponse({"parts": {"jobs": html}})
    reply["Cache-Control"] = "no-store"
    return reply


@login_required
@require_POST
def job_cancel_view(request: HttpRequest, kind: str, public_id: str) -> HttpResponse:
    job = _job(request, kind, public_id)
    job_cancel(job)
    job.refresh_from_db()
    job_cancel_tell(request, job, "job")
    return redirect("job-list")


@login_required
@require_POST
def job_retry_view(request: HttpRequest, kind: str, public_id: str) -> HttpResponse:
    job = _job(request, kind, public_id)
    try:
        if job_retry(job):
            messages.success(request, "The job waits for a worker again.")
        else:
            messages.info(request, "Only a job that has failed or was cancelled can be started again.")
    except RunRefused as refused:
        messages.error(request, str(refused))
    return redirect("job-list")


def job_for(user: Any, kind: str, public_id: str, *, to_change: bool = False) -> Job:
    """The job of an address.

    Raises Http404 for somebody who may not see it, and PermissionDenied for one who may see it and no more.
    """
    found = KINDS.get(kind)
    job = found.seen_by(user).filter(public_id=public_id).first() if found else None
    if found is None or job is None:
        raise Http404("There is no such job.")
    if to_change and not found.may(user, job, found.study_of(job)):
        raise PermissionDenied("This needs the role editor in the study that the job is for.")
    return job  # type: ignore[no-any-return]


def _job(request: HttpRequest, kind: str, public_id: str) -> Job:
    return job_for(request.user, kind, public_id, to_change=True)


def _context(request: HttpRequest) -> dict[str, Any]:
    kind = request.GET.get("kind", "")
    chosen = kind if kind in KINDS else ""
    only_failed = request.GET.get("show") == "failed"
    is_operator = bool(getattr(request.user, "is_superuser", False))
    workers = workers_alive()
    messages_of = messages_waiting_lately()
    return {
        "area": "jobs",
        "listed": jobs_listed(request.user, kind=chosen, only_failed=only_failed),
        "counted": list(jobs_counted(request.user)),
        "kinds": sorted(ALL, key=lambda each: each.words),
        "kind": chosen,
        "only_failed": only_failed,
        "is_operator": is_operator,
        "workers": workers,
        "broker_answers": messages_of is not None,
        "queues": [
            {
                "name": name,
                "words": queue.words,
                "n_messages": (messages_of or {}).get(name, 0),
                "n_workers": sum(name in worker.queues for worker in workers),
            }
            for name, queue in QUEUES.items()
        ],
    }


urlpatterns = [
    path("", job_list, name="job-list"),
    path("live/", job_live, name="job-live"),
    path("<slug:kind>/<public_id:public_id>/cancel/", job_cancel_view, name="job-cancel"),
    path("<slug:kind>/<public_id:public_id>/retry/", job_retry_view, name="job-retry"),
]
