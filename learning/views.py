"""Pages about training runs, for researchers who are signed in."""

from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.researcher.charts import Chart, curve, number
from collection.researcher.jobs import job_cancel, job_progress
from learning import services
from learning.forms import RunForm, exports_to_train_on
from learning.models import Run
from learning.run_folder import run_config, run_curves, run_log
from learning.services import RunRefused

RUNS_PER_PAGE = 50
TABLE_ROWS = 20


@login_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    page = Paginator(Run.objects.select_related("export__study"), RUNS_PER_PAGE).get_page(
        request.GET.get("page")
    )
    return render(request, "researcher/run_list.html", {"area": "runs", "page": page})


@login_required
def run_create(request: HttpRequest) -> HttpResponse:
    form = RunForm(request.POST or None, initial={"export": request.GET.get("export")})
    if form.is_valid():
        try:
            run = services.run_create(**form.cleaned_data)
        except RunRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            run.enqueue()
            return redirect("learning:run-detail", run.public_id)
    context = {"area": "runs", "form": form, "has_datasets": exports_to_train_on().exists()}
    return render(request, "researcher/run_form.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def run_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    run = _run(request, public_id)
    folder = Path(run.folder)
    config = run_config(folder)
    context = {
        "area": "runs",
        "run": run,
        "chart": loss_chart(folder),
        "log": run_log(folder),
        "config": config,
        "backbone": run.backbone or config.get("backbone", "the preset's"),
        "reports": run.reports.all(),
    }
    return render(request, "researcher/run_detail.html", context)


@login_required
@require_safe
def run_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    run = _run(request, public_id)
    folder = Path(run.folder)
    return job_progress(
        run,
        {
            "run-curve": render_to_string("researcher/_run_curve.html", {"chart": loss_chart(folder)}),
            "run-log": render_to_string("researcher/_run_log.html", {"log": run_log(folder)}),
        },
    )


@login_required
@require_POST
def run_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    job_cancel(request, _run(request, public_id), "run")
    return redirect("learning:run-detail", public_id)


def loss_chart(folder: Path) -> Chart | None:
    """The losses of a run so far."""
    curves = run_curves(folder)
    if not curves:
        return None
    last = ", ".join(f"{c.name} {number(c.points[-1][1])}" for c in curves)
    return Chart(
        title="Loss",
        note=f"at step {number(curves[0].points[-1][0])}: {last}",
        svg=curve(series=[(c.name, c.points) for c in curves], x_label="step", y_label="loss"),
        columns=("Step", *(c.name for c in curves)),
        rows=tuple(_table_rows([dict(c.points) for c in curves])),
    )


def _table_rows(curves: list[dict[float, float]]) -> list[tuple[str, ...]]:
    steps = sorted({step for points in curves for step in points})
    every = -(-len(steps) // TABLE_ROWS)
    return [
        (number(step), *(number(points[step]) if step in points else "–" for points in curves))
        for step in dict.fromkeys([*steps[::every], steps[-1]])
    ]


def _run(request: HttpRequest, public_id: str) -> Run:
    """Every signed-in researcher may see every run."""
    return get_object_or_404(Run.objects.select_related("export__study"), public_id=public_id)
