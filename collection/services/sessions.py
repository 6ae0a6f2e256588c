"""A session: planned in one go, handed out question by question, resumed wherever it stopped."""

import datetime as dt
import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F

from collection.design.plan import PlannedQuestion, plan_session, require_enough_pairs
from collection.design.protocol import Protocol
from collection.models import DisplayRecord, Question, Rater, Session, Study, StudyPair
from collection.selectors.sessions import session_of, study_pairs_askable
from collection.services.fields import flag, number, one_of, record_clean, text, whole

MAX_DISPLAY_RECORDS = 20
DISPLAY_COLUMNS = {
    "screen_width": whole(1, 100_000),
    "screen_height": whole(1, 100_000),
    "pixel_ratio": number(0.1, 20),
    "color_depth": whole(1, 128),
    "color_gamut": one_of("srgb", "p3", "rec2020"),
    "dynamic_range": one_of("standard", "high"),
    "platform": text(50),
}
DISPLAY_DETAILS = {
    "viewport_width": whole(0, 100_000),
    "viewport_height": whole(0, 100_000),
    "refresh_hz": number(1, 1000),
    "orientation": one_of(
        "landscape-primary", "landscape-secondary", "portrait-primary", "portrait-secondary"
    ),
    "touch_points": whole(0, 256),
    "pointer": one_of("fine", "coarse", "none"),
    "browser": text(100),
    "dark_mode": flag,
    "more_contrast": flag,
    "forced_colors": flag,
    "inverted_colors": flag,
}
DISPLAY_FIELDS = {**DISPLAY_COLUMNS, **DISPLAY_DETAILS}


class SessionRefused(Exception):
    """No session can be begun; `code` says why: finished, not_open, simulated, consent_changed or too_few_pairs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def session_start(
    study: Study, rater: Rater, *, consent_version: str, now: dt.datetime, seed: int | None = None
) -> Session:
    """The rater's session under way, or a new one with all its questions planned.

    Raises SessionRefused.
    """
    with transaction.atomic():
        # Sessions of a study are planned one after another: each sees the exposures that the one
        # before it left, and two clicks on "begin" make one session.
        study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
        session = session_of(rater)
        if session and not session.finished_at:
            return session
        if session:
            raise SessionRefused("finished", "this rater has answered this study already")
        return _session_create(study, rater, consent_version, now, seed)


def _session_create(
    study: Study, rater: Rater, consent_version: str, now: dt.datetime, seed: int | None
) -> Session:
    if study.status != Study.Status.OPEN:
        raise SessionRefused("not_open", f"the study {study.slug} is {study.status}")
    if study.is_simulated and not rater.person.is_simulated:
        raise SessionRefused("simulated", f"simulated raters answer {study.slug}; people are never mixed in")
    protocol = Protocol.from_json(study.protocol)
    if consent_version != protocol.consent_version:
        raise SessionRefused("consent_changed", "the text that was agreed to is not the study's text")
    pairs = study_pairs_askable(study)
    try:
        require_enough_pairs(len(pairs), protocol)
    except ValueError as error:
        raise SessionRefused("too_few_pairs", f"{study.slug}: {error}") from error

    seed = secrets.randbits(63) if seed is None else seed
    session = Session.objects.create(
        study=study,
        rater=rater,
        protocol_hash=protocol.sha256,
        seed=seed,
        consent_version=consent_version,
        consented_at=now,
        started_at=now,
    )
    _questions_create(session, plan_session(pairs, protocol, np.random.default_rng(seed)))
    return session


def _questions_create(session: Session, planned: list[PlannedQuestion]) -> None:
    rows = {plan.index: _question(session, plan) for plan in planned}
    # Checks point at the rows that they repeat, which need keys first.
    Question.objects.bulk_create([rows[plan.index] for plan in planned if plan.repeats is None])
    for plan in planned:
        if plan.repeats is not None:
            rows[plan.index].repeats = rows[plan.repeats]
    Question.objects.bulk_create([rows[plan.index] for plan in planned if plan.repeats is not None])

    main = [plan.pair for plan in planned if plan.kind == "main"]
    StudyPair.objects.filter(study=session.study, pair__in=main).update(exposures=F("exposures") + 1)


def _question(session: Session, plan: PlannedQuestion) -> Question:
    return Question(
        session=session,
        index=plan.index,
        kind=plan.kind,
        pair_id=plan.pair,
        left_id=plan.left,
        right_id=plan.right,
        policy=plan.policy,
        propensity=plan.propensity,
    )


def questions_upcoming(session: Session, limit: int, *, now: dt.datetime, after: int = -1) -> list[Question]:
    """Hand out the next unanswered questions with an index above `after`, in order."""
    questions = list(
        session.questions.filter(answered_at=None, index__gt=after)
        .select_related("left", "right")
        .order_by("index")[:limit]
    )
    unserved = [question.pk for question in questions if question.served_at is None]
    if unserved:
        Question.objects.filter(pk__in=unserved, served_at=None).update(served_at=now)
    return questions


def display_record_store(session: Session, data: Mapping[str, Any]) -> DisplayRecord | None:
    """Store what the browser says of its display; None when it says the same as last time.

    Fields that a browser does not know or that cannot be true are left out: unknown is not wrong.
    Raises FieldError when `data` is no object.
    """
    record = record_clean(data, DISPLAY_FIELDS, "the display record")
    columns = {name: record.pop(name) for name in DISPLAY_COLUMNS if name in record}
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        last = session.displays.last()
        new = DisplayRecord(session=session, **columns, details=record)
        if last and (_said(last) == _said(new) or session.displays.count() >= MAX_DISPLAY_RECORDS):
            return None
        new.save()
    return new


def _said(record: DisplayRecord) -> tuple[object, ...]:
    return (*(getattr(record, name) for name in DISPLAY_COLUMNS), record.details)
