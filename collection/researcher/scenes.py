"""Pages about what a study shows: contact sheets, and renditions thrown out of it."""

from collections import Counter
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import capfirst
from django.views.decorators.http import require_POST, require_safe

from collection.access import scenes_of, study_for
from collection.models import Role, Study
from collection.researcher.pages import page_of
from collection.researcher.thumbnails import thumbnail
from collection.researcher.words import (
    recipe_words,
)
from collection.selectors.research import (
    SceneSheet,
    scene_sheets,
    scenes_of_study,
)
from collection.services import renditions
from collection.services.studies import StudyError
from variants.models import Rendition

SCENES_PER_PAGE = 6
CONTACT_PX = 160
"""Long side of a contact on the page."""
ONE_YEAR = 365 * 24 * 3600


@login_required
@require_safe
def study_scenes(request: HttpRequest, slug: str) -> HttpResponse:
    study = study_for(request, slug)
    page = page_of(request, Paginator(scenes_of_study(study), SCENES_PER_PAGE))
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
    study, rendition = study_for(request, slug, Role.EDITOR), _rendition(slug, public_id)
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
    study, rendition = study_for(request, slug, Role.EDITOR), _rendition(slug, public_id)
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
    rendition = get_object_or_404(Rendition, public_id=public_id, scene__in=scenes_of(request.user))
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    rendition: Rendition
    recipe: str
    width: int
    height: int


def contact_sheet(sheet: SceneSheet) -> dict[str, object]:
    states = Counter(rendition.state for rendition in sheet.renditions)
    return {
        "scene": sheet.scene,
        "split": sheet.split,
        "n_pairs": sheet.n_pairs,
        "n_groups": sheet.n_groups,
        "n_unpaired": sheet.n_unpaired,
        "n_in_use": states[Rendition.State.RENDERED],
        "states_apart": [
            (n, state.label)
            for state in Rendition.State
            if (n := states[state]) and state != Rendition.State.RENDERED
        ],
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


def _rendition(slug: str, public_id: str) -> Rendition:
    return get_object_or_404(Rendition, public_id=public_id, scene__studies__slug=slug)


def _pairs(n: int) -> str:
    return f"{n} pair" if n == 1 else f"{n} pairs"


def _back_to_scene(request: HttpRequest, study: Study, rendition: Rendition) -> HttpResponse:
    """To the page of the sheets that was looked at, down to the scene."""
    number = request.POST.get("page", "1")
    page = f"?page={number}" if number.isdecimal() and number != "1" else ""
    address = reverse("researcher:study-scenes", args=[study.slug])
    return redirect(f"{address}{page}#scene-{rendition.scene.public_id}")
