"""Answers: each claims its question once; whatever cannot be the answer is kept apart."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction

from collection.models import ConflictingAnswer, Question, Session, Study
from collection.services.fields import FieldError, number, one_of, record_clean, text, whole
from collection.services.verdicts import verdicts_compute

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
}


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerResult:
    status: str
    """stored, repeated, conflict or rejected."""
    reason: str = ""
    """For a conflict one of ConflictingAnswer.Reason; for a rejection not_found."""
    finished: bool = False
    """Whether the session has all its answers."""


def answer_record(
    session: Session,
    question_token: str,
    side: str,
    response_ms: int | None,
    client: Mapping[str, Any],
    now: dt.datetime,
) -> AnswerResult:
    """Store an answer, in any order of questions; the last one finishes the session.

    Raises FieldError, and stores nothing, when a field cannot be true.
    """
    answer = _answer_clean(side, response_ms, client)
    with transaction.atomic():
        # The lock lets the later of two last answers that come at once see the earlier one.
        session = (
            Session.objects.select_related("study")
            .select_for_update(of=("self",), no_key=True)
            .get(pk=session.pk)
        )
        question = session.questions.filter(token=question_token).first()
        if question is None:
            return AnswerResult(status="rejected", reason="not_found")
        if _takes_answers(session) and _claim(question, answer, now):
            return AnswerResult(status="stored", finished=_finish_if_last(session, now))
        question.refresh_from_db()
        if _is_same(question, answer):
            return AnswerResult(status="repeated", finished=session.finished_at is not None)
        return _keep_apart(session, question, answer)


def _answer_clean(side: object, response_ms: object, client: object) -> dict[str, Any]:
    if side not in Question.Side.values:
        raise FieldError(f"side is {str(side)[:40]!r}; it must be 'left' or 'right'")
    record = record_clean(client, CLIENT_FIELDS, "client")
    if response_ms is None and not record.get("missing_time"):
        raise FieldError("response_ms is null; client.missing_time must then say why")
    if response_ms is not None and not whole(0, MAX_RESPONSE_MS)(response_ms):
        raise FieldError(
            f"response_ms is {str(response_ms)[:40]}; it must be a whole number from 0 to {MAX_RESPONSE_MS}"
        )
    return {"chosen_side": side, "response_ms": response_ms, "client": record}


def _takes_answers(session: Session) -> bool:
    """A paused study takes the answers of sessions under way; a closed one takes none."""
    return session.finished_at is None and session.study.status != Study.Status.CLOSED


def _claim(question: Question, answer: dict[str, Any], now: dt.datetime) -> bool:
    """Answer the question unless it has an answer; true for exactly one of those who try."""
    elapsed = _milliseconds(now - question.served_at) if question.served_at else None
    # The condition stands on the row's own column: a second UPDATE that waited for the first
    # looks at it again and finds nothing to change.
    return (
        Question.objects.filter(pk=question.pk, answered_at=None).update(
            **answer, answered_at=now, elapsed_ms=elapsed
        )
        == 1
    )


def _milliseconds(duration: dt.timedelta) -> int:
    """Not below 0: the server's clock may have been set back."""
    return max(0, round(duration / dt.timedelta(milliseconds=1)))


def _finish_if_last(session: Session, now: dt.datetime) -> bool:
    if session.questions.filter(answered_at=None).exists():
        return False
    session.finished_at = now
    session.save(update_fields=["finished_at"])
    # After the commit: whatever a verdict meets, the answer is kept.
    transaction.on_commit(partial(verdicts_compute, session.study, rater=session.rater), robust=True)
    return True


def _is_same(question: Question, answer: dict[str, Any]) -> bool:
    return (question.chosen_side, question.response_ms) == (answer["chosen_side"], answer["response_ms"])


def _keep_apart(session: Session, question: Question, answer: dict[str, Any]) -> AnswerResult:
    finished = session.finished_at is not None
    if finished:
        reason = ConflictingAnswer.Reason.SESSION_OVER
    elif question.chosen_side:
        reason = ConflictingAnswer.Reason.ALREADY_ANSWERED
    else:
        reason = ConflictingAnswer.Reason.STUDY_CLOSED
    kept = [conflict.payload for conflict in question.conflicts.all()[:MAX_CONFLICTS]]
    if answer not in kept and len(kept) < MAX_CONFLICTS:
        ConflictingAnswer.objects.create(question=question, reason=reason, payload=answer)
    return AnswerResult(status="conflict", reason=reason, finished=finished)
