"""Pages about blind tests: a run's outputs shown to people, and what they said."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.models import Role
from collection.researcher.jobs import job_cancel_tell, job_progress
from learning import services
from learning.access import run_for, run_may, runs_of
from learning.blind_test_tables import WinLine, side_words, win_line
from learning.forms import BlindTestForm
from learning.models import BlindTest, Run
from learning.selectors import TasteResult, raters_to_render, taste_results
from learning.services import BlindTestRefused
from learning.services.blind_tests import holds_scenes_out
from variants.jobs import Job


@login_required
def blind_test_create(request: HttpRequest, public_id: str) -> HttpResponse:
    run = run_for(request, public_id, Role.EDITOR)
    study = run.export.study if run.export else None
    n_scenes = services.blind_test_scenes(study).count() if study else 0
    form = BlindTestForm(raters_to_render(run), _rivals(request, run), n_scenes, request.POST or None)
    if form.is_valid():
        try:
            test = services.blind_test_create(run, **{"rival": None, **form.cleaned_data})
        except BlindTestRefused as error:
            form.add_error(None, capfirst(str(error)))
        else:
            test.enqueue()
            return redirect("learning:blind-test", test.public_id)
    context = {"area": "runs", "run": run, "study": study, "form": form, "n_scenes": n_scenes}
    context["is_held_out"] = study is not None and holds_scenes_out(study)
    return render(request, "researcher/run_blind_test.html", context, status=422 if form.errors else 200)


@dataclass(frozen=True, kw_only=True, slots=True)
class TasteLine:
    result: TasteResult
    line: WinLine
    own: WinLine
    sides: str


@login_required
@require_safe
def blind_test_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    test = _test(request, public_id)
    context: dict[str, Any] = {"area": "runs", "test": test, "run": test.learner}
    context["may_change"] = run_may(request.user, test.learner, Role.EDITOR)
    results = taste_results(test.tastes.select_related("study"))
    answers = [answer for result in results for answer in result.answers]
    context["totals"] = [
        win_line("All answers", answers),
        win_line("The viewer's own taste", [answer for answer in answers if answer.is_own]),
        win_line("Somebody else's taste", [answer for answer in answers if not answer.is_own]),
    ]
    context["sides"] = side_words(answers)
    context["has_answers"] = bool(answers)
    context["n_left_out"] = sum(result.n_left_out for result in results)
    context["tastes"] = [
        TasteLine(
            result=result,
            line=win_line("", result.answers),
            own=win_line("", [answer for answer in result.answers if answer.is_own]),
            sides=side_words(result.answers),
        )
        for result in results
    ]
    return render(request, "researcher/run_blind_test_detail.html", context)


@login_required
@require_safe
def blind_test_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_test(request, public_id))


@login_required
@require_POST
def blind_test_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    test = _test(request, public_id, Role.EDITOR)
    services.blind_test_cancel(test)
    job_cancel_tell(request, test, "blind test")
    return redirect("learning:blind-test", public_id)


def _test(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> BlindTest:
    """Whoever may see the run may see its tests."""
    test = BlindTest.objects.filter(public_id=public_id).select_related("rival").first()
    if test is None:
        raise Http404("There is no such blind test.")
    test.learner = run_for(request, test.learner.public_id, needs)
    return test


def _rivals(request: HttpRequest, run: Run) -> Any:
    """Other finished runs of the same dataset."""
    return runs_of(request.user).filter(dataset=run.dataset, state=Job.State.DONE).exclude(pk=run.pk)
