"""Pages about reading many raters of a run at once."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.models import Role
from collection.researcher.jobs import job_cancel_tell, job_progress
from collection.researcher.pages import page_of
from learning import services
from learning.access import adaptation_for, run_for, run_may
from learning.forms import AdaptationForm
from learning.models import Adaptation, RaterAdaptation
from learning.selectors import adaptation_counts
from learning.services import AdaptationRefused

RATERS_PER_PAGE = 100


@login_required
@require_POST
def adaptation_create(request: HttpRequest, public_id: str) -> HttpResponse:
    run = run_for(request, public_id, Role.EDITOR)
    form = AdaptationForm(request.POST)
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{capfirst(name)}: {' '.join(str(error) for error in errors)}")
        return redirect("learning:run-detail", public_id)
    try:
        made = services.adaptation_create(run, **form.cleaned_data)
    except AdaptationRefused as error:
        messages.error(request, f"{capfirst(str(error))}.")
        return redirect("learning:run-detail", public_id)
    made.enqueue()
    return redirect("learning:adaptation", made.public_id)


@login_required
@require_safe
def adaptation_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    adaptation = adaptation_for(request, public_id)
    context = {
        "area": "runs",
        "adaptation": adaptation,
        "run": adaptation.learner,
        "may_change": run_may(request.user, adaptation.learner, Role.EDITOR),
        "page": _raters(request, adaptation),
        "counts": adaptation_counts(adaptation),
    }
    return render(request, "researcher/adaptation_detail.html", context)


@login_required
@require_safe
def adaptation_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    """With the page of raters that is looked at."""
    adaptation = adaptation_for(request, public_id)
    context = {"page": _raters(request, adaptation), "counts": adaptation_counts(adaptation)}
    return job_progress(
        adaptation, {"raters-read": render_to_string("researcher/_adaptation_raters.html", context)}
    )


@login_required
@require_POST
def adaptation_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    adaptation = adaptation_for(request, public_id, Role.EDITOR)
    services.adaptation_cancel(adaptation)
    job_cancel_tell(request, adaptation, "reading of raters")
    return redirect("learning:adaptation", public_id)


def _raters(request: HttpRequest, adaptation: Adaptation) -> "Page[RaterAdaptation]":
    return page_of(request, Paginator(adaptation.shares.all(), RATERS_PER_PAGE))
