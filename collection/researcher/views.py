"""Pages about studies, for researchers who are signed in."""

from dataclasses import dataclass
from typing import TypeVar

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.design.intervals import proportion_interval
from collection.design.protocol import Protocol
from collection.models import Export, Rater, Study, Verdict
from collection.researcher.charts import interval_bar
from collection.researcher.jobs import job_cancel, job_progress
from collection.researcher.study_charts import study_charts
from collection.researcher.thumbnails import thumbnail
from collection.researcher.words import (
    SIMULATED_MEANING,
    STATUS_ACTIONS,
    STATUS_MEANING,
    percent,
    percents,
    protocol_settings,
    reason_words,
    recipe_words,
    seconds,
)
from collection.selectors.research import (
    RaterFigures,
    RaterRow,
    SceneSheet,
    StudyFigures,
    protocol_hashes,
    rater_rows,
    raters_of_study,
    scene_sheets,
    scenes_of_study,
    studies_summaries,
    study_figures,
)
from collection.services import exports, renditions, studies, verdicts
from collection.services.studies import StudyError
from variants.models import Rendition

RATERS_PER_PAGE = 50
SCENES_PER_PAGE = 6
EXPORTS_PER_PAGE = 10
CONTACT_PX = 160
"""Long side of a contact on the page."""
Row = TypeVar("Row")
ONE_YEAR = 365 * 24 * 3600


@login_required
@require_safe
def study_list(request: HttpRequest) -> HttpResponse:
    return render(
        request, "researcher/study_list.html", {"area": "studies", "summaries": studies_summaries()}
    )


@login_required
@require_safe
def study_detail(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    protocol = Protocol.from_json(study.protocol)
    figures = study_figures(study, rule_set=protocol.rules.name, fast_below_ms=protocol.rules.min_response_ms)
    context = {
        "area": "studies",
        "study": study,
        "figures": figures,
        "valid_interval": _valid_interval(figures),
        "reasons": [(reason_words(name), n) for name, n in figures.reasons.most_common()],
        "charts": study_charts(figures, protocol),
        # A draft without pairs has nothing to open; the page says what is next instead.
        "actions": STATUS_ACTIONS[study.status] if figures.n_pairs else (),
        "status_meaning": SIMULATED_MEANING
        if study.is_simulated and study.status == "open"
        else STATUS_MEANING[study.status],
        "participant_address": request.build_absolute_uri(
            reverse("participant:study-landing", args=[study.slug])
        ),
    }
    return render(request, "researcher/study_detail.html", context)


@login_required
@require_POST
def study_open(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
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
    study = _study(request, slug)
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
    study = _study(request, slug)
    error = ""
    if request.method == "POST":
        if request.POST.get("slug", "").strip() == study.slug:
            return _study_close(request, study)
        error = f"That is not the study's name; write {study.slug}."
    context = {
        "area": "studies",
        "study": study,
        "error": error,
        "n_under_way": study.sessions.filter(finished_at=None).count(),
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


@login_required
@require_safe
def study_people(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    rules = Protocol.from_json(study.protocol).rules
    page = _page(request, Paginator(raters_of_study(study, rule_set=rules.name), RATERS_PER_PAGE))
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "rows": [rater_line(row, rules.min_consistency) for row in rater_rows(page)],
        "limit": percent(rules.min_consistency),
        "rule_set": rules.name,
    }
    return render(request, "researcher/study_people.html", context)


@login_required
@require_POST
def study_judge(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    verdicts.verdicts_compute(study)
    messages.success(request, "All raters are judged by the study's rule set.")
    return redirect("researcher:study-people", slug)


@login_required
@require_safe
def study_scenes(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    page = _page(request, Paginator(scenes_of_study(study), SCENES_PER_PAGE))
    context = {
        "area": "studies",
        "study": study,
        "page": page,
        "sheets": [contact_sheet(sheet) for sheet in scene_sheets(page)],
        "can_change": study.status == Study.Status.DRAFT,
    }
    return render(request, "researcher/study_scenes.html", context)


@login_required
@require_POST
def rendition_reject(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study, rendition = _study(request, slug), _rendition(slug, public_id)
    try:
        n_pairs = renditions.rendition_reject(study, rendition)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(request, f"Thrown out, and with it {_pairs(n_pairs)}.")
    return _back_to_scene(request, study, rendition)


@login_required
@require_POST
def rendition_restore(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    study, rendition = _study(request, slug), _rendition(slug, public_id)
    try:
        n_pairs = renditions.rendition_restore(study, rendition)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
    else:
        messages.success(request, f"Taken back, and with it {_pairs(n_pairs)}.")
    return _back_to_scene(request, study, rendition)


@login_required
@require_safe
def rendition_thumbnail(request: HttpRequest, public_id: str) -> HttpResponse:
    rendition = get_object_or_404(Rendition, public_id=public_id)
    if not rendition.image:
        raise Http404("This rendition has no image.")
    try:
        with rendition.image.open("rb") as file:
            reply = HttpResponse(thumbnail(file.read()), content_type="image/jpeg")
    except FileNotFoundError as error:
        raise Http404("The image's file is gone.") from error
    # A rendition's bytes never change: another recipe is another rendition.
    reply["Cache-Control"] = f"private, max-age={ONE_YEAR}, immutable"
    return reply


@login_required
@require_safe
def study_protocol(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    protocol = Protocol.from_json(study.protocol)
    hashes = protocol_hashes(study)
    context = {
        "area": "studies",
        "study": study,
        "protocol": protocol,
        "sections": protocol_settings(protocol),
        "rule_set": protocol.rules.name,
        "n_sessions": hashes.total(),
        "n_other_hashes": hashes.total() - hashes[protocol.sha256],
    }
    return render(request, "researcher/study_protocol.html", context)


@login_required
@require_safe
def study_datasets(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    page = _page(request, Paginator(study.exports.all(), EXPORTS_PER_PAGE))
    return render(
        request, "researcher/study_datasets.html", {"area": "studies", "study": study, "page": page}
    )


@login_required
@require_POST
def export_create(request: HttpRequest, slug: str) -> HttpResponse:
    study = _study(request, slug)
    try:
        export = exports.export_create(study)
    except StudyError as error:
        messages.error(request, capfirst(str(error)))
        return redirect("researcher:study-datasets", slug)
    export.enqueue()
    return redirect("researcher:export-detail", export.public_id)


@login_required
@require_safe
def export_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    export = _export(request, public_id)
    context = {
        "area": "studies",
        "study": export.study,
        "export": export,
        "load_lines": _load_lines(export.folder),
    }
    return render(request, "researcher/export_detail.html", context)


@login_required
@require_safe
def export_progress(request: HttpRequest, public_id: str) -> JsonResponse:
    return job_progress(_export(request, public_id))


@login_required
@require_POST
def export_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    job_cancel(request, _export(request, public_id), "export")
    return redirect("researcher:export-detail", public_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterLine:
    """A rater as the table shows them."""

    rater: Rater
    simulated: bool
    session_state: str
    figures: RaterFigures
    consistency_bar: SafeString
    interval: str
    median_response: str
    left_share: str
    verdict: Verdict | None
    reasons: list[str]


def rater_line(row: RaterRow, min_consistency: float) -> RaterLine:
    figures = row.figures
    interval = proportion_interval(figures.n_agreed, figures.n_checks)
    return RaterLine(
        rater=row.rater,
        simulated=row.rater.simulation is not None,
        session_state=_session_state(row),
        figures=figures,
        consistency_bar=interval_bar(
            figures.n_agreed, figures.n_checks, interval, limit=min_consistency, chance=0.5
        ),
        interval=percents(interval),
        median_response=seconds(figures.median_response_ms),
        left_share=percent(figures.n_left / figures.n_main) if figures.n_main else "–",
        verdict=row.verdict,
        reasons=[reason_words(name) for name in row.verdict.reasons] if row.verdict else [],
    )


def _session_state(row: RaterRow) -> str:
    if row.session is None:
        return "not begun"
    return "under way" if row.session.finished_at is None else "finished"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    rendition: Rendition
    recipe: str
    width: int
    height: int


def contact_sheet(sheet: SceneSheet) -> dict[str, object]:
    return {
        "scene": sheet.scene,
        "split": sheet.split,
        "n_pairs": sheet.n_pairs,
        "renditions": sheet.renditions,
        "tiles": [_contact(rendition) for rendition in sheet.renditions],
    }


def _contact(rendition: Rendition) -> Contact:
    scale = CONTACT_PX / max(rendition.width, rendition.height, 1)
    return Contact(
        rendition=rendition,
        recipe=recipe_words(rendition.recipe),
        width=round(rendition.width * scale),
        height=round(rendition.height * scale),
    )


def _study(request: HttpRequest, slug: str) -> Study:
    """Every signed-in researcher may see and change every study."""
    return get_object_or_404(Study, slug=slug)


def _export(request: HttpRequest, public_id: str) -> Export:
    return get_object_or_404(Export.objects.select_related("study"), public_id=public_id)


def _rendition(slug: str, public_id: str) -> Rendition:
    return get_object_or_404(Rendition, public_id=public_id, scene__studies__slug=slug)


def _page(request: HttpRequest, paginator: "Paginator[Row]") -> "Page[Row]":
    """Page 1 where the number is none, the last page where it is too high."""
    return paginator.get_page(request.GET.get("page"))


def _pairs(n: int) -> str:
    return f"{n} pair" if n == 1 else f"{n} pairs"


def _back_to_scene(request: HttpRequest, study: Study, rendition: Rendition) -> HttpResponse:
    """To the page of the sheets that was looked at, down to the scene."""
    number = request.POST.get("page", "1")
    page = f"?page={number}" if number.isdecimal() and number != "1" else ""
    address = reverse("researcher:study-scenes", args=[study.slug])
    return redirect(f"{address}{page}#scene-{rendition.scene.public_id}")


def _valid_interval(figures: StudyFigures) -> str:
    if not figures.n_judged:
        return ""
    low, high = proportion_interval(figures.n_valid, figures.n_judged)
    return f"{percent(figures.n_valid / figures.n_judged)}, 95 % interval {percents((low, high))}"


def _load_lines(folder: str) -> str:
    return "\n".join(
        (
            "from datasets import load_dataset",
            f'judgments = load_dataset("{folder}", "judgments")',
            f'raters = load_dataset("{folder}", "raters")',
        )
    )
