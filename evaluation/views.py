"""Pages about CQS reports, for researchers who are signed in."""

import json
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.researcher.jobs import job_cancel, job_progress
from evaluation import services
from evaluation.models import Report
from evaluation.report_tables import report_tables
from evaluation.services import ReportError
from learning.models import Run

REPORTS_PER_PAGE = 50
REPORT_POLICY = "; ".join(
    (
        # The report brings all it needs; it may run its own slider and dialog (which is a form), and reach nothing of the site.
        "default-src 'none'",
        "img-src data: blob:",
        "style-src 'unsafe-inline'",
        "script-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox allow-scripts allow-forms",
    )
)


@login_required
@require_safe
def report_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(Report.objects.prefetch_related("runs"), REPORTS_PER_PAGE).get_page(
        request.GET.get("page")
    )
    return render(request, "researcher/report_list.html", {"area": "reports", "page": page})


@login_required
@require_POST
def report_create(request: HttpRequest) -> HttpResponse:
    """A report of the runs named in the form."""
    runs = list(Run.objects.filter(public_id__in=request.POST.getlist("run")))
    if not runs:
        raise Http404("There is no such run.")
    try:
        report = services.report_create(runs)
    except ReportError as error:
        messages.error(request, capfirst(str(error)))
        return redirect("learning:run-detail", runs[0].public_id)
    report.enqueue()
    return redirect("evaluation:report-detail", report.public_id)


@login_required
@require_safe
def report_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    report = _report(request, public_id)
    data = _data(report)
    context = {
        "area": "reports",
        "report": report,
        "runs": report.runs.all(),
        "is_simulated": report.is_simulated or bool(data and data.get("simulated")),
        "data": data,
        "tables": report_tables(data["rows"]) if data else [],
        "is_missing": report.state == Report.State.DONE and not data,
    }
    return render(request, "researcher/report_detail.html", context)


@login_required
@require_safe
def report_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_report(request, public_id))


@login_required
@require_POST
def report_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    job_cancel(request, _report(request, public_id), "report")
    return redirect("evaluation:report-detail", public_id)


@login_required
@require_safe
def report_html(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """The self-contained report, in a sandbox of its own; `?download` saves it."""
    reply = _file(request, public_id, "report.html", "text/html; charset=utf-8")
    reply["Content-Security-Policy"] = REPORT_POLICY
    return reply


@login_required
@require_safe
def report_json(request: HttpRequest, public_id: str) -> HttpResponseBase:
    return _file(request, public_id, "report.json", "application/json")


def _file(request: HttpRequest, public_id: str, name: str, content_type: str) -> HttpResponseBase:
    """A file of the report's folder by one of two fixed names: no address can name another."""
    report = _report(request, public_id)
    try:
        file = (Path(report.folder) / name).open("rb")
    except OSError:
        context = {"area": "reports", "report": report, "name": name}
        return render(request, "researcher/report_missing.html", context, status=404)
    reply = FileResponse(
        file,
        as_attachment="download" in request.GET,
        filename=f"tonalist-{report.public_id[:8]}-{name}",
        content_type=content_type,
    )
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Cache-Control"] = "private, no-cache"
    return reply


def _data(report: Report) -> dict[str, Any] | None:
    """report.json; None while it is not there, or no longer, or is not one."""
    if report.state != Report.State.DONE:
        return None
    try:
        data = json.loads((Path(report.folder) / "report.json").read_text())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("rows"), list) else None


def _report(request: HttpRequest, public_id: str) -> Report:
    """Every signed-in researcher may see every report."""
    return get_object_or_404(Report.objects.prefetch_related("runs"), public_id=public_id)
