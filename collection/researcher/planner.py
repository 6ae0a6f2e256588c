"""The planner: raters and questions → judgments a pair, widths, power, cost. Formulas, checked by simulation on demand."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.text import capfirst
from django.views.decorators.http import require_safe

from collection.access import study_for
from collection.design.intervals import proportion_interval
from collection.design.plan import session_minutes
from collection.design.planner import (
    LIMITS,
    MOST,
    StudyPlan,
    contest_half_width,
    contest_power,
    pair_half_width,
    pair_power,
    raters_for_contest_half_width,
    raters_for_contest_power,
    raters_for_pair_half_width,
    raters_for_pair_power,
    simulate_plan,
)
from collection.design.protocol import Protocol
from collection.design.wording import percent, percents
from collection.models import Study
from collection.researcher.charts import Chart, Line, curve

POINTS = 20
"""Of each curve, on either side of the plan."""
MOST_STUDIES = 2000
MOST_DRAWS = 20_000_000
"""Raters drawn in a simulation; it takes a second or two."""
SEED = 0
USUAL = {
    name: f"{value:g}"
    for name, value in (
        dataclasses.asdict(StudyPlan(raters=100)) | {"half_width": 0.05, "power": 0.8}
    ).items()
}
"""As the fields write them."""
MAIN = ("raters", "questions", "pairs", "recipes", "pay_per_hour", "session_minutes")
PART = {"min": 0, "max": 1, "step": 0.01}


def _whole(name: str, label: str) -> forms.IntegerField:
    low, high = LIMITS[name]
    return forms.IntegerField(min_value=low, max_value=high, label=label)


class PlanForm(forms.Form):
    """What a StudyPlan holds, and what is wanted; StudyPlan says what is wrong with it."""

    raters = _whole("raters", "Raters who finish; all are paid")
    questions = _whole("questions", "Main questions of each")
    pairs = _whole("pairs", "Pairs, asked equally often")
    recipes = _whole("recipes", "Recipes that meet each other")
    preference = forms.FloatField(label="Preference that is to be seen", widget=forms.NumberInput(PART))
    valid_share = forms.FloatField(
        label="Part of the raters whose answers may be used", widget=forms.NumberInput(PART)
    )
    rater_correlation = forms.FloatField(
        label="Correlation of one rater’s answers (0: one taste)", widget=forms.NumberInput(PART)
    )
    half_width = forms.FloatField(label="Half width wanted", widget=forms.NumberInput(PART))
    power = forms.FloatField(label="Power wanted", widget=forms.NumberInput(PART))
    session_minutes = forms.FloatField(
        min_value=0, max_value=MOST["session_minutes"], label="Minutes of a session"
    )
    pay_per_hour = forms.FloatField(
        min_value=0, max_value=MOST["pay_per_hour"], label="Pay per hour, any currency"
    )
    panel_fee = forms.FloatField(
        min_value=0,
        max_value=MOST["panel_fee"],
        label="Panel’s fee, part of the pay",
        widget=forms.NumberInput({"step": 0.01}),
    )
    fixed_cost = forms.FloatField(min_value=0, max_value=MOST["fixed_cost"], label="Fixed cost")

    def main_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in MAIN]

    def other_fields(self) -> list[forms.BoundField]:
        """What most plans leave as it is."""
        return [self[name] for name in self.fields if name not in MAIN]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            wanted = {name: cleaned[name] for name in ("half_width", "power")}
            try:
                self.plan = StudyPlan(**{name: cleaned[name] for name in cleaned if name not in wanted})
                self.levels = _levels(self.plan, **wanted)
            except ValueError as error:
                name = str(error).partition(" is ")[0].replace(" ", "_")
                self.add_error(name if name in self.fields else None, capfirst(str(error)))
        return cleaned


@login_required
@require_safe
def study_planner(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    form = _form(request, study)
    changed = any(request.GET.get(name, usual) != usual for name, usual in USUAL.items() if name not in MAIN)
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "changed": changed,
        "has_pairs": study.pairs.exists(),
        **_figures(form),
    }
    if "simulate" in request.GET and form.is_valid():
        context["checks"] = _checks(form.plan)
    return render(request, "researcher/study_planner.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def planner_numbers(request: HttpRequest, slug: str) -> JsonResponse:
    """The figures alone, or what is wrong with which field, for static/js/researcher/planner.js."""
    form = _form(request, study_for(request, slug))
    errors = {name: " ".join(map(str, found)) for name, found in form.errors.items()}
    if errors:
        return JsonResponse({"errors": errors})
    html = render_to_string("researcher/_plan_figures.html", _figures(form))
    reply = JsonResponse({"parts": {"plan-figures": html}})
    reply["Cache-Control"] = "no-store"
    return reply


def _form(request: HttpRequest, study: Study) -> PlanForm:
    """As the address says, and for the rest as the study is."""
    protocol = Protocol.from_json(study.protocol)
    initial: dict[str, Any] = USUAL | {
        "questions": protocol.n_main,
        # Without any, the fewest that it can be opened with.
        "pairs": study.pairs.count() or protocol.n_main,
        "session_minutes": session_minutes(protocol),
    }
    given = {name: request.GET[name] for name in PlanForm.base_fields if name in request.GET}
    return PlanForm(initial | given)


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A pair of renditions, or one recipe against another."""

    title: str
    answers: str
    half_width: str
    power: str
    raters_for_half_width: int
    cost_of_half_width: str
    raters_for_power: int
    cost_of_power: str


def _levels(plan: StudyPlan, *, half_width: float, power: float) -> list[Level]:
    for_pair = raters_for_pair_half_width(plan, half_width), raters_for_pair_power(plan, power)
    for_contest = raters_for_contest_half_width(plan, half_width), raters_for_contest_power(plan, power)
    each = f"{plan.independent_per_contest:,.1f} independent answers, by all raters"
    return [
        _level(plan, "One pair of renditions", f"{plan.judgments_per_pair:,.1f} judgments", pair_half_width(plan), pair_power(plan), for_pair),
        _level(plan, "One recipe against another", each, contest_half_width(plan), contest_power(plan), for_contest),
    ]  # fmt: skip


def _level(
    plan: StudyPlan, title: str, answers: str, half_width: float, power: float, raters: tuple[int, int]
) -> Level:
    costs = [_money(plan.fixed_cost + n * plan.cost_of_rater) if plan.cost else "" for n in raters]
    return Level(
        title=title,
        answers=answers,
        half_width=f"± {100 * half_width:.1f} points",
        power=percent(power),
        raters_for_half_width=raters[0],
        cost_of_half_width=costs[0],
        raters_for_power=raters[1],
        cost_of_power=costs[1],
    )


def _figures(form: PlanForm) -> dict[str, Any]:
    if not form.is_valid():
        return {}
    plan = form.plan
    return {
        "plan": plan,
        "judgments": round(plan.judgments),
        "per_pair": f"{plan.judgments_per_pair:,.1f}",
        "cost": _money(plan.cost) if plan.cost else "",
        "cost_of_rater": f"{plan.cost_of_rater:,.2f}",
        "levels": form.levels,
        "wanted": {
            "half_width": f"± {100 * form.cleaned_data['half_width']:g} points",
            "power": percent(form.cleaned_data["power"]),
            "preference": percent(plan.preference),
        },
        "charts": [_power_chart(plan), _width_chart(plan)],
    }


def _power_chart(plan: StudyPlan) -> Chart:
    plans = _plans(plan)
    found = [(each.raters, 100 * pair_power(each), 100 * contest_power(each)) for each in plans]
    return _chart(
        plan,
        found,
        title=f"Power to see a preference of {percent(plan.preference)}",
        note="Exact two-sided test at 5 %, by the number of raters. It goes up in a saw’s teeth.",
        y_label="power, %",
    )


def _width_chart(plan: StudyPlan) -> Chart:
    found = [
        (each.raters, 100 * pair_half_width(each), 100 * contest_half_width(each)) for each in _plans(plan)
    ]
    return _chart(
        plan,
        found,
        title="Half width of the 95 % interval",
        note="In points of per cent, by the number of raters.",
        y_label="± points",
    )


def _chart(
    plan: StudyPlan, found: list[tuple[int, float, float]], *, title: str, note: str, y_label: str
) -> Chart:
    series = [
        ("one pair", [(float(n), pair) for n, pair, _ in found]),
        ("two recipes", [(float(n), contest) for n, _, contest in found]),
    ]
    return Chart(
        title=title,
        note=note,
        svg=curve(
            series=series,
            x_label="raters",
            y_label=y_label,
            lines=[Line(at=plan.raters, label=f"{plan.raters:,} raters", kind="value")],
        ),
        columns=("Raters", "One pair", "Two recipes"),
        rows=tuple((f"{n:,}", f"{pair:.1f}", f"{contest:.1f}") for n, pair, contest in found),
    )


def _plans(plan: StudyPlan) -> list[StudyPlan]:
    """The plan with fewer and with more raters, its own number in the middle."""
    reach = max(1, round(0.8 * plan.raters))
    most = LIMITS["raters"][1]
    numbers = {min(max(1, plan.raters + round(reach * k / POINTS)), most) for k in range(-POINTS, POINTS + 1)}
    return [dataclasses.replace(plan, raters=n) for n in sorted(numbers)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A formula beside what simulated studies give."""

    what: str
    formula: str
    simulated: str


def _checks(plan: StudyPlan) -> list[Check]:
    studies = max(50, min(MOST_STUDIES, MOST_DRAWS // plan.raters))
    found = simulate_plan(plan, studies=studies, seed=SEED)
    shares = [
        ("Power for one pair", percent(pair_power(plan)), found.pair_seen),
        ("Power for one recipe against another", percent(contest_power(plan)), found.contest_seen),
        ("Contests whose share lies within the half width", "at least 95 %", found.contest_within),
    ]
    return [
        Check(
            what=what,
            formula=formula,
            simulated=f"{k:,} of {studies:,}: {percent(k / studies)}, 95 % interval {percents(proportion_interval(k, studies))}",
        )
        for what, formula, k in shares
    ]


def _money(amount: float) -> str:
    return f"{math.ceil(amount):,}"
