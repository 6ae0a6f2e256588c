"""Who is a member of a study, who is invited, and what its trail says."""

import datetime as dt
import hashlib

from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.utils import timezone

from collection.models import AuditEntry, MemberInvitation, Membership, Role, Study

INVITATION_KEY = "member_invitation"
"""In a visitor's session: the hash of the code that they came with."""


def code_sha256(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def members_of(study: Study) -> list[Membership]:
    """Owners first, then editors, then viewers."""
    order = list(Role)
    members = study.memberships.select_related("user")
    return sorted(members, key=lambda each: (order.index(Role(each.role)), each.user.get_username()))


def invitations_waiting(now: dt.datetime | None = None) -> QuerySet[MemberInvitation]:
    """Those that can still be accepted."""
    return MemberInvitation.objects.filter(
        accepted_at=None, revoked_at=None, expires_at__gt=now or timezone.now()
    )


def invitation_with(sha256: str) -> MemberInvitation | None:
    """The invitation whose code has this hash, while it can still be accepted."""
    return invitations_waiting().select_related("study", "invited_by").filter(code_sha256=sha256).first()


def invitation_of_session(session: SessionBase) -> MemberInvitation | None:
    """The invitation that a visitor came with."""
    sha256 = session.get(INVITATION_KEY)
    return invitation_with(sha256) if sha256 else None


def audit_of(study: Study, action: str = "") -> QuerySet[AuditEntry]:
    """The study's trail, newest first."""
    entries = study.audit_entries.all()
    return entries.filter(action=action) if action else entries


def audit_actions(study: Study) -> list[str]:
    return sorted(study.audit_entries.order_by().values_list("action", flat=True).distinct())
