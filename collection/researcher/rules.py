"""Pages about a study's rules: the versions, another rule set beside the one in force, pay for the panel."""

from dataclasses import dataclass, fields
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import study_for
from collection.design.comparison import Comparison, Judged, Kept
from collection.design.protocol import RuleSet
from collection.design.wording import judgment_words, percent, percents, reason_words
from collection.models import Role, Study
from collection.researcher.pages import csv_download
from collection.researcher.words import RULES
from collection.selectors.comparison import study_rules_compare
from collection.selectors.panel import panel_report
from collection.selectors.rules import rules_in_force, rules_kept
from collection.services.audit import audit_record
from collection.services.studies import StudyError
from collection.services.verdicts import rules_use

APART_SHOWN = 100


class RulesForm(forms.Form):
    """The thresholds of a rule set; RuleSet says what is wrong with them."""

    version = forms.CharField(max_length=60)
    min_response_ms = forms.IntegerField()
    max_fast_share = forms.FloatField()
    min_median_response_ms = forms.IntegerField()
    min_consistency = forms.FloatField()
    max_one_side_share = forms.FloatField()
    max_impossible_share = forms.FloatField()
    require_color_vision = forms.BooleanField(required=False)
    require_levels = forms.BooleanField(required=False)
    require_practice = forms.BooleanField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.label = RULES[name]
            if isinstance(field, forms.FloatField):
                field.widget.attrs |= {"min": 0, "max": 1, "step": 0.01}
            elif isinstance(field, forms.IntegerField):
                field.widget.attrs |= {"min": 0, "max": 60_000, "step": 50}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                self.rules = RuleSet.from_json(cleaned)
            except ValueError as error:
                name = str(error).partition(" ")[0]
                self.add_error(name if name in self.fields else None, capfirst(str(error)))
        return cleaned


assert set(RulesForm.base_fields) == {field.name for field in fields(RuleSet)}


@login_required
@require_safe
def study_rules(request: HttpRequest, slug: str) -> HttpResponse:
    """Without thresholds in the address a form; with them what they would make of the answers."""
    study = study_for(request, slug)
    ours = rules_in_force(study)
    form = RulesForm(request.GET) if request.GET else RulesForm(initial=ours.to_json())
    context = _context(study, ours, form)
    if form.is_bound and form.is_valid():
        found = study_rules_compare(study, ours, form.rules)
        context |= {
            "found": found,
            "sides": _sides(found),
            "reason_rows": _reason_rows(found),
            "apart": [_apart_line(judged) for judged in found.apart[:APART_SHOWN]],
            "n_more": max(0, len(found.apart) - APART_SHOWN),
            "same": form.rules.name == ours.name,
            "other_name": form.rules.name,
        }
    return render(request, "researcher/study_rules.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def study_rules_use(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    form = RulesForm(request.POST)
    if not form.is_valid():
        context = _context(study, rules_in_force(study), form)
        return render(request, "researcher/study_rules.html", context, status=422)
    try:
        rules_use(study, form.rules)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(
            request,
            f"The study follows {form.rules.name} now, and all raters are judged by it. Earlier verdicts stay.",
        )
    return redirect("researcher:study-rules", slug)


@login_required
@require_safe
def panel_download(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    rules = rules_in_force(study)
    report = panel_report(study, rules)
    if request.method == "GET":
        audit_record("payments.download", study, what=rules.name)
    return csv_download(study, "payments", report.csv)


def _context(study: Study, ours: RuleSet, form: RulesForm) -> dict[str, Any]:
    kept = rules_kept(study)
    return {
        "area": "studies",
        "study": study,
        "form": form,
        "in_force": ours,
        "kept": [(each, _changes(each.rules, ours)) for each in kept],
    }


def _changes(rules: RuleSet, ours: RuleSet) -> str:
    """In what a rule set differs from the one in force."""
    data, now = rules.to_json(), ours.to_json()
    return ", ".join(
        f"{name} {value}" for name, value in data.items() if value != now[name] and name != "version"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A row of the table: what one rule set keeps."""

    title: str
    kept: Kept
    raters: str
    judgments: str


def _sides(found: Comparison) -> list[Side]:
    return [_side("In force", found.ours), _side("Other rules", found.other)]


def _side(title: str, kept: Kept) -> Side:
    return Side(
        title=title,
        kept=kept,
        raters=f"{_share(kept.raters, kept.n_raters)}, 95 % interval {percents(kept.interval)}",
        judgments=_share(kept.judgments, kept.n_judgments),
    )


def _share(k: int, n: int) -> str:
    return percent(k / n) if n else "–"


def _reason_rows(found: Comparison) -> list[tuple[str, int, int]]:
    """Failed rules with the raters who failed them by ours and by the other, most first."""
    names = found.ours.reasons | found.other.reasons
    return [
        (reason_words(name), found.ours.reasons[name], found.other.reasons[name])
        for name, _ in names.most_common()
    ]


def _apart_line(judged: Judged) -> dict[str, str]:
    name, ours, other = judged
    return {"rater": name, "ours": judgment_words(ours), "other": judgment_words(other)}
