"""What is read of participants' looks: for whom there is one, from which answers, on which photos. No torch."""

import random
from collections.abc import Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from collection.models import Question, Session, Study
from learning.models import Look, LookOrder, LookPhoto, StudyLook
from learning.systems import MAX_STRENGTH
from learning.systems.concepts import SLIDERS
from variants.jobs import Job
from variants.models import Rendition, Scene
from variants.sources.packaged import PHOTOS

FEWEST_ANSWERS = 10
"""For a first look, half-way."""
MOST_ANSWERS = 64
"""Read for a look, the last ones: more take longer than anybody wants to wait."""
N_PHOTOS = 4
"""Of the study, that a look is shown on."""
NEUTRAL: dict[str, list[object]] = {"steps": []}
STRENGTHS = {"after": 1.0, "strong": MAX_STRENGTH}
"""Pictures of a photo by name, and the strength of each; the page mixes what lies between them."""
PICTURES = ("before", *STRENGTHS, "thumb")


def study_look_of(study: Study) -> StudyLook | None:
    """The open look of a study, or of that which it is a preview of."""
    return (
        StudyLook.objects.filter(
            study=study.preview_of_id or study.pk,
            is_open=True,
            learner__state=Job.State.DONE,
            study__erased_at=None,
        )
        .select_related("learner")
        .first()
    )


def look_answers(session: Session) -> "QuerySet[Question]":
    """The answers that a taste is read from: this rater's main ones that choose a side, the last ones first."""
    return Question.objects.filter(
        session__rater=session.rater_id,
        kind=Question.Kind.MAIN,
        chosen_side__in=(Question.Side.LEFT, Question.Side.RIGHT),
    ).order_by("-answered_at", "-pk")


def look_offered(session: Session) -> StudyLook | None:
    """The look that this person may have now: at the end, or half-way once there are answers enough."""
    found = study_look_of(session.study)
    if found is None or session.screened_out_at:
        return None
    if not session.finished_at and not found.shows_early:
        return None
    fewest = 1 if session.finished_at else FEWEST_ANSWERS
    return found if look_answers(session)[:fewest].count() >= fewest else None


def look_address(session: Session) -> str:
    return reverse("look:page", args=[session.token]) if look_offered(session) else ""


def look_scenes(session: Session) -> list[Scene]:
    """Scenes of the study of which the person is asked nothing, in an order of their own; N_PHOTOS at most."""
    asked = Question.objects.filter(session__rater=session.rater_id).values("pair__scene")
    shown = Rendition.objects.filter(recipe=NEUTRAL, state=Rendition.State.RENDERED).exclude(image="")
    scenes = Scene.objects.filter(
        ~Q(original="") | Q(pk__in=shown.values("scene")), studies=session.study
    ).exclude(pk__in=asked)
    keys = sorted(scenes.values_list("pk", flat=True))
    chosen = random.Random(session.seed).sample(keys, min(N_PHOTOS, len(keys)))
    found = Scene.objects.in_bulk(chosen)
    return [found[key] for key in chosen if key in found]


def neutral_of(scenes: Sequence[int], long_side: int) -> dict[int, Rendition]:
    """The untouched rendition of each scene that has one: of the study's size where there are several."""
    rows = Rendition.objects.filter(scene__in=scenes, recipe=NEUTRAL, state=Rendition.State.RENDERED).exclude(
        image=""
    )
    fitting = sorted(rows, key=lambda row: (row.long_side != long_side, row.public_id), reverse=True)
    return {row.scene_id: row for row in fitting}


def packaged_names() -> list[str]:
    """Photos that the packages carry, for a study of which the person has seen all."""
    return [photo.name for photo in PHOTOS[:N_PHOTOS]]


def attribution_of(photo: LookPhoto) -> str:
    """Whom a photo is owed to, where its licence asks to say so."""
    if photo.packaged:
        found = next((each for each in PHOTOS if each.name == photo.packaged), None)
        return f"{found.attribution}, {found.licence}" if found else ""
    return photo.scene.attribution if photo.scene else ""


def adjusted_last(look: Look) -> dict[str, float]:
    """Concept → where the person left it, in the order in which they did: a slider on its way is no answer."""
    rows = look.adjustments.filter(concept__in=look.learned).order_by("pk")
    last: dict[str, float] = {}
    for concept, value in rows.values_list("concept", "value"):
        last.pop(concept, None)
        last[concept] = value
    return last


def photos_kept(look: Look) -> "QuerySet[LookPhoto]":
    """Without those whose time is over."""
    return look.photos.filter(Q(keep_until=None) | Q(keep_until__gt=timezone.now())).select_related("scene")


def look_state(look: Look) -> dict[str, Any]:
    """What the page is told whenever it asks."""
    orders = list(look.orders.order_by("-pk")[:20])
    reading = next((order for order in orders if order.what == LookOrder.What.READ), None)
    photos = list(photos_kept(look))
    return {
        "state": _state_of(look, reading, photos),
        "waited": _waited(reading),
        "is_at_work": any(order.state == Job.State.RUNNING for order in orders),
        "answers": look.n_answers,
        "version": look.version,
        "photos": [_photo_state(look, photo, orders) for photo in photos],
        "sliders": _sliders(look),
        "files": {order.public_id: _file_state(look, order) for order in orders if _is_file(order)},
    }


def _state_of(look: Look, reading: LookOrder | None, photos: Sequence[LookPhoto]) -> str:
    """One of ready, making and failed."""
    if look.n_answers and any(photo.version for photo in photos):
        return "ready"
    return "failed" if reading and reading.state in (Job.State.FAILED, Job.State.CANCELLED) else "making"


def _waited(order: LookOrder | None) -> float:
    """Seconds since the taste was asked for, while nobody has it."""
    if order is None or order.state != Job.State.QUEUED:
        return 0.0
    return round((timezone.now() - order.created_at).total_seconds(), 1)


def _photo_state(look: Look, photo: LookPhoto, orders: Sequence[LookOrder]) -> dict[str, Any]:
    token = look.session.token
    return {
        "index": photo.index,
        "own": photo.is_own,
        "packaged": bool(photo.packaged),
        "version": photo.version,
        "is_current": photo.version == look.version,
        "fault": photo.fault or _fault_of(photo, orders),
        "width": photo.width,
        "height": photo.height,
        "attribution": attribution_of(photo),
        "keep_until": photo.keep_until.isoformat() if photo.keep_until else None,
        "pictures": {
            name: reverse("look:picture", args=[token, photo.index, name]) + f"?v={photo.version}"
            for name in PICTURES
        }
        if photo.version
        else None,
    }


def _fault_of(photo: LookPhoto, orders: Sequence[LookOrder]) -> str:
    """That the workers gave it up, or none could be told of it."""
    own = next((order for order in orders if order.photo_id == photo.pk and not _is_file(order)), None)
    return "no_worker" if own and own.state == Job.State.FAILED and not photo.version else ""


def _sliders(look: Look) -> list[dict[str, Any]]:
    """Concepts of the taste that a LUT can hold, with what was learned and what was set."""
    known = SLIDERS.get(look.learner.system, {})
    return [
        {
            "name": name,
            "low": known[name].low,
            "high": known[name].high,
            "neutral": known[name].neutral,
            "learned": learned,
            "value": look.strengths.get(name, learned),
        }
        for name, learned in look.learned.items()
        if name in known and known[name].is_color_map
    ]


def _is_file(order: LookOrder) -> bool:
    return order.what not in (LookOrder.What.READ, LookOrder.What.RENDER)


def _file_state(look: Look, order: LookOrder) -> dict[str, Any]:
    return {
        "state": order.state,
        "what": order.what,
        "address": reverse("look:file", args=[look.session.token, order.public_id]),
    }


def look_data(session: Session) -> dict[str, Any]:
    """What is stored of a session's look, for whoever asks what is known of them."""
    look = Look.objects.filter(session=session).first()
    if look is None:
        return {}
    return {
        "look": {
            "made_at": look.created_at.isoformat(),
            "run": look.learner.public_id,
            "n_answers": look.n_answers,
            "learned": look.learned,
            "strengths": look.strengths,
            "own_photos": look.photos.filter(is_own=True).count(),
            "adjustments": [
                {
                    "concept": row.concept,
                    "value": row.value,
                    "photo": row.photo.scene.public_id if row.photo and row.photo.scene else None,
                    "set_at": row.set_at.isoformat(),
                }
                for row in look.adjustments.select_related("photo__scene")
            ],
        }
    }


def look_asked(sender: type, session: Session, **_: Any) -> str:
    """Answers `collection.signals.look_asked`."""
    return look_address(session)


def looks_asked(sender: type, study: Study, **_: Any) -> bool:
    """Answers `collection.signals.looks_asked`."""
    return study_look_of(study) is not None


def session_data_asked(sender: type, session: Session, **_: Any) -> dict[str, Any]:
    """Answers `collection.signals.session_data_asked`."""
    return look_data(session)
