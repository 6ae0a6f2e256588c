"""Pages about training runs."""

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.models import Role
from collection.researcher.jobs import job_cancel_tell, job_progress
from collection.researcher.pages import page_of
from learning import services
from learning.access import run_for, run_may, runs_of
from learning.blind_test_tables import WinLine, win_line
from learning.forms import AdaptationForm, RunForm
from learning.loss_charts import loss_charts
from learning.models import BlindTest, Run, TasteStudy
from learning.run_folder import has_checkpoint, run_config, run_curves, run_log
from learning.selectors import taste_results
from learning.services import RunRefused
from learning.systems import LOOK_MAKERS
from learning.weights import backbone_of
from learning.wins import Answer
from variants.jobs import Job

RUNS_PER_PAGE = 50
STOPPED = (Job.State.CANCELLED, Job.State.FAILED)


@login_required
@require_safe
def run_list(request: HttpRequest) -> HttpResponse:
    page = page_of(request, Paginator(runs_of(request.user), RUNS_PER_PAGE))
    return render(request, "researcher/run_list.html", {"area": "runs", "page": page})


@login_required
def run_create(request: HttpRequest) -> HttpResponse:
    form = RunForm(request.user, request.POST or None, initial=_initial(request))
    if form.is_valid():
        try:
            run = services.run_create(**form.settings)
        except RunRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            run.enqueue()
            return redirect("learning:run-detail", run.public_id)
    context = {"area": "runs", "form": form, "has_datasets": form.exports.exists()}
    return render(request, "researcher/run_form.html", context, status=422 if form.errors else 200)


def _initial(request: HttpRequest) -> dict[str, Any]:
    """What the form comes with: the export of an address, or the settings of `?like=RUN` with the next seed."""
    like = runs_of(request.user).filter(public_id=request.GET.get("like", "")).first()
    if like is None or like.export is None:
        return {"export": request.GET.get("export")}
    same = {name: getattr(like, name) for name in ("system", "preset", "backbone", "steps")}
    return {**same, "export": like.export.public_id, "seed": like.seed + 1}


@login_required
@require_safe
def run_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    run = run_for(request, public_id)
    folder = Path(run.folder)
    config = run_config(folder)
    context = {
        "area": "runs",
        "run": run,
        "may_change": run_may(request.user, run, Role.EDITOR),
        "is_stopped": run.state in STOPPED,
        "has_checkpoint": has_checkpoint(folder),
        "charts": loss_charts(run_curves(folder)),
        "log": run_log(folder),
        "config": config,
        "backbone": run.backbone or config.get("backbone") or backbone_of(run.system, run.preset),
        "reports": run.reports.all(),
        "blind_tests": _blind_tests(run),
        "adaptations": run.adaptations.all(),
        "adaptation_form": AdaptationForm(),
        "makes_looks": run.system in LOOK_MAKERS,
    }
    return render(request, "researcher/run_detail.html", context)


def _blind_tests(run: Run) -> list[tuple[BlindTest, WinLine]]:
    """The run's tests, as the one shown or as the rival, each with what it says so far."""
    tests = BlindTest.objects.filter(Q(learner=run) | Q(rival=run)).select_related("learner", "rival")
    answers: dict[int, list[Answer]] = {test.pk: [] for test in tests}
    for result in taste_results(TasteStudy.objects.filter(test__in=tests).select_related("study")):
        answers[result.taste.test_id] += result.answers
    return [(test, win_line("", answers[test.pk])) for test in tests]


@login_required
@require_safe
def run_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    run = run_for(request, public_id)
    folder = Path(run.folder)
    charts = loss_charts(run_curves(folder))
    return job_progress(
        run,
        {
            "run-curve": render_to_string("researcher/_run_curve.html", {"charts": charts, "run": run}),
            "run-log": render_to_string("researcher/_run_log.html", {"log": run_log(folder), "run": run}),
        },
    )


@login_required
@require_POST
def run_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    run = run_for(request, public_id, Role.EDITOR)
    services.run_cancel(run)
    job_cancel_tell(request, run, "run")
    return redirect("learning:run-detail", public_id)


@login_required
@require_POST
def run_resume(request: HttpRequest, public_id: str) -> HttpResponse:
    run = run_for(request, public_id, Role.EDITOR)
    try:
        services.run_resume(run)
    except RunRefused as error:
        messages.error(request, capfirst(str(error)))
    else:
        run.enqueue()
    return redirect("learning:run-detail", public_id)
