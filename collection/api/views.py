"""The participant's API; urls.py says what goes in and out.

Plain views: the way of an answer is short, and a framework around it takes longer than all the rest.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from collection.api.bodies import Refusal, body_read
from collection.cookies import DEVICE_COOKIE, cookie_set
from collection.design.protocol import Protocol
from collection.design.screening import plate_pixels
from collection.models import Question, Session, Study
from collection.selectors.looks import look_address
from collection.selectors.protocols import session_protocol
from collection.selectors.recruiting import session_end
from collection.selectors.sessions import session_state, session_with, takes_answers
from collection.services.answers import answer_record, session_finish
from collection.services.displays import (
    display_confirm,
    display_is_in_question,
    display_record_store,
    session_move,
)
from collection.services.fields import FieldError
from collection.services.phases import PHASES_RECORDED, PLATES, PhaseRefused, phase_record
from collection.services.questions import questions_upcoming
from collection.services.sessions import SessionRefused
from collection.services.undo import UndoRefused, answer_undo
from collection.throttling import SESSION, UNKNOWN, Limit, address_of, seconds_to_wait
from variants.tone.images import encode_image

logger = logging.getLogger(__name__)

UPCOMING = 5
MAX_UPCOMING = 20
ACTIVE_UPCOMING = 3
"""Where questions are chosen as answers come in: what is handed out ahead is chosen without the answers before it."""
ENDS = ("finished", "screened_out", "closed")
OVER = ("questionnaire", "paused", *ENDS)
"""Phases in which nothing is asked any more."""
REFUSALS = {
    "not_found": (404, "not_found", "this session has no such question"),
    "already_answered": (409, "conflict", "the question has another answer already"),
    "session_over": (410, "session_over", "the session is over"),
    "study_closed": (410, "study_closed", "the study is closed and takes no more answers"),
    "study_paused": (503, "study_paused", "the study is taking a break; send it again later"),
    "not_allowed": (403, "not_allowed", "an answer cannot be taken back here"),
    "not_last": (409, "conflict", "only the last answer can be taken back, and this is not the last one"),
}

View = Callable[..., HttpResponseBase]


def api_view(method: str) -> Callable[[View], View]:
    """For one method. The token in the address is the capability: nobody signs in, no cookie is read."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def answer(request: HttpRequest, token: str, **kwargs: Any) -> HttpResponseBase:
            try:
                _refuse_beyond(SESSION, token)
                if request.method != method:
                    raise Refusal(405, "method_not_allowed", f"this address takes {method} only")
                response = view(request, token, **kwargs)
            except Refusal as refusal:
                response = refusal.response()
            except FieldError as error:
                response = Refusal(400, "invalid", str(error)).response()
            except ObjectDoesNotExist:
                response = _no_session(request).response()
            response.headers["Cache-Control"] = "no-store"
            response.headers["Allow"] = method
            return response

        return answer

    return decorate


@api_view("GET")
def session_detail(request: HttpRequest, token: str) -> HttpResponse:
    return JsonResponse(_state(_session(token)))


@api_view("GET")
def question_list(request: HttpRequest, token: str) -> HttpResponse:
    limit = _whole(request, "limit", UPCOMING, 1, MAX_UPCOMING)
    after = _whole(request, "after", -1, -1, 32_767)
    session = _session(token)
    protocol = session_protocol(session)
    if not takes_answers(session.study.status, protocol):
        closed = session.study.status == Study.Status.CLOSED
        raise Refusal(*REFUSALS["study_closed" if closed else "study_paused"])
    over = session.finished_at or session.screened_out_at
    return JsonResponse({"questions": [] if over else _upcoming(session, limit, after)})


@api_view("POST")
def phase_store(request: HttpRequest, token: str, phase: str) -> HttpResponse:
    if phase not in PHASES_RECORDED:
        raise Refusal(404, "not_found", f"a phase is one of {', '.join(PHASES_RECORDED)}")
    data = body_read(request)
    session = _session(token)
    try:
        phase_record(session, phase, data, timezone.now())
    except PhaseRefused as refused:
        present = refused.args[0]
        if f"study_{present}" in REFUSALS:
            raise Refusal(*REFUSALS[f"study_{present}"]) from refused
        raise Refusal(
            409, "out_of_order", f"the session is in the phase {present}, not in {phase}"
        ) from refused
    return JsonResponse(_state(_session(token)))


@api_view("GET")
def plate_image(request: HttpRequest, token: str, phase: str, index: int) -> HttpResponse:
    session = _session(token)
    shown = phase in PLATES and phase in session_protocol(session).phases
    plates = PLATES[phase](session.seed) if shown else ()
    if index >= len(plates):
        raise Refusal(404, "not_found", "this session has no such plate")
    pixels = (plate_pixels(plates[index]) / 255).astype(np.float32)
    return HttpResponse(encode_image(pixels, "png"), content_type="image/png")


@api_view("POST")
def answer_store(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    result = answer_record(
        token,
        _question_token(data),
        data.get("side"),
        data.get("response_ms"),
        data.get("client", {}),
        timezone.now(),
    )
    if result.refusal:
        raise Refusal(*REFUSALS[result.refusal])
    return JsonResponse({"status": result.status, "finished": result.finished})


@api_view("POST")
def answer_take_back(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    question = _question_token(data)
    try:
        status = answer_undo(token, question, data.get("side"), data.get("response_ms"), timezone.now())
    except UndoRefused as refused:
        raise Refusal(*REFUSALS[refused.code]) from refused
    return JsonResponse({"status": status})


@api_view("POST")
def display_store(request: HttpRequest, token: str) -> HttpResponse:
    data = body_read(request)
    session = _session(token)
    stored = display_record_store(session, data)
    return JsonResponse(
        {"status": "stored" if stored else "repeated", "ask": display_is_in_question(session)}
    )


@api_view("POST")
def display_same(request: HttpRequest, token: str) -> HttpResponse:
    same = body_read(request).get("same")
    if not isinstance(same, bool):
        raise Refusal(400, "invalid", "same must be true or false")
    session = _session(token)
    if same:
        display_confirm(session)
        return JsonResponse({"status": "stored"})
    try:
        move = session_move(session, timezone.now())
    except SessionRefused as refused:
        raise _move_refused(session, refused) from refused
    response = JsonResponse({"session": reverse("participant:session-detail", args=[move.session.token])})
    cookie_set(request, response, DEVICE_COOKIE, move.device_token)
    return response


def _session(token: str) -> Session:
    session = session_with(token)
    if session is None:
        raise Session.DoesNotExist
    return session


def _refuse_beyond(limit: Limit, client: str) -> None:
    if wait := seconds_to_wait(limit, client):
        raise Refusal(429, "throttled", f"too many requests; go on in {wait} s", retry_after=wait)


def _no_session(request: HttpRequest) -> Refusal:
    try:
        _refuse_beyond(UNKNOWN, address_of(request))
    except Refusal as refusal:
        return refusal
    return Refusal(404, "not_found", "there is no such session")


def _state(session: Session) -> dict[str, Any]:
    state = session_state(session)
    progress = state.progress
    if (
        state.phase == "main"
        and progress.answered == progress.total
        and session_finish(session.pk, timezone.now())
    ):
        # The last answer was stored, and the server ended before it looked for open ones.
        return _state(_session(session.token))
    found: dict[str, Any] = {
        "phase": state.phase,
        "progress": {"answered": progress.answered, "total": progress.total},
        "practice": {
            "attempt": progress.attempt,
            "attempts": progress.attempts,
            "answered": progress.practice_answered,
            "total": progress.practice_total,
        },
        "breaks": state.breaks,
        "questions": [] if state.phase in OVER else _upcoming(session, UPCOMING, -1),
    }
    if session.is_active:
        found["ahead"] = ACTIVE_UPCOMING
    if state.phase in PLATES:
        found["plates"] = _plates(session, state.phase)
    if state.phase in ENDS:
        found["end"] = session_end(session) | {"look": look_address(session)}
    return found


def _plates(session: Session, phase: str) -> list[dict[str, Any]]:
    return [
        {"index": k, "image": reverse("participant_api:plate-image", args=[session.token, phase, k])}
        for k in range(len(PLATES[phase](session.seed)))
    ]


def _upcoming(session: Session, limit: int, after: int) -> list[dict[str, Any]]:
    protocol = session_protocol(session)
    if session.is_active:
        limit = min(limit, ACTIVE_UPCOMING)
    questions = questions_upcoming(session, limit, now=timezone.now(), after=after)
    return [_question(question, protocol) for question in questions]


def _question(question: Question, protocol: Protocol) -> dict[str, Any]:
    """Whatever tells a check from a main question, or one recipe from another, stays out."""
    practice = question.kind == Question.Kind.PRACTICE
    of = protocol.n_practice if practice else protocol.n_main + protocol.n_checks
    begins = 0 if practice else protocol.n_practice_planned
    return {
        "token": question.token,
        "index": question.index,
        "practice": practice,
        "instructed": question.instructed_side or None,
        "number": (question.index - begins) % of + 1,
        "of": of,
        # Both are shown at one size; the smaller one's pixels are the limit.
        "width": min(question.left.width, question.right.width),
        "height": min(question.left.height, question.right.height),
        "left": _photo(question, "left"),
        "right": _photo(question, "right"),
    }


def _photo(question: Question, side: str) -> str:
    return reverse("participant:photo", kwargs={"question": question.public_id, "side": side})


def _question_token(data: dict[str, Any]) -> str:
    token = data.get("question")
    if not isinstance(token, str) or not token.isalnum() or not token.isascii():
        raise Refusal(400, "invalid", "question must be the token of a question")
    return token


def _move_refused(session: Session, refused: SessionRefused) -> Refusal:
    """Why no session can begin on the other screen."""
    logger.warning("no session on another screen: %s", refused)
    session.study.refresh_from_db()
    if session.study.status == Study.Status.CLOSED:
        return Refusal(*REFUSALS["study_closed"])
    return Refusal(*REFUSALS["study_paused"])


def _whole(request: HttpRequest, name: str, default: int, low: int, high: int) -> int:
    value = request.GET.get(name, str(default))
    try:
        number = int(value) if len(value) <= 6 else low - 1
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise Refusal(
            400, "invalid", f"{name} is {value[:40]!r}; it must be a whole number from {low} to {high}"
        )
    return number
