"""Pages about who answers a study, and how well."""

import statistics
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from collection.access import study_for
from collection.design.intervals import proportion_interval
from collection.design.protocol import Protocol, RuleSet
from collection.design.rules import Measures
from collection.design.wording import (
    percent,
    percents,
    reason_with_figures,
    reason_words,
)
from collection.models import Rater, Role, Study, Verdict
from collection.researcher.charts import interval_bar
from collection.researcher.pages import page_of
from collection.researcher.words import (
    SCREENING_WORDS,
    SESSION_STATE_WORDS,
    seconds,
)
from collection.selectors.research import (
    RaterRow,
    panel_id_counts,
    rater_rows,
    raters_of_study,
    session_state_name,
)
from collection.selectors.rules import rules_in_force, rules_kept
from collection.services import verdicts

RATERS_PER_PAGE = 50


@login_required
@require_safe
def study_people(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    protocol = Protocol.from_json(study.protocol)
    in_force = rules_in_force(study)
    rules = _rules_asked_for(request, study, in_force)
    failed = request.GET.get("failed", "")
    raters = raters_of_study(study, rule_set=rules.name, failed=failed)
    page = page_of(request, Paginator(raters, RATERS_PER_PAGE))
    rows = rater_rows(study, page)
    seen = {*protocol.phases, *(name for row in rows for name in row.screenings)}
    screenings = {name: words for name, words in SCREENING_WORDS.items() if name in seen}
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "rows": [rater_line(row, rules.min_consistency, screenings) for row in rows],
        "screenings": ", ".join(screenings.values()),
        "limit": percent(rules.min_consistency),
        "rule_set": rules.name,
        "in_force": rules.name == in_force.name,
        "failed": reason_words(failed) if failed else "",
        "panel_ids": panel_id_counts(study),
    }
    return render(request, "researcher/study_people.html", context)


@login_required
@require_POST
def study_judge(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    verdicts.verdicts_compute(study)
    messages.success(request, "All raters are judged by the rules in force.")
    return redirect("researcher:study-people", slug)


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterLine:
    """A rater as the table shows them."""

    rater: Rater
    simulated: bool
    session_state: str
    measures: Measures
    consistency_bar: SafeString
    interval: str
    median_response: str
    left_share: str
    screenings: list[tuple[str, str]]
    """Words and outcome of each, in one order for all raters."""
    verdict: Verdict | None
    reasons: list[str]


def rater_line(row: RaterRow, min_consistency: float, screenings: dict[str, str]) -> RaterLine:
    measures = row.measures
    interval = proportion_interval(measures.agreed, measures.checked)
    return RaterLine(
        rater=row.rater,
        simulated=row.rater.simulation is not None,
        session_state=_session_state(row),
        measures=measures,
        consistency_bar=interval_bar(
            measures.agreed, measures.checked, interval, limit=min_consistency, chance=0.5
        ),
        interval=percents(interval),
        median_response=seconds(statistics.median(measures.times) if measures.times else None),
        left_share=_left_share(measures),
        screenings=[(words, row.screenings.get(name, "not done")) for name, words in screenings.items()],
        verdict=row.verdict,
        reasons=_reasons(row.verdict) if row.verdict else [],
    )


def _reasons(verdict: Verdict) -> list[str]:
    return [reason_with_figures(name, verdict.evidence.get(name, {})) for name in verdict.reasons]


def _left_share(measures: Measures) -> str:
    """Of the answers that chose a side."""
    n = measures.left + measures.right
    return percent(measures.left / n) if n else "–"


def _session_state(row: RaterRow) -> str:
    if row.rater.withdrawn_at:
        return "withdrawn"
    return SESSION_STATE_WORDS[session_state_name(row.session)] if row.session else "not begun"


def _rules_asked_for(request: HttpRequest, study: Study, in_force: RuleSet) -> RuleSet:
    """Those in force, or others that the study has followed, by their name in the address."""
    name = request.GET.get("rules")
    if not name:
        return in_force
    for kept in rules_kept(study):
        if kept.rules.name == name:
            return kept.rules
    raise Http404("The study never followed these rules.")
