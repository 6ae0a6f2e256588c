"""Pages about what a study's answers say: agreement, scales, ceiling, one taste or many, outliers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import require_role, study_for
from collection.design.csv_text import csv_text
from collection.design.statistics import MAX_DRAWS, MIN_DRAWS, Found, Settings
from collection.models import Role, StatisticsJob, Study
from collection.researcher.charts import Chart, Line, histogram, nice_ceiling, value_bar
from collection.researcher.jobs import job_cancel, job_progress
from collection.researcher.pages import page_of
from collection.researcher.words import recipe_words
from collection.selectors.rules import rules_in_force
from collection.selectors.statistics import rendition_recipes
from collection.services import statistics
from collection.services.audit import audit_record
from collection.services.studies import StudyError
from variants.jobs import Job

SCENES_PER_PAGE = 8
OUTLIERS_SHOWN = 20
ItemWords = Mapping[str, str]
"""Public ID of a rendition → its recipe in words."""
UNITS = {"thurstone": "JOD", "bradley_terry": "log odds"}
RESAMPLES = 200


class SettingsForm(forms.Form):
    model = forms.ChoiceField(
        choices=[
            ("thurstone", "Thurstone’s Case V, in JOD"),
            ("bradley_terry", "Bradley-Terry, in log odds"),
        ],
        label="Model of the scales",
    )
    resamples = forms.IntegerField(min_value=MIN_DRAWS, max_value=MAX_DRAWS, label="Resamples for intervals")
    permutations = forms.IntegerField(
        min_value=MIN_DRAWS, max_value=MAX_DRAWS, label="Permutations for the test of one taste"
    )
    prior_sd = forms.FloatField(
        min_value=0.01, max_value=100, required=False, label="Prior on scales, SD (empty for none)"
    )
    seed = forms.IntegerField(min_value=0, max_value=2**31 - 1, label="Seed")


DEFAULTS = {"model": "thurstone", "resamples": RESAMPLES, "permutations": 199, "prior_sd": None, "seed": 0}


@login_required
@require_safe
def study_statistics(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    return render(
        request, "researcher/study_statistics.html", _context(request, study, SettingsForm(initial=DEFAULTS))
    )


@login_required
@require_POST
def statistics_create(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug, Role.EDITOR)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return render(request, "researcher/study_statistics.html", _context(request, study, form), status=422)
    try:
        job = statistics.statistics_create(study, Settings(**form.cleaned_data))
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        job.enqueue()
    return redirect("researcher:study-statistics", slug)


@login_required
@require_safe
def statistics_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_job(request, public_id))


@login_required
@require_POST
def statistics_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    job = _job(request, public_id, Role.EDITOR)
    job_cancel(request, job, "computation")
    return redirect("researcher:study-statistics", job.study.slug)


@login_required
@require_safe
def statistics_download(request: HttpRequest, public_id: str, what: str) -> HttpResponse:
    job = _job(request, public_id)
    if job.result is None or what not in DOWNLOADS:
        raise Http404("There is no such table.")
    text, content_type = DOWNLOADS[what](job)
    reply = HttpResponse(text, content_type=content_type)
    name = f"{job.study.slug}-statistics-{what}"
    reply["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
    reply["Cache-Control"] = "no-store"
    if request.method == "GET":
        audit_record("statistics.download", job.study, what=job.public_id, file=what)
    return reply


def _job(request: HttpRequest, public_id: str, needs: Role = Role.VIEWER) -> StatisticsJob:
    job = get_object_or_404(StatisticsJob.objects.select_related("study"), public_id=public_id)
    require_role(request.user, job.study, needs)
    return job


def _context(request: HttpRequest, study: Study, form: SettingsForm) -> dict[str, Any]:
    """The newest result, or that it was dropped, and the newest job where it is not the one that made it."""
    jobs = study.statistics_jobs.defer("result")
    newest = jobs.first()
    last = study.statistics_jobs.filter(state=Job.State.DONE).select_related("study").first()
    is_dropped = last is not None and last.result is None
    context = {
        "area": "studies",
        "study": study,
        "form": form,
        "job": newest if newest and newest.state != Job.State.DONE else None,
        "under_way": newest is not None and not newest.is_over,
        "last": None if is_dropped else last,
        "dropped": last if is_dropped else None,
        "downloads": list(DOWNLOADS),
        "asks_actively": study.sessions.filter(is_active=True).exists(),
    }
    return context | (_found(request, study, last) if last and not is_dropped else {})


def _found(request: HttpRequest, study: Study, job: StatisticsJob) -> dict[str, Any]:
    found: Found = job.result or {}
    unit = UNITS[found["settings"]["model"]]
    scenes = page_of(request, Paginator(found["by_scene"], SCENES_PER_PAGE))
    words = _rendition_words(scenes)
    n_whole = sum(len(scene["scales"]) == 1 and not scene["without_scale"] for scene in found["by_scene"])
    return {
        "found": found,
        "unit": unit,
        "out_of_date": statistics.statistics_out_of_date(job, rules_in_force(study)),
        "recipes": _scaled(found["recipes"], unit, {}),
        "page": scenes,
        "scenes": [(_scene_name(scene["scene"]), _scaled(scene, unit, words)) for scene in scenes],
        "n_whole": n_whole,
        "n_parted": len(found["by_scene"]) - n_whole,
        "charts": _charts(found),
        "outliers": _outliers(found["outliers"]),
        "n_outliers": len(found["outliers"].get("above_1.5", ())),
    }


# Scales


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemLine:
    item: str
    words: str
    is_rendition: bool
    utility: str
    interval: str
    bar: SafeString
    ranks: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleTable:
    lines: list[ItemLine]
    answers: int
    ties: int
    raters: int
    fit: str
    few_expected: bool
    has_intervals: bool
    low: str
    high: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaled:
    """The parts into which comparisons connect the items: those on a scale, and why the others have none."""

    tables: list[ScaleTable]
    without: list[tuple[int, str]]
    """Items of each other part, and why."""


def _scaled(found: Found, unit: str, words: ItemWords) -> Scaled:
    return Scaled(
        tables=[_table(scale, unit, words) for scale in found["scales"]],
        without=[
            (len(part["items"]), _named(part["why"], part["items"], words)) for part in found["without_scale"]
        ],
    )


def _table(scale: Found, unit: str, words: ItemWords) -> ScaleTable:
    ends = [end for item in scale["items"] for end in (item["utility"], *(item["interval"] or ()))]
    reach = nice_ceiling(max(abs(end) for end in ends))
    return ScaleTable(
        lines=[_line(item, reach, unit, words) for item in scale["items"]],
        answers=scale["answers"],
        ties=scale["ties"],
        raters=scale["raters"],
        fit=_fit(scale["fit"]),
        has_intervals=any(item["interval"] for item in scale["items"]),
        few_expected=(scale["fit"]["smallest_expected"] or 0) < 5,
        low=_signed(-reach),
        high=_signed(reach),
    )


def _line(item: Found, reach: float, unit: str, words: ItemWords) -> ItemLine:
    return ItemLine(
        item=item["item"],
        words=_item_words(item["item"], words),
        is_rendition=_is_rendition(item["item"]),
        utility=_signed(item["utility"]),
        interval=f"{_signed(item['interval'][0])} to {_signed(item['interval'][1])}"
        if item["interval"]
        else "",
        bar=value_bar(item["utility"], item["interval"], low=-reach, high=reach, unit=unit),
        ranks=_ranks(item["ranks"]),
    )


def _rendition_words(scenes: Iterable[Found]) -> ItemWords:
    """Of the renditions of these scenes, their recipes in words; one that is gone has none."""
    items = {
        item
        for scene in scenes
        for item in [
            *(each["item"] for scale in scene["scales"] for each in scale["items"]),
            *(each for part in scene["without_scale"] for each in part["items"]),
        ]
    }
    return {item: _words_or(recipe, item[:8]) for item, recipe in rendition_recipes(items).items()}


def _words_or(recipe: Any, otherwise: str) -> str:
    try:
        return recipe_words(recipe)
    except (TypeError, KeyError, AttributeError):
        return otherwise


def _is_rendition(item: str) -> bool:
    return len(item) == 32 and set(item) <= set("0123456789abcdef")


def _item_words(item: str, renditions: ItemWords) -> str:
    """A recipe in words, one of another maker's as it is; a rendition that is gone by its first digits."""
    if _is_rendition(item):
        return renditions.get(item, item[:8])
    try:
        return _words_or(json.loads(item), item)
    except ValueError:
        return item


def _named(why: str, items: list[str], words: ItemWords) -> str:
    for item in items:
        why = why.replace(item, _item_words(item, words))
    return why


def _scene_name(scene: str) -> str:
    """Without the key that keeps two scenes of one name apart."""
    return scene.rpartition(" (")[0] or scene


def _scene_key(scene: str) -> str:
    return scene.rpartition(" (")[2].removesuffix(")")


def _ranks(ranks: list[int] | None) -> str:
    if ranks is None:
        return "–"
    return str(ranks[0]) if ranks[0] == ranks[1] else f"{ranks[0]} to {ranks[1]}"


def _fit(fit: Found) -> str:
    chi2 = "–" if fit["chi2"] is None else f"{fit['chi2']:.1f}"
    p = f", p = {fit['p']:.3f}" if fit["p"] is not None else ""
    return f"χ² = {chi2} on {fit['df']} degrees of freedom{p}"


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")


# Raters


def _charts(found: Found) -> list[Chart]:
    shares = [share for share in found["agreement"]["with_others"].values() if share is not None]
    if not shares:
        return []
    edges = [k / 20 for k in range(21)]
    counts = [0] * 20
    for share in shares:
        counts[min(int(share * 20), 19)] += 1
    mean = found["agreement"]["share"]
    lines = [Line(at=mean, label="all couples", kind="value")] if mean is not None else []
    return [
        Chart(
            title="How far each rater agrees with the others",
            note=f"Part of the answers that are the same as another rater’s to the same pair; {len(shares):,} raters.",
            svg=histogram(
                edges=edges,
                counts=counts,
                ticks=[(0, "0"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1, "100 %")],
                lines=lines,
                x_label="same answer",
                y_label="raters",
            ),
            columns=("Same answer", "Raters"),
            rows=tuple(
                (f"{100 * low:.0f} to {100 * low + 5:.0f} %", f"{n:,}")
                for low, n in zip(edges, counts, strict=False)
                if n
            ),
        )
    ]


def _outliers(found: Found) -> list[tuple[str, float]]:
    """Raters above the customary limit, most unlike first."""
    if "missing" in found:
        return []
    ranked = sorted(found["above_1.5"], key=lambda rater: -found["scores"][rater])
    return [(rater, found["scores"][rater]) for rater in ranked[:OUTLIERS_SHOWN]]


# Downloads

SCALE_COLUMNS = (
    "scene", "scene_number", "scale", "item", "in_words", "utility", "interval_low", "interval_high", "rank_best", "rank_worst",
    "answers", "raters", "why_no_scale",
)  # fmt: skip


def _scale_rows(name: str, found: Found, words: ItemWords) -> list[list[str | float | None]]:
    rows: list[list[str | float | None]] = []
    scene = [_scene_name(name), _scene_key(name)]
    for k, scale in enumerate(found["scales"], start=1):
        for item in scale["items"]:
            low, high = item["interval"] or (None, None)
            best, worst = item["ranks"] or (None, None)
            rows.append(
                [*scene, k, item["item"], _item_words(item["item"], words), item["utility"], low, high, best, worst,
                 scale["answers"], scale["raters"], None]
            )  # fmt: skip
    for part in found["without_scale"]:
        rows += [
            [
                *scene,
                None,
                item,
                _item_words(item, words),
                *[None] * 7,
                _named(part["why"], part["items"], words),
            ]
            for item in part["items"]
        ]
    return rows


def _recipes_csv(job: StatisticsJob) -> tuple[str, str]:
    return _csv(SCALE_COLUMNS, _scale_rows("", _result(job)["recipes"], {}))


def _scenes_csv(job: StatisticsJob) -> tuple[str, str]:
    scenes = _result(job)["by_scene"]
    words = _rendition_words(scenes)
    return _csv(SCALE_COLUMNS, [row for scene in scenes for row in _scale_rows(scene["scene"], scene, words)])


def _raters_csv(job: StatisticsJob) -> tuple[str, str]:
    found = _result(job)
    scores = found["outliers"].get("scores")
    rows = [
        [rater, share, None if scores is None else scores.get(rater, 0.0)]
        for rater, share in found["agreement"]["with_others"].items()
    ]
    return _csv(("rater", "same_answer_as_others", "outlier_score"), rows)


def _json(job: StatisticsJob) -> tuple[str, str]:
    study = {"study": job.study.slug, "simulated": job.study.is_simulated}
    document = {**study, "computed_from": job.computed_from, **_result(job)}
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n", "application/json"


def _result(job: StatisticsJob) -> Found:
    found: Found = job.result or {}
    return found


def _csv(columns: tuple[str, ...], rows: list[list[str | float | None]]) -> tuple[str, str]:
    return "\ufeff" + csv_text(columns, rows), "text/csv; charset=utf-8"


DOWNLOADS = {
    "all.json": _json,
    "recipes.csv": _recipes_csv,
    "scenes.csv": _scenes_csv,
    "raters.csv": _raters_csv,
}
