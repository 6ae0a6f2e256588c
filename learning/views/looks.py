"""A participant's look: its page, and what the page asks for. Whoever has the session's address may do all of it.

Addresses below /look/TOKEN/, TOKEN being the session's:

POST begin/                      →  200 STATE; the workers are told to make the look where there is none yet
GET  state/                      →  200 STATE
    {"state": "making" | "ready" | "failed", "waited": seconds that nobody has begun, "is_at_work": false,
     "answers": 80, "is_over": true, "version": 3,
     "photos": [{"index", "own", "packaged", "version", "is_current", "fault", "width", "height", "attribution", "keep_until",
                 "pictures": {"before", "after", "strong", "thumb"} | null}],
     "sliders": [{"name", "low", "high", "neutral", "learned", "value"}],
     "files": {ID: {"state", "what", "address"}}}
POST adjust/  {"strengths": {"exposure": 0.2}, "photo": 0}   →  200 STATE; concepts that are not named are as learned
POST dial/    {"strength": 1.2, "photo": 0}                  →  200 STATE
POST photos/  a photo's bytes                                →  201 {"index": 4}; kept for KEEP_OWN, JPEG, PNG, HEIC …
POST photos/4/delete/                                        →  200 STATE
GET  photos/4/before|after|strong|thumb/                          →  200 image/jpeg
POST files/   {"photo": 4, "what": "photo" | "cube" | "card", "strength": 1.0}  →  201 {"file": ID}
GET  files/ID/                                               →  200, once its state is "done"

What goes wrong is {"error": code, "detail": sentence}, as in collection/api/urls.py; besides
    409 not_ready · too_many     the photo is not rendered yet; too many photos of one's own
    410 no_look                  there is no look for this session (any more)
    413 too_large · 429 busy     as they say
"""

from pathlib import Path
from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from collection.api.bodies import Refusal, body_read
from collection.api.views import api_view
from collection.models import Session
from collection.participant.pages import notice_render, page_render, participant_page, speak_on
from collection.participant.words import text_on
from collection.selectors.sessions import session_with
from collection.throttling import Limit, seconds_to_wait
from learning import services
from learning.looks import (
    FEWEST_ANSWERS,
    MOST_ANSWERS,
    PICTURES,
    look_answers,
    look_offered,
    look_state,
    photos_kept,
)
from learning.models import Look, LookOrder, LookPhoto
from learning.services.looks import KEEP_OWN, MAX_OWN, LookRefused, look_file_path
from learning.services.photos import MAX_BYTES, MAX_PIXELS
from variants.jobs import Job

UPLOADS = Limit(name="look_uploads", requests=20, seconds=3600)
ORDERS = Limit(name="look_orders", requests=120, seconds=60)
"""Of one session: whoever drags a slider asks once a moment."""
STATUS = {"busy": 429, "too_large": 413, "too_many": 409, "not_ready": 409, "invalid": 400}
DOWNLOADS = {
    LookOrder.What.PHOTO: ("my-look.jpg", "image/jpeg"),
    LookOrder.What.CUBE: ("my-look.cube", "text/plain"),
    LookOrder.What.CARD: ("my-look-card.jpg", "image/jpeg"),
}


@require_safe
@participant_page
def look_page(request: HttpRequest, token: str) -> HttpResponse:
    session = session_with(token)
    if session is None:
        return notice_render(request, "no_session")
    protocol = speak_on(request, session)
    found = look_offered(session)
    return page_render(
        request,
        "look",
        session.study,
        session=session,
        is_offered=found is not None,
        is_simulated=bool(found and found.learner.is_simulated),
        n_missing=max(0, FEWEST_ANSWERS - look_answers(session).count()),
        most_answers=MOST_ANSWERS,
        surround=protocol.surround,
        text_on_surround=text_on(protocol.surround),
        max_own=MAX_OWN,
        max_bytes=MAX_BYTES,
        max_megabytes=MAX_BYTES // 10**6,
        max_megapixels=MAX_PIXELS // 10**6,
        keep_hours=KEEP_OWN.total_seconds() // 3600,
        withdraw_address=reverse("participant:session-withdraw", args=[session.token]),
    )


@api_view("POST")
def look_begin(request: HttpRequest, token: str) -> HttpResponse:
    session = _session(token)
    found = look_offered(session)
    if found is None:
        raise _no_look()
    return _told(services.look_ask(session, found))


@api_view("GET")
def look_show(request: HttpRequest, token: str) -> HttpResponse:
    return _told(_look(token))


@api_view("POST")
def look_adjust(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    strengths = data.get("strengths")
    if not isinstance(strengths, dict) or not all(_is_number(value) for value in strengths.values()):
        raise Refusal(400, "invalid", "strengths must be an object with a number for each concept")
    look = _look(token)
    _refuse_beyond(ORDERS, token)
    with _Refusing():
        services.look_adjust(look, strengths, _whole(data, "photo"))
    return _told(_look(token))


@api_view("POST")
def look_dial(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    look = _look(token)
    with _Refusing():
        services.look_dial(look, _number(data, "strength"), _whole(data, "photo"))
    return _told(look)


@api_view("POST")
def photo_add(request: HttpRequest, token: str) -> HttpResponse:
    look = _look(token)
    _refuse_beyond(UPLOADS, token)
    with _Refusing():
        photo = services.look_photo_add(look, request, int(request.META.get("CONTENT_LENGTH") or 0))
    return JsonResponse({"index": photo.index}, status=201)


@api_view("POST")
def photo_delete(request: HttpRequest, token: str, index: int) -> HttpResponse:
    look = _look(token)
    photo = look.photos.filter(index=index, is_own=True).first()
    if photo is not None:  # deleted twice is deleted
        services.look_photo_delete(photo)
    return _told(look)


@api_view("GET")
def photo_picture(request: HttpRequest, token: str, index: int, name: str) -> HttpResponseBase:
    photo = _photo(_look(token), index)
    if name not in PICTURES or not photo.version:
        raise Refusal(404, "not_found", "there is no such picture")
    file = "before.jpg" if name == "before" else f"{photo.version}-{name}.jpg"
    return _file_response(photo.folder / file, "image/jpeg")


@api_view("POST")
def file_order(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    look = _look(token)
    index = _whole(data, "photo")
    if index is None:
        raise Refusal(400, "invalid", "photo must be the number of a photo")
    _refuse_beyond(ORDERS, token)
    with _Refusing():
        order = services.look_file_order(
            look, _photo(look, index), str(data.get("what")), _number(data, "strength")
        )
    return JsonResponse({"file": order.public_id}, status=201)


@api_view("GET")
def file_fetch(request: HttpRequest, token: str, public_id: str) -> HttpResponseBase:
    look = _look(token)
    order = look.orders.filter(public_id=public_id, state=Job.State.DONE).first()
    if order is None or order.what not in DOWNLOADS:
        raise Refusal(404, "not_found", "there is no such file")
    name, content_type = DOWNLOADS[LookOrder.What(order.what)]
    return _file_response(look_file_path(look, order), content_type, name)


class _Refusing:
    """What a service refuses, as the page reads it."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LookRefused):
            raise Refusal(STATUS[error.code], error.code, str(error)) from error


def _file_response(path: Path, content_type: str, name: str = "") -> FileResponse:
    try:
        file = path.open("rb")
    except OSError as error:
        raise Refusal(404, "not_found", "the file is gone") from error
    response = FileResponse(file, as_attachment=bool(name), filename=name, content_type=content_type)
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _session(token: str) -> Session:
    session = session_with(token)
    if session is None:
        raise Session.DoesNotExist
    return session


def _look(token: str) -> Look:
    """The session's look, where it may still be seen."""
    session = _session(token)
    look = Look.objects.filter(session=session).select_related("learner").first()
    if look is None or look_offered(session) is None:
        raise _no_look()
    look.session = session
    return look


def _photo(look: Look, index: int) -> LookPhoto:
    photo = photos_kept(look).filter(index=index).first()
    if photo is None:
        raise Refusal(404, "not_found", "there is no such photo")
    photo.look = look
    return photo


def _no_look() -> Refusal:
    return Refusal(410, "no_look", "there is no look for this session")


def _told(look: Look) -> JsonResponse:
    state = look_state(look)
    return JsonResponse(state | {"is_over": look.session.finished_at is not None})


def _refuse_beyond(limit: Limit, token: str) -> None:
    if wait := seconds_to_wait(limit, token):
        raise Refusal(429, "busy", f"too many requests; go on in {wait} s", retry_after=wait)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(data: dict[str, Any], name: str) -> float:
    value = data.get(name)
    if not _is_number(value):
        raise Refusal(400, "invalid", f"{name} must be a number")
    return float(value)  # type: ignore[arg-type]


def _whole(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 32_767:
        raise Refusal(400, "invalid", f"{name} must be a whole number from 0")
    return value
