"""Pages about studies as a whole: the list, the overview, opening and closing."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import studies_of, study_for
from collection.design.alarms import N_LAST, level_alarms, pass_rate_alarms
from collection.design.intervals import proportion_interval
from collection.design.recruiting import Recruiting
from collection.design.wording import (
    REASONS,
    alarm_words,
    level_alarm_words,
    percent,
    percents,
    reason_words,
)
from collection.models import Role, Study
from collection.researcher.devices import device_tables
from collection.researcher.pages import is_named
from collection.researcher.study_charts import study_charts
from collection.researcher.words import (
    ACCESS_MEANING,
    SESSION_STATE_WORDS,
    SIMULATED_MEANING,
    STATUS_ACTIONS,
    STATUS_MEANING,
)
from collection.selectors.making import study_steps
from collection.selectors.research import (
    SESSION_STATES,
    StudyFigures,
    studies_summaries,
    study_figures,
)
from collection.selectors.rules import rules_in_force
from collection.services import studies
from collection.services.retention import retention_reminder
from collection.services.studies import StudyError


@login_required
@require_safe
def study_list(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "researcher/study_list.html",
        {"area": "studies", "summaries": studies_summaries(studies_of(request.user))},
    )


@login_required
@require_safe
def study_detail(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    context = _figures_context(study)
    is_being_made = study.status == Study.Status.DRAFT and not context["figures"].n_raters
    steps = study_steps(study) if is_being_made else []
    context |= {
        "area": "studies",
        "steps": steps,
        "can_open": all(step.is_done for step in steps),
        "can_preview": all(step.is_done for step in steps if step.name in ("Photos", "Pairs")),
        # A draft without pairs has nothing to open; the page says what is next instead.
        "actions": STATUS_ACTIONS[study.status] if context["figures"].coverage.n_pairs else (),
        "status_meaning": _status_meaning(study),
        "days_left": retention_reminder(study, timezone.localdate()),
        "participant_address": request.build_absolute_uri(
            reverse("participant:study-landing", args=[study.slug])
        ),
    }
    return render(request, "researcher/study_detail.html", context)


@login_required
@require_safe
def study_live(request: HttpRequest, slug: str) -> JsonResponse:
    """The overview's figures as they are now, for static/js/researcher/live.js."""
    study = study_for(request, slug)
    html = render_to_string("researcher/_study_figures.html", _figures_context(study))
    reply = JsonResponse({"parts": {"study-figures": html}})
    reply["Cache-Control"] = "no-store"
    return reply


def _figures_context(study: Study) -> dict[str, Any]:
    rules = rules_in_force(study)
    figures = study_figures(study, rules)
    return {
        "study": study,
        "figures": figures,
        "coverage": figures.coverage,
        "planned_share": percent(figures.n_main / figures.coverage.n_planned)
        if figures.coverage.n_planned
        else "",
        "valid_interval": _valid_interval(figures),
        "reasons": _reason_lines(figures),
        "alarms": [alarm_words(alarm) for alarm in pass_rate_alarms(figures.finished, list(REASONS))],
        "level_alarms": _level_alarms(figures),
        "n_last": N_LAST,
        "charts": study_charts(figures, rules),
        "devices": device_tables(figures.displays),
        "n_displays": len(figures.displays),
        "sessions_apart": [
            (n, SESSION_STATE_WORDS[state])
            for state, n in figures.sessions.items()
            if n and state != "finished"
        ],
    }


def _level_alarms(figures: StudyFigures) -> list[str]:
    """Who is under way or left is no sign of broken answers; who was screened out is."""
    alarms = level_alarms(
        valid=figures.n_valid,
        ended=figures.n_judged - figures.reasons["too_few_answers"],
        agreed=sum(agreed * n for (agreed, _), n in figures.checks.items()),
        checked=figures.n_checks,
    )
    return [level_alarm_words(alarm) for alarm in alarms]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonLine:
    name: str
    words: str
    n: int
    share: str


def _reason_lines(figures: StudyFigures) -> list[ReasonLine]:
    return [
        ReasonLine(
            name=name,
            words=reason_words(name),
            n=n,
            share=f"{percent(n / figures.n_judged)}, {percents(proportion_interval(n, figures.n_judged))}",
        )
        for name, n in figures.reasons.most_common()
    ]


@login_required
@require_POST
def study_open(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    try:
        studies.study_open(study)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(request, "The study is open.")
    return redirect(study)


@login_required
@require_POST
def study_pause(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    try:
        studies.study_pause(study)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(request, "The study is paused.")
    return redirect(study)


@login_required
def study_close(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for the name first: a closed study stays closed."""
    study = study_for(request, slug, Role.OWNER)
    error = ""
    if request.method == "POST":
        if is_named(study, request.POST.get("slug", "")):
            return _study_close(request, study)
        error = f"That is not the study's name; write {study.name}, or {study.slug}."
    context = {
        "area": "studies",
        "study": study,
        "error": error,
        "n_under_way": study.sessions.filter(SESSION_STATES["under_way"]).count(),
    }
    return render(request, "researcher/study_close.html", context, status=422 if error else 200)


def _study_close(request: HttpRequest, study: Study) -> HttpResponse:
    try:
        studies.study_close(study)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(request, "The study is closed.")
    return redirect(study)


def _status_meaning(study: Study) -> str:
    if study.status != Study.Status.OPEN:
        return STATUS_MEANING[study.status]
    return (
        SIMULATED_MEANING
        if study.is_simulated
        else ACCESS_MEANING[Recruiting.from_json(study.recruiting).access]
    )


def _valid_interval(figures: StudyFigures) -> str:
    if not figures.n_judged:
        return ""
    low, high = proportion_interval(figures.n_valid, figures.n_judged)
    return f"{percent(figures.n_valid / figures.n_judged)}, 95 % interval {percents((low, high))}"
