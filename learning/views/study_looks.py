"""The page on which a researcher lets a study's participants have their look."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import study_for
from collection.models import Role
from collection.researcher.jobs import job_progress
from learning import services
from learning.look_forms import StudyLookForm
from learning.looks import FEWEST_ANSWERS
from learning.models import Look, LookAdjustment, StudyLook
from learning.services import StudyLookRefused


@login_required
def study_look(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR if request.method == "POST" else Role.VIEWER)
    found = StudyLook.objects.filter(study=study).select_related("learner").first()
    form = StudyLookForm(request.user, study, found, request.POST or None)
    if form.is_valid():
        try:
            opened = services.study_look_open(
                study, form.cleaned_data["run"], shows_early=form.cleaned_data["shows_early"]
            )
        except StudyLookRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            opened.enqueue()
            messages.success(request, "Participants get their look from now on.")
            return redirect("learning:study-look", slug)
    context = {
        "area": "studies",
        "study": study,
        "found": found,
        "form": form,
        "has_runs": form.has_runs,
        "n_looks": Look.objects.filter(session__study=study).count(),
        "n_adjustments": LookAdjustment.objects.filter(look__session__study=study).count(),
        "fewest": FEWEST_ANSWERS,
    }
    return render(request, "researcher/study_look.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def study_look_progress(request: HttpRequest, slug: str) -> HttpResponse:
    found = StudyLook.objects.filter(study=study_for(request, slug)).first()
    return job_progress(found) if found else JsonResponse({}, status=404)


@login_required
@require_POST
def study_look_close(request: HttpRequest, slug: str) -> HttpResponse:
    services.study_look_close(study_for(request, slug, Role.EDITOR))
    messages.success(request, "No participant gets a look any more; what was made for them is deleted.")
    return redirect("learning:study-look", slug)
