"""Withdrawal: what somebody gave to a study is deleted, and nothing knows them again.

A person's own link and a researcher's click come to the same.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from collection.models import (
    Device,
    ExportedRater,
    Invitation,
    Person,
    Question,
    Rater,
    RaterModel,
    Session,
    Study,
    StudyPair,
    Verdict,
)
from collection.services.audit import audit_record
from collection.services.exports import exports_end_dead


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a person has given to a study, on all their devices."""

    n_raters: int
    n_sessions: int
    n_answers: int
    n_datasets: int
    """Datasets that their answers stand in."""


def given_by(study: Study, person: Person) -> Given:
    """What would go if the person withdrew from the study now."""
    raters = Rater.objects.filter(study=study, person=person)
    answered = Question.objects.filter(session__rater__in=raters, answered_at__isnull=False)
    return Given(
        n_raters=raters.filter(withdrawn_at=None).count(),
        n_sessions=Session.objects.filter(rater__in=raters).count(),
        n_answers=answered.count(),
        n_datasets=ExportedRater.objects.filter(rater__in=raters).values("export").distinct().count(),
    )


def rater_withdraw(session: Session, now: dt.datetime) -> Given:
    """The session's person withdraws from its study."""
    return person_withdraw(session.study, session.rater.person, now)


@transaction.atomic
def person_withdraw(study: Study, person: Person, now: dt.datetime) -> Given:
    """Delete what the person gave to the study, on all their devices, and what killed exports left of it.

    A second time changes nothing.

    The rows of the raters stay, without a name: they tell which datasets held their answers.
    Returns what went.
    """
    raters = Rater.objects.filter(study=study, person=person)
    sessions = Session.objects.filter(rater__in=raters)
    # In the order of all who change exposures: first the sessions, so that an answer that is being
    # stored goes with the others; then the study, so that none is planned meanwhile.
    list(sessions.select_for_update(of=("self",)))
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    given = given_by(study, person)
    # First the raters: whoever is judging them waits here, and finds that they are gone.
    raters.filter(withdrawn_at=None).update(withdrawn_at=now)
    for begun in sessions:
        _exposures_return(begun)
        begun.delete()
    Verdict.objects.filter(rater__in=raters).delete()
    if given.n_answers:
        # They tell how each rater answers; what they were computed from stays, and says that there was a result.
        study.statistics_jobs.filter(result__isnull=False).update(result=None)
        # It is learnt again from what the others said, with the next answer.
        RaterModel.objects.filter(study=study).delete()
    exports_end_dead(study)
    devices = list(raters.values_list("device_id", flat=True))
    _identifiers_erase(study, person, devices)
    if given.n_raters:
        audit_record(
            "rater.withdraw", study, n_raters=given.n_raters, n_answers=given.n_answers, n_datasets=given.n_datasets
        )  # fmt: skip
    return given


def person_erase(person: Person, now: dt.datetime) -> dict[str, Given]:
    """The person withdraws from every study: slug → what went. Then nothing knows them on this site.

    One study after the other: killed half-way, the rest goes at the next call.
    """
    studies = Study.objects.filter(raters__person=person).distinct().order_by("pk")
    return {study.slug: person_withdraw(study, person, now) for study in studies}


def _exposures_return(session: Session) -> None:
    """All its pairs are as if it had never asked them, but for those that it gave back before."""
    asked = session.questions.filter(kind=Question.Kind.MAIN)
    if session.places_returned_at:
        asked = asked.filter(answered_at__lt=session.places_returned_at)
    pairs = StudyPair.objects.filter(study=session.study_id, pair__in=asked.values("pair_id"))
    pairs.filter(exposures__gt=0).update(exposures=F("exposures") - 1)


def _identifiers_erase(study: Study, person: Person, device_ids: list[int]) -> None:
    """A panel's ID and the hashes of cookies, of whoever takes part in nothing else; whom an invitation was sent to."""
    Invitation.objects.filter(study=study, code=person.panel_id).update(label="")
    taking_part = Rater.objects.filter(withdrawn_at=None)
    people = Person.objects.filter(pk=person.pk)
    people.exclude(pk__in=taking_part.values("person")).update(panel="", panel_id="", cookie_sha256="")
    devices = Device.objects.filter(pk__in=device_ids)
    devices.exclude(pk__in=taking_part.values("device")).update(cookie_sha256="")
