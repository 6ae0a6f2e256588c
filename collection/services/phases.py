"""The phases of a session around its questions: each is recorded once, screenings with an outcome."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import transaction

from collection.design.screening import (
    LONGEST_ANSWER,
    Plate,
    PracticeAnswer,
    Screening,
    color_vision_plates,
    color_vision_result,
    levels_plates,
    levels_result,
    practice_result,
)
from collection.models import PhaseRecord, Question, Session
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_locked, session_phase
from collection.services.fields import FieldError, one_of, prose, record_clean, text
from collection.services.sessions import session_places_return, session_places_take

PHASES_RECORDED = ("display", "color_vision", "levels", "instructions", "practice", "questionnaire")
PLATES: dict[str, Callable[[int], tuple[Plate, ...]]] = {
    "color_vision": color_vision_plates,
    "levels": levels_plates,
}
"""A session's seed → its plates."""
RESULTS: dict[str, Callable[[Sequence[Plate], Sequence[str]], Screening]] = {
    "color_vision": color_vision_result,
    "levels": levels_result,
}
QUESTIONNAIRE_FIELDS = {
    "night_mode": one_of("yes", "no", "unsure"),
    "room_light": one_of("dark", "dim", "normal", "bright"),
    "device": one_of("phone_in_hand", "tablet", "laptop", "monitor", "other"),
    "comments": prose(2000),
}


class PhaseRefused(Exception):
    """Another phase's turn; the argument is its name."""


def phase_record(session: Session, phase: str, data: Mapping[str, Any], now: dt.datetime) -> None:
    """Store what one of PHASES_RECORDED gave; what was stored first stands.

    Raises:
        FieldError: a field that has to be right is not; nothing is stored.
        PhaseRefused: the session is in another phase.
    """
    with transaction.atomic():
        session = session_locked(pk=session.pk)
        present = session_phase(session)
        if present == phase:
            _record(session, phase, data, now)
        elif not session.phases.filter(phase=phase).exists():
            raise PhaseRefused(present)


def practice_settle(session: Session, now: dt.datetime) -> None:
    """Judge the present try at the practice once it has all its answers. The session's row must be locked."""
    protocol = session_protocol(session)
    attempt = session.phases.filter(phase="practice").count() + 1
    questions = list(
        session.questions.filter(
            kind=Question.Kind.PRACTICE,
            index__gte=(attempt - 1) * protocol.n_practice,
            index__lt=attempt * protocol.n_practice,
        ).order_by("index")
    )
    if not questions or any(not question.chosen_side for question in questions):
        return
    answers = [
        PracticeAnswer(
            side=question.chosen_side,
            instructed_side=question.instructed_side,
            response_ms=question.response_ms,
        )
        for question in questions
    ]
    _store(session, "practice", {}, practice_result(answers, protocol.rules), now)


def _record(session: Session, phase: str, data: Mapping[str, Any], now: dt.datetime) -> None:
    if session.places_returned_at:
        session_places_take(session)
    answers, screening = _judged(session, phase, data)
    _store(session, phase, answers, screening, now)


def _judged(session: Session, phase: str, data: Mapping[str, Any]) -> tuple[dict[str, Any], Screening]:
    """What is kept of the answers, and what they come to."""
    if "unknown" in data:
        if not text(200)(data["unknown"]):
            raise FieldError("unknown must be a text of at most 200 characters")
        return {"unknown": data["unknown"]}, Screening(outcome="unknown", evidence={})
    if phase in PLATES:
        plates = PLATES[phase](session.seed)
        answers = _plate_answers(data.get("answers"), len(plates))
        return {"answers": answers}, RESULTS[phase](plates, answers)
    if phase == "practice":
        raise FieldError("the practice is answered question by question; only unknown can be said of it here")
    passed = Screening(outcome="passed", evidence={})
    if phase == "questionnaire":
        return record_clean(data, QUESTIONNAIRE_FIELDS, "the questionnaire"), passed
    return {}, passed


def _plate_answers(answers: object, n_plates: int) -> list[str]:
    is_answer = text(LONGEST_ANSWER)
    if not isinstance(answers, list) or len(answers) != n_plates or not all(map(is_answer, answers)):
        raise FieldError(
            f"answers must be a list of {n_plates} texts of at most {LONGEST_ANSWER} characters, one for each plate"
        )
    return answers


def _store(
    session: Session, phase: str, answers: dict[str, Any], screening: Screening, now: dt.datetime
) -> None:
    protocol = session_protocol(session)
    attempt = session.phases.filter(phase=phase).count() + 1
    PhaseRecord.objects.create(
        session=session,
        phase=phase,
        attempt=attempt,
        outcome=screening.outcome,
        answers=answers,
        evidence=screening.evidence,
        recorded_at=now,
    )
    failed = screening.outcome == "failed"
    if phase == "practice":
        if failed and attempt < protocol.practice_tries:
            return
        session.questions.filter(kind=Question.Kind.PRACTICE, answered_at=None).delete()
    if failed and phase in protocol.turn_away:
        session.screened_out_at = now
        session.save(update_fields=["screened_out_at"])
        session_places_return(session, now)
