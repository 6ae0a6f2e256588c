"""How people come to a study: its settings, personal links, and what a panel calls a visit."""

import datetime as dt
from collections.abc import Iterable

from django.db import transaction

from collection.design.recruiting import Recruiting
from collection.models import Invitation, Session, Study
from collection.services.audit import audit_record

MAX_LABEL = 200
MAX_AT_ONCE = 100_000


class RecruitingChanged(Exception):
    """Somebody else has saved these settings since they were read."""

    def __init__(self, present: Recruiting) -> None:
        super().__init__("the settings were changed meanwhile")
        self.present = present


class InvitationError(ValueError):
    """No invitation was made; the message says why."""


@transaction.atomic
def study_set_recruiting(
    study: Study, recruiting: Recruiting, *, begun_from: Recruiting | None = None
) -> None:
    """From now on; unlike the protocol it may change while people answer.

    With `begun_from`, RecruitingChanged where that is not what is set any more.
    """
    present = Recruiting.from_json(Study.objects.select_for_update().get(pk=study.pk).recruiting)
    if begun_from is not None and present != begun_from:
        raise RecruitingChanged(present)
    study.recruiting = recruiting.to_json()
    study.save(update_fields=["recruiting"])
    audit_record("study.recruiting", study)


@transaction.atomic
def invitations_create(study: Study, labels: Iterable[str]) -> list[Invitation]:
    """One for each label, in their order; a label is for researchers and may be empty.

    Raises InvitationError for none, for more than MAX_AT_ONCE, and for a label that cannot be one.
    """
    labels = list(labels)
    if not 1 <= len(labels) <= MAX_AT_ONCE:
        raise InvitationError(f"{len(labels):,} links are asked for; it must be from 1 to {MAX_AT_ONCE:,}")
    for label in labels:
        if len(label) > MAX_LABEL:
            raise InvitationError(f"a label has at most {MAX_LABEL} characters: {label[:60]}...")
        if "\0" in label:
            raise InvitationError(f"a label cannot hold a null character: {label[:60]!r}")
    made = Invitation.objects.bulk_create(Invitation(study=study, label=label) for label in labels)
    audit_record("invitation.create", study, n=len(made))
    return made


def labels_in(text: str) -> list[str]:
    """A label for each line that is not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


@transaction.atomic
def invitation_revoke(invitation: Invitation, now: dt.datetime) -> None:
    """Its link leads nowhere from now on; what was answered by it stays."""
    if Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=now):
        # Not by its label, which may be a name: the trail is never taken out.
        audit_record("invitation.revoke", invitation.study, what=f"invitation {invitation.pk}")


def session_recruit(session: Session, recruitment: dict[str, str]) -> None:
    """The panel sent the person again: the end is told for the latest visit, such as a task taken up anew."""
    if recruitment:
        session.recruitment = recruitment
        session.save(update_fields=["recruitment"])
