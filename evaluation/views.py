"""Pages about CQS reports, and about runs beside each other."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.design.csv_text import csv_text
from collection.models import Role
from collection.researcher.jobs import job_cancel_tell, job_progress
from collection.researcher.pages import page_of
from evaluation import services
from evaluation.access import report_for, report_may, reports_of
from evaluation.comparison import compare_reports, cqs_lines, last_losses, report_rows, settings_that_differ
from evaluation.models import Report
from evaluation.report_tables import report_tables
from evaluation.services import ReportError
from learning.access import run_may, runs_of
from learning.loss_charts import loss_charts_beside
from learning.models import Run
from learning.run_folder import run_config, run_curves

REPORTS_PER_PAGE = 50
MOST_RUNS = 7
"""Beside each other: as many as there are colours."""
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
    page = page_of(request, Paginator(reports_of(request.user), REPORTS_PER_PAGE))
    return render(request, "researcher/report_list.html", {"area": "reports", "page": page})


@login_required
@require_POST
def report_create(request: HttpRequest) -> HttpResponse:
    """A report of the runs named in the form."""
    runs = _runs_named(request, request.POST.getlist("run"))
    if not runs:
        raise Http404("There is no such run.")
    if not all(run_may(request.user, run, Role.EDITOR) for run in runs):
        raise PermissionDenied("A report needs the role editor in the study that the runs learnt from.")
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
    report = report_for(request, public_id)
    data = _data(report)
    context = {
        "area": "reports",
        "report": report,
        "may_change": report_may(request.user, report, Role.EDITOR),
        "runs": report.runs.all(),
        "others": _others_like(request, report),
        "is_simulated": report.is_simulated or bool(data and data.get("simulated")),
        "data": data,
        "tables": report_tables(data["rows"]) if data else [],
        "is_missing": report.state == Report.State.DONE and not data,
    }
    return render(request, "researcher/report_detail.html", context)


@login_required
@require_safe
def report_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(report_for(request, public_id))


@login_required
@require_POST
def report_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    report = report_for(request, public_id, Role.EDITOR)
    services.report_cancel(report)
    job_cancel_tell(request, report, "report")
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
def report_pictures(request: HttpRequest, public_id: str, name: str) -> HttpResponseBase:
    """A page of pictures beside the report; its address allows no other name."""
    reply = _file(request, public_id, name, "text/html; charset=utf-8")
    reply["Content-Security-Policy"] = REPORT_POLICY
    return reply


@login_required
@require_safe
def report_json(request: HttpRequest, public_id: str) -> HttpResponseBase:
    return _file(request, public_id, "report.json", "application/json")


@login_required
@require_safe
def report_csv(request: HttpRequest, public_id: str) -> HttpResponse:
    """The report's rows, one a line."""
    report = report_for(request, public_id)
    data = _data(report)
    if data is None:
        return _missing(request, report, "report.csv")
    reply = HttpResponse(csv_text(*report_rows(data)), content_type="text/csv; charset=utf-8")
    name = f"tonalist-{report.public_id[:8]}-report.csv"
    reply["Content-Disposition"] = f'attachment; filename="{name}"'
    return reply


@login_required
@require_safe
def report_compare(request: HttpRequest) -> HttpResponse:
    """Two reports side by side: `?report=…&report=…`."""
    named = request.GET.getlist("report")[:2]
    found = {report.public_id: report for report in reports_of(request.user).filter(public_id__in=named)}
    reports = [found[public_id] for public_id in dict.fromkeys(named) if public_id in found]
    if len(reports) < 2:
        messages.info(request, "Choose two reports to see them side by side.")
        return redirect("evaluation:report-list")
    datas = [_data(report) for report in reports]
    context: dict[str, Any] = {"area": "reports", "reports": reports}
    context["is_simulated"] = any(report.is_simulated for report in reports)
    context["missing"] = [r for r, data in zip(reports, datas, strict=True) if data is None]
    first, second = datas
    if first and second:
        context["comparison"] = compare_reports(first, second)
    return render(request, "researcher/report_compare.html", context)


@login_required
@require_safe
def run_compare(request: HttpRequest) -> HttpResponse:
    """Runs side by side: `?run=…&run=…`."""
    runs = _runs_named(request, request.GET.getlist("run"))
    if not 2 <= len(runs) <= MOST_RUNS:
        messages.info(request, f"Choose 2 to {MOST_RUNS} runs to see them side by side.")
        return redirect("learning:run-list")
    curves = [run_curves(Path(run.folder)) for run in runs]
    reports = [_report_of(request, run) for run in runs]
    labels = [f"{run.system} {run.public_id[:8]}" for run in runs]
    context = {
        "area": "runs",
        "runs": runs,
        "is_simulated": any(run.is_simulated for run in runs),
        "settings": settings_that_differ([_settings(run) for run in runs]),
        "losses": last_losses(curves),
        "charts": loss_charts_beside(
            {label.split()[-1]: c for label, c in zip(labels, curves, strict=True) if c}
        ),
        "reports": reports,
        "has_reports": any(report for report, _ in reports),
        "is_one_report": len({report.pk if report else None for report, _ in reports}) == 1,
        "cqs": cqs_lines([rows for _, rows in reports]),
        "may_report": all(run_may(request.user, run, Role.EDITOR) for run in runs),
        "why_no_report": services.report_refused(runs),
    }
    return render(request, "researcher/run_compare.html", context)


def _runs_named(request: HttpRequest, names: list[str]) -> list[Run]:
    """Those of the named runs that may be seen, in the order in which they were named."""
    found = {run.public_id: run for run in runs_of(request.user).filter(public_id__in=names)}
    return [found[name] for name in dict.fromkeys(names) if name in found]


def _settings(run: Run) -> dict[str, Any]:
    """A run's settings: what its row says, and config.json where it is written already."""
    config = run_config(Path(run.folder))
    row = {
        "dataset": PurePath(run.dataset).name,
        "system": run.system,
        "preset": run.preset,
        "seed": run.seed,
        "steps": run.steps or config.get("settings.loop.steps", "the preset's"),
    }
    inner = {name: value for name, value in config.items() if name.startswith(("settings.", "dataset."))}
    # The row has said these.
    for name in ("seed", "preset", "loop.steps"):
        inner.pop(f"settings.{name}", None)
    return row | inner


def _report_of(request: HttpRequest, run: Run) -> tuple[Report | None, list[Mapping[str, Any]]]:
    """The newest whole report of a run, and the run's own rows in it."""
    for report in reports_of(request.user).filter(runs=run, state=Report.State.DONE):
        data = _data(report)
        if data is None:
            continue
        own = [
            row
            for row in data["rows"]
            if row.get("run") == run.public_id[:8] and row.get("name") == run.system
        ]
        return report, own
    return None, []


def _others_like(request: HttpRequest, report: Report) -> list[Report]:
    """Finished reports of the same dataset, which this one can be held against."""
    others = reports_of(request.user).filter(dataset=report.dataset, state=Report.State.DONE)
    return list(others.exclude(pk=report.pk)[:20])


def _file(request: HttpRequest, public_id: str, name: str, content_type: str) -> HttpResponseBase:
    """A file of the report's folder by one of a few fixed names: no address can name another."""
    report = report_for(request, public_id)
    try:
        file = (Path(report.folder) / name).open("rb")
    except OSError:
        return _missing(request, report, name)
    reply = FileResponse(
        file,
        as_attachment="download" in request.GET,
        filename=f"tonalist-{report.public_id[:8]}-{name}",
        content_type=content_type,
    )
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Cache-Control"] = "private, no-cache"
    return reply


def _missing(request: HttpRequest, report: Report, name: str) -> HttpResponse:
    context = {"area": "reports", "report": report, "name": name}
    return render(request, "researcher/report_missing.html", context, status=404)


def _data(report: Report) -> dict[str, Any] | None:
    """report.json; None while it is not there, or no longer, or is not one."""
    if report.state != Report.State.DONE:
        return None
    try:
        data = json.loads((Path(report.folder) / "report.json").read_text())
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("rows"), list) else None
