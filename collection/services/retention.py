"""Retention: what people gave is kept until a day that the study has named, and not longer."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from collection.models import (
    Device,
    DisplayRecord,
    Invitation,
    Person,
    PhaseRecord,
    Question,
    Rater,
    RaterModel,
    Session,
    Study,
    Verdict,
)
from collection.services.audit import audit_record
from collection.services.deletion import SESSIONS_AT_A_TIME, sessions_delete
from collection.services.studies import StudyError

REMIND_DAYS = 30
PROSE = "comments"
"""The questionnaire's only free text: people write names and addresses into it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What a study's retention date takes, or took."""

    slug: str
    erases: str
    retain_until: str
    n_people: int = 0
    """Whose panel ID or cookie is known, and who take part in nothing else that is kept."""
    n_sessions: int = 0
    """With what a panel calls them."""
    n_comments: int = 0
    n_displays: int = 0
    """With what tells one browser from another; sizes, gamuts and platforms stay."""
    n_answers: int = 0
    """All of them, where raw data goes."""


def retention_set(study: Study, until: dt.date | None, erases: str) -> None:
    """Keep the study's data until the end of this day; None keeps it without an end.

    Raises StudyError for a day that is past, and once the data is erased.
    """
    if study.erased_at:
        raise StudyError(
            f"the data of {study.slug} was erased on {study.erased_at:%Y-%m-%d}; nothing is left to keep"
        )
    if until is not None and until < timezone.localdate():
        raise StudyError(f"{until} is past; name today or a later day")
    if erases not in Study.Erases.values:
        raise StudyError(f"what is erased must be one of {', '.join(Study.Erases.values)}")
    with transaction.atomic():
        study.retain_until, study.retain_erases = until, erases
        study.save(update_fields=["retain_until", "retain_erases"])
        audit_record("study.retention", study, until=str(until) if until else None, erases=erases)


def retention_due(today: dt.date) -> QuerySet[Study]:
    """Studies whose day has passed and whose data is not erased yet."""
    return Study.objects.filter(retain_until__lt=today, erased_at=None).order_by("retain_until", "pk")


def retention_reminder(study: Study, today: dt.date) -> int | None:
    """Days that are left, where they are few; None where there is nothing to say."""
    if study.retain_until is None or study.erased_at:
        return None
    left = (study.retain_until - today).days
    return left if left <= REMIND_DAYS else None


def retention_preview(study: Study) -> Erasure:
    """What would go now."""
    sessions = study.sessions.all()
    common = Erasure(
        slug=study.slug,
        erases=study.retain_erases,
        retain_until=str(study.retain_until),
        n_people=_people(study).count(),
        n_sessions=sessions.exclude(recruitment={}).count(),
        n_comments=sum(PROSE in record.answers for record in _questionnaires(study)),
        n_displays=DisplayRecord.objects.filter(session__study=study).exclude(details={}).count(),
    )
    if study.retain_erases == Study.Erases.IDENTIFIERS:
        return common
    answered = Question.objects.filter(session__study=study, answered_at__isnull=False)
    return Erasure(**asdict(common) | {"n_sessions": sessions.count(), "n_answers": answered.count()})


def retention_erase(study: Study, now: dt.datetime) -> Erasure:
    """Erase what the study's date takes; the study is closed with it. Killed half-way, the next run finishes.

    Datasets that were exported are no raw data; they are deleted on their own pages.
    """
    found = retention_preview(study)
    Study.objects.filter(pk=study.pk).exclude(status=Study.Status.CLOSED).update(
        status=Study.Status.CLOSED, closed_at=now
    )
    if study.retain_erases == Study.Erases.DATA:
        while keys := list(study.sessions.order_by("pk").values_list("pk", flat=True)[:SESSIONS_AT_A_TIME]):
            with transaction.atomic():
                sessions_delete(keys)
        Verdict.objects.filter(rater__study=study).delete()
        RaterModel.objects.filter(study=study).delete()
    with transaction.atomic():
        _identifiers_erase(study)
        study.refresh_from_db()
        study.erased_at = now
        study.save(update_fields=["erased_at"])
        audit_record("study.erase", study, **asdict(found))
    return found


def _identifiers_erase(study: Study) -> None:
    devices = Device.objects.filter(raters__study=study).exclude(cookie_sha256="")
    device_keys = list(
        devices.exclude(pk__in=_still_known(study).values("device")).values_list("pk", flat=True)
    )
    people = list(_people(study).values_list("pk", flat=True))
    Person.objects.filter(pk__in=people).update(panel="", panel_id="", cookie_sha256="")
    Device.objects.filter(pk__in=device_keys).update(cookie_sha256="")
    Invitation.objects.filter(study=study).update(label="")
    Session.objects.filter(study=study).update(recruitment={})
    DisplayRecord.objects.filter(session__study=study).update(details={})
    records = list(_questionnaires(study))
    for record in records:
        record.answers.pop(PROSE, None)
    PhaseRecord.objects.bulk_update(records, ["answers"], batch_size=500)


def _still_known(study: Study) -> QuerySet[Rater]:
    """Raters of other studies that still keep what identifies people."""
    return Rater.objects.filter(withdrawn_at=None, study__erased_at=None).exclude(study=study)


def _people(study: Study) -> QuerySet[Person]:
    known = ~Q(panel_id="") | ~Q(cookie_sha256="")
    people = Person.objects.filter(known, raters__study=study).distinct()
    return people.exclude(pk__in=_still_known(study).values("person"))


def _questionnaires(study: Study) -> Iterable[PhaseRecord]:
    return PhaseRecord.objects.filter(session__study=study, phase="questionnaire").order_by("pk")
