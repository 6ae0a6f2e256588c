"""Taking back the last answer: it is kept apart, and its question is open again."""

import datetime as dt

from django.db import transaction

from collection.design.protocol import Protocol
from collection.models import ConflictingAnswer, Question, Session, Study
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_locked, takes_answers
from collection.services.answers import MAX_CONFLICTS, answer_require

UNDONE = ConflictingAnswer.Reason.UNDONE


class UndoRefused(Exception):
    """Nothing is taken back; `code` says why: not_found, not_allowed, not_last, study_closed or study_paused."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def answer_undo(
    session_token: str, question_token: str, side: object, response_ms: object, now: dt.datetime
) -> str:
    """Take back the last answer, which is named, and open its question again: undone or repeated.

    A copy of the request that comes late names an answer that was taken back already; it
    cannot take back a newer one.

    Raises:
        FieldError: what is named can be no answer.
        UndoRefused: see there.
    """
    answer_require(side, response_ms)
    with transaction.atomic():
        session = session_locked(token=session_token)
        question = session.questions.filter(token=question_token).first()
        if question is None:
            raise UndoRefused("not_found")
        taken_back = question.conflicts.filter(
            reason=UNDONE, payload__chosen_side=side, payload__response_ms=response_ms
        )
        if taken_back.exists():
            return "repeated"
        _require_undo(session, question, side, response_ms)
        _open_again(question, now)
        return "undone"


def _require_undo(session: Session, question: Question, side: object, response_ms: object) -> None:
    protocol = session_protocol(session)
    if not protocol.allow_undo or session.finished_at or session.screened_out_at:
        raise UndoRefused("not_allowed")
    if not takes_answers(session.study.status, protocol):
        raise UndoRefused("study_closed" if session.study.status == Study.Status.CLOSED else "study_paused")
    if question.undone >= MAX_CONFLICTS:
        raise UndoRefused("not_allowed")
    answered = session.questions.filter(answered_at__isnull=False)
    is_last = question == answered.order_by("answered_at", "index").last()
    is_meant = (question.chosen_side, question.response_ms) == (side, response_ms)
    if not (is_last and is_meant) or _is_judged(session, question, protocol):
        raise UndoRefused("not_last")


def _is_judged(session: Session, question: Question, protocol: Protocol) -> bool:
    """Whether it belongs to a try at the practice that is over."""
    if question.kind != Question.Kind.PRACTICE:
        return False
    return session.phases.filter(phase="practice", attempt__gt=question.index // protocol.n_practice).exists()


def _open_again(question: Question, now: dt.datetime) -> None:
    """Keep the answer apart as it was, and ask the question as if it were handed out now."""
    payload = {
        "chosen_side": question.chosen_side,
        "response_ms": question.response_ms,
        "client": question.client,
        "elapsed_ms": question.elapsed_ms,
        "answered_at": question.answered_at.isoformat() if question.answered_at else None,
    }
    ConflictingAnswer.objects.create(question=question, reason=UNDONE, payload=payload)
    Question.objects.filter(pk=question.pk).update(
        chosen_side="",
        client={},
        response_ms=None,
        elapsed_ms=None,
        answered_at=None,
        served_at=now,
        undone=question.undone + 1,
    )
