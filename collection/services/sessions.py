"""A session: planned in one go; its pairs are places that are given back when it is abandoned.

A pair's exposures are the main questions that ask it: all those of sessions that hold their places,
and the answered ones of the others.
"""

import datetime as dt
import secrets
from collections.abc import Mapping

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from collection.design.plan import PlannedQuestion, TooFewPairs, plan_session
from collection.design.protocol import Protocol
from collection.models import Device, Question, Rater, Session, Study, StudyPair
from collection.selectors.pairs import study_pairs_askable
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_of
from collection.services.people import rater_for
from collection.services.protocols import protocol_keep
from collection.services.texts import consent_version_in
from variants.jobs import new_public_id

ABANDONED_AT_ONCE = 10
"""Sessions whose places one planning gives back. It bounds its time, and is more than the one that it begins."""


class SessionRefused(Exception):
    """No session can be begun; `code` says why: finished, not_open, simulated, consent_changed or too_few_pairs."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def session_start(
    study: Study,
    rater: Rater,
    *,
    consent_version: str,
    language: str = "en",
    recruitment: Mapping[str, str] | None = None,
    now: dt.datetime,
    seed: int | None = None,
    protocol: Protocol | None = None,
) -> Session:
    """The rater's session under way, or a new one with all its questions planned.

    Args:
        study: must be open for a new session.
        rater: one of this study.
        consent_version: of the text that was shown, in `language`; nothing where consent is left out.
        language: of the pages.
        recruitment: what a panel calls this visit.
        now: when it begins.
        seed: of the plan; random when None.
        protocol: an earlier version that the person has begun with; the study's present one when None.

    Raises:
        SessionRefused: see there.
    """
    with transaction.atomic():
        # Sessions of a study are planned one after another: each sees the exposures that the one
        # before it left, and two clicks on "begin" make one session.
        study = _locked(study.pk)
        session = session_of(rater)
        if session and not session.finished_at:
            return session
        if session:
            raise SessionRefused("finished", "this rater has answered this study already")
        protocol = protocol or Protocol.from_json(study.protocol)
        _require_may_begin(study, protocol, rater, consent_version, language)
        new = Session(
            study=study,
            rater=rater,
            protocol_hash=protocol.sha256,
            seed=secrets.randbits(63) if seed is None else seed,
            is_active=protocol.is_active,
            language=language,
            recruitment=dict(recruitment or {}),
            started_at=now,
        )
        if "consent" in protocol.phases:
            new.consent_version, new.consented_at = consent_version, now
        _abandoned_return(study, protocol, now)
        _session_plan(new, protocol)
        return new


def session_start_again(session: Session, device: Device, now: dt.datetime) -> Session:
    """A session of the same person on another device: a rater of its own, and the consent carried over.

    Raises SessionRefused.
    """
    with transaction.atomic():
        rater = rater_for(session.study, session.rater.person, device, session.rater.simulation)
        new = session_start(
            session.study,
            rater,
            consent_version=session.consent_version,
            language=session.language,
            recruitment=session.recruitment,
            now=now,
            protocol=session_protocol(session),
        )
        new.consented_at = session.consented_at
        new.save(update_fields=["consented_at"])
        return new


def session_places_return(session: Session, now: dt.datetime) -> None:
    """Give back the places of a session that does not go on. Once; a finished session keeps its places."""
    with transaction.atomic():
        _locked(session.study_id)
        held = Session.objects.filter(pk=session.pk, finished_at=None, places_returned_at=None)
        if held.update(places_returned_at=now):
            session.places_returned_at = now
            _exposures_add(session, session.questions.filter(answered_at=None), -1)


def session_places_take(session: Session) -> None:
    """Take again the places that were given back: the person goes on. Not in a session that was screened out."""
    with transaction.atomic():
        _locked(session.study_id)
        returned = Session.objects.filter(
            pk=session.pk, screened_out_at=None, places_returned_at__isnull=False
        )
        since = returned.values_list("places_returned_at", flat=True).first()
        if since and returned.update(places_returned_at=None):
            session.places_returned_at = None
            _exposures_add(
                session, session.questions.filter(Q(answered_at=None) | Q(answered_at__gte=since)), 1
            )


def _locked(study_key: int) -> Study:
    """Exposures change under the study's lock only. Who needs a session's too takes that before."""
    return Study.objects.select_for_update(no_key=True).get(pk=study_key)


def _exposures_add(session: Session, questions: QuerySet[Question], n: int) -> None:
    main = questions.filter(kind=Question.Kind.MAIN).values("pair")
    pairs = StudyPair.objects.filter(study=session.study_id, pair__in=main, exposures__gte=-n)
    pairs.update(exposures=F("exposures") + n)


def _require_may_begin(
    study: Study, protocol: Protocol, rater: Rater, consent_version: str, language: str
) -> None:
    if study.status != Study.Status.OPEN:
        raise SessionRefused("not_open", f"the study {study.slug} is {study.status}")
    if study.is_simulated and not rater.person.is_simulated:
        raise SessionRefused("simulated", f"simulated raters answer {study.slug}; people are never mixed in")
    if "consent" in protocol.phases and consent_version != consent_version_in(protocol, language):
        raise SessionRefused("consent_changed", "the text that was agreed to is not the study's text")


def _abandoned_return(study: Study, protocol: Protocol, now: dt.datetime) -> None:
    """Give back the places of the longest abandoned sessions."""
    since = now - dt.timedelta(hours=protocol.abandon_after_hours)
    answered = Question.objects.filter(session=OuterRef("pk"), answered_at__gte=since)
    abandoned = (
        study.sessions.filter(
            ~Exists(answered),
            started_at__lt=since,
            finished_at=None,
            screened_out_at=None,
            places_returned_at=None,
        )
        .order_by("started_at")
        # Whoever holds one of them is going on with it, and may be waiting for the study's lock.
        .select_for_update(no_key=True, skip_locked=True)
    )
    for session in abandoned[:ABANDONED_AT_ONCE]:
        session_places_return(session, now)


def _session_plan(session: Session, protocol: Protocol) -> None:
    """Store the session with all its questions."""
    pairs = study_pairs_askable(session.study)
    try:
        planned = plan_session(pairs, protocol, np.random.default_rng(session.seed))
    except TooFewPairs as error:
        raise SessionRefused("too_few_pairs", f"{session.study.slug}: {error}") from error
    session.save()
    protocol_keep(session.study, protocol)
    _questions_create(session, planned)


def _questions_create(session: Session, planned: list[PlannedQuestion]) -> None:
    # Checks point at the rows that they repeat, which need keys first.
    keys = _questions_insert(session, [plan for plan in planned if plan.repeats is None], {})
    _questions_insert(session, [plan for plan in planned if plan.repeats is not None], keys)
    _exposures_add(session, session.questions.all(), 1)


def _questions_insert(
    session: Session, planned: list[PlannedQuestion], keys: Mapping[int, int]
) -> dict[int, int]:
    """Index → key of the new rows, `keys` being those of earlier ones. By hand: model instances take three times as long."""
    if not planned:
        return {}
    rows = [
        {
            "session_id": session.pk,
            "index": plan.index,
            "kind": plan.kind,
            "pair_id": plan.pair,
            "left_id": plan.left,
            "right_id": plan.right,
            "repeats_id": None if plan.repeats is None else keys[plan.repeats],
            "instructed_side": plan.instructed_side,
            "policy": plan.policy,
            "propensity": plan.propensity,
            "public_id": new_public_id(),
            "token": new_public_id(),
            "chosen_side": "",
            "client": "{}",
        }
        for plan in planned
    ]
    columns = ", ".join(f'"{name}"' for name in rows[0])
    places = ", ".join(["%s"] * len(rows[0]))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Question._meta.db_table} ({columns}) "
            f'VALUES {", ".join([f"({places})"] * len(rows))} RETURNING "index", id',
            [value for row in rows for value in row.values()],
        )
        return dict(cursor.fetchall())
