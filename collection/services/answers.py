"""Answers: each claims its question once; whatever cannot be the answer is kept apart."""

import datetime as dt
import json
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from django.db import connection, transaction

from collection.design.protocol import Protocol
from collection.models import ConflictingAnswer, Question, Session, Study
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_locked, takes_answers
from collection.services.active import questions_choose_soon
from collection.services.fields import FieldError, json_kind, number, one_of, record_clean, text, whole
from collection.services.phases import practice_settle
from collection.services.sessions import session_places_take
from collection.services.verdicts import verdicts_compute
from collection.services.webhooks import session_event

MAX_RESPONSE_MS = 3_600_000
MAX_CONFLICTS = 20
"""Kept for one question; a program that goes on sending fills no disk."""

CLIENT_FIELDS = {
    "missing_time": text(100),  # why response_ms is null
    "input": one_of("key", "mouse", "touch", "pen"),
    "layout": one_of("row", "column"),
    "viewport_width": whole(0, 100_000),
    "viewport_height": whole(0, 100_000),
    "pixel_ratio": number(0.1, 20),
    "shown_width": number(0, 100_000),  # of each photo, in CSS pixels
    "shown_height": number(0, 100_000),
    "shown_at": whole(0, 10**14),  # both painted, milliseconds since 1970 by the client's clock
    "chosen_at": whole(0, 10**14),
    "hidden_count": whole(0, 10_000),  # how often the page was out of sight while the pair was shown
    "hidden_ms": whole(0, 10**9),
    "image_retries": whole(0, 1000),
    "zoom_count": whole(0, 10_000),  # how often both photos were looked at closely
    "zoom_ms": whole(0, 10**9),
}
# All that can change while it waits for another UPDATE stands on the question's own row.
STORE_AT_ONCE = """
    UPDATE collection_question
    SET chosen_side = %(chosen_side)s, response_ms = %(response_ms)s, client = %(client)s, answered_at = %(now)s,
        elapsed_ms = CASE WHEN %(now)s >= served_at THEN round(1000 * extract(epoch FROM %(now)s - served_at)) END
    WHERE token = %(question)s AND kind <> 'practice' AND answered_at IS NULL AND undone = 0
        AND session_id = (
            SELECT session.id
            FROM collection_session AS session JOIN collection_study AS study ON study.id = session.study_id
            WHERE session.token = %(session)s AND session.screened_out_at IS NULL
                AND session.places_returned_at IS NULL AND study.status = 'open'
        )
    RETURNING session_id, (SELECT is_active FROM collection_session WHERE id = session_id)
"""
SIDES = frozenset(Question.Side.values)
is_response_ms = whole(0, MAX_RESPONSE_MS)
Reason = ConflictingAnswer.Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerResult:
    status: str
    """stored, repeated or refused."""
    refusal: str = ""
    """not_found, study_paused, or one of ConflictingAnswer.Reason where the answer is kept apart."""
    finished: bool = False
    """Whether the session has all its answers."""


class Asked(NamedTuple):
    """What an answer is held against: its question, session and study in one look."""

    question: int
    kind: str
    served_at: dt.datetime | None
    chosen_side: str
    response_ms: int | None
    undone: int
    session: int
    finished_at: dt.datetime | None
    screened_out_at: dt.datetime | None
    places_returned_at: dt.datetime | None
    is_active: bool
    study: int
    study_status: str


def answer_record(
    session_token: str,
    question_token: str,
    side: object,
    response_ms: object,
    client: object,
    now: dt.datetime,
) -> AnswerResult:
    """Store an answer, in any order of questions; the last one finishes the session.

    Raises FieldError, and stores nothing, when a field cannot be true.
    """
    answer = _answer_clean(side, response_ms, client)
    try:
        return _record(session_token, question_token, answer, now)
    except (Session.DoesNotExist, Study.DoesNotExist):  # withdrawn or deleted this moment
        return AnswerResult(status="refused", refusal="not_found")


def answer_require(side: object, response_ms: object) -> None:
    """Raise FieldError for what can be no answer."""
    if not isinstance(side, str) or side not in SIDES:
        raise FieldError(
            f"side is {_short(side)}; it must be left or right, or tie where the study allows it"
        )
    if response_ms is not None and not is_response_ms(response_ms):
        raise FieldError(
            f"response_ms is {_short(response_ms)}; it must be a whole number from 0 to {MAX_RESPONSE_MS}"
        )


def session_finish(session_key: int, now: dt.datetime) -> bool:
    """Finish a session if all its questions are answered; whether it is finished.

    It has to look after the commit of the answer: of two last answers that come at once,
    whoever looks later sees both.
    """
    if _has_open_questions(session_key):
        return False
    with transaction.atomic():
        # An answer is taken back under the same lock, and none of a session that is finished.
        session = session_locked(pk=session_key)
        if session.screened_out_at or _has_open_questions(session_key):
            return False
        if session.finished_at is None:
            session.finished_at = now
            session.save(update_fields=["finished_at"])
            session_event(session)
            if session.study.preview_of_id is None:
                # After the commit: whatever a verdict meets, the answer is kept.
                judge = partial(verdicts_compute, session.study, rater=session.rater)
                transaction.on_commit(judge, robust=True)
    return True


def _answer_clean(side: object, response_ms: object, client: object) -> dict[str, Any]:
    answer_require(side, response_ms)
    record = record_clean(client, CLIENT_FIELDS, "client")
    if response_ms is None and not record.get("missing_time"):
        raise FieldError("response_ms is null; client.missing_time must then say why")
    return {"chosen_side": side, "response_ms": response_ms, "client": record}


def _short(value: object) -> str:
    return json.dumps(value)[:40] if isinstance(value, str | int | float) else json_kind(value)


def _record(
    session_token: str, question_token: str, answer: dict[str, Any], now: dt.datetime
) -> AnswerResult:
    if at_once := _store_at_once(session_token, question_token, answer, now):
        return _stored(*at_once, now)
    while asked := _asked(session_token, question_token):
        if result := _result_without_storing(asked, answer, now):
            return result
        if _store(asked, answer, now):
            return _stored(asked.session, asked.is_active, now)
        # Somebody changed the question since it was looked at: look again.
    return AnswerResult(status="refused", refusal="not_found")


def _stored(session_key: int, is_active: bool, now: dt.datetime) -> AnswerResult:
    finished = session_finish(session_key, now)
    if is_active and not finished:
        questions_choose_soon(session_key)
    return AnswerResult(status="stored", finished=finished)


def _store_at_once(
    session: str, question: str, answer: dict[str, Any], now: dt.datetime
) -> tuple[int, bool] | None:
    """Store what nothing speaks against; the session's key and whether it is active. None leaves it to the long way.

    One statement where the long way takes several queries, and PostgreSQL's words for it.
    """
    if connection.vendor != "postgresql" or answer["chosen_side"] == Question.Side.TIE:
        return None
    values = answer | {
        "client": json.dumps(answer["client"]),
        "now": now,
        "session": session,
        "question": question,
    }
    with connection.cursor() as cursor:
        cursor.execute(STORE_AT_ONCE, values)
        row: tuple[int, bool] | None = cursor.fetchone()
    return row


def _asked(session_token: str, question_token: str) -> Asked | None:
    found = (
        Question.objects.filter(token=question_token, session__token=session_token)
        .order_by()
        .values_list(
            "pk", "kind", "served_at", "chosen_side", "response_ms", "undone", "session",
            "session__finished_at", "session__screened_out_at", "session__places_returned_at", "session__is_active",
            "session__study", "session__study__status",
        )
        .first()
    )  # fmt: skip
    return Asked(*found) if found else None


def _result_without_storing(asked: Asked, answer: dict[str, Any], now: dt.datetime) -> AnswerResult | None:
    """The reply to what cannot be the question's answer, kept apart where it says anything new."""
    is_tie = answer["chosen_side"] == Question.Side.TIE
    protocol = _protocol(asked) if is_tie or asked.study_status != Study.Status.OPEN else None
    if protocol and is_tie and not protocol.allow_tie:
        raise FieldError("side is tie, which this study does not allow; it must be left or right")
    if (asked.chosen_side, asked.response_ms) == (answer["chosen_side"], answer["response_ms"]):
        return AnswerResult(status="repeated", finished=session_finish(asked.session, now))
    if asked.undone and _was_taken_back(asked, answer):
        return AnswerResult(status="repeated", finished=asked.finished_at is not None)
    if asked.chosen_side:
        reason = Reason.SESSION_OVER if asked.finished_at else Reason.ALREADY_ANSWERED
        return _keep_apart(asked, answer, reason)
    if asked.screened_out_at:
        return _keep_apart(asked, answer, Reason.SESSION_OVER)
    if protocol and not takes_answers(asked.study_status, protocol):
        if asked.study_status == Study.Status.CLOSED:
            return _keep_apart(asked, answer, Reason.STUDY_CLOSED)
        return AnswerResult(status="refused", refusal="study_paused")
    return None


def _protocol(asked: Asked) -> Protocol:
    return session_protocol(Session.objects.select_related("study").get(pk=asked.session))


def _was_taken_back(asked: Asked, answer: dict[str, Any]) -> bool:
    """Whether it is a copy, come late, of an answer that was taken back; its clock readings are the same too."""
    undone = ConflictingAnswer.objects.filter(question=asked.question, reason=Reason.UNDONE)
    return any(
        {name: kept[name] for name in answer} == answer for kept in undone.values_list("payload", flat=True)
    )


def _store(asked: Asked, answer: dict[str, Any], now: dt.datetime) -> bool:
    if asked.kind == Question.Kind.PRACTICE or asked.places_returned_at:
        return _store_locked(asked, answer, now)
    return _claim(asked, answer, now)


def _store_locked(asked: Asked, answer: dict[str, Any], now: dt.datetime) -> bool:
    """Store an answer that changes its session as well."""
    with transaction.atomic():
        session = session_locked(pk=asked.session)
        if session.screened_out_at or not _claim(asked, answer, now):
            return False
        if session.places_returned_at:
            session_places_take(session)
        if asked.kind == Question.Kind.PRACTICE:
            practice_settle(session, now)
        return True


def _claim(asked: Asked, answer: dict[str, Any], now: dt.datetime) -> bool:
    """Answer the question unless it has an answer; true for exactly one of those who try."""
    # The conditions stand on the row's own columns: a second UPDATE that waited for the first looks
    # at them again. What was taken back meanwhile shows in `undone`, and no copy of it slips in here.
    open_question = Question.objects.filter(pk=asked.question, answered_at=None, undone=asked.undone)
    return open_question.update(**answer, answered_at=now, elapsed_ms=_elapsed_ms(asked, now)) == 1


def _elapsed_ms(asked: Asked, now: dt.datetime) -> int | None:
    """None where the question was never handed out, or the server's clock was set back since."""
    if asked.served_at is None or asked.served_at > now:
        return None
    return round((now - asked.served_at) / dt.timedelta(milliseconds=1))


def _keep_apart(asked: Asked, answer: dict[str, Any], reason: str) -> AnswerResult:
    with transaction.atomic():
        session_locked(pk=asked.session)  # two copies that come at once are kept once
        refused = ConflictingAnswer.objects.filter(question=asked.question).exclude(reason=Reason.UNDONE)
        kept = list(refused.values_list("payload", flat=True)[:MAX_CONFLICTS])
        if answer not in kept and len(kept) < MAX_CONFLICTS:
            ConflictingAnswer.objects.create(question_id=asked.question, reason=reason, payload=answer)
    return AnswerResult(status="refused", refusal=reason)


def _has_open_questions(session_key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS(SELECT 1 FROM collection_question WHERE session_id = %s AND answered_at IS NULL)",
            [session_key],
        )
        return bool(cursor.fetchone()[0])
