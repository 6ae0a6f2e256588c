"""Members of a study: roles given and taken, and invitations by link."""

import datetime as dt
import secrets

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from collection.models import MemberInvitation, Membership, Role, Study
from collection.selectors.members import code_sha256, invitations_waiting
from collection.services.audit import audit_record, current_actor

INVITATION_DAYS = 14
MOST_WAITING = 100
"""Invitations of one study that wait at once: the mail of a site must not become a way to send spam."""


class MemberError(ValueError):
    """Members cannot be changed this way; the message says why."""


@transaction.atomic
def member_set(study: Study, user: AbstractBaseUser, role: Role) -> Membership:
    """Make the user a member in this role, or give a member another role. The last owner stays one."""
    _lock(study)
    member = Membership.objects.filter(study=study, user=user.pk).first()
    if member is None:
        member = Membership.objects.create(study=study, user_id=user.pk, role=role)
        audit_record("member.add", study, what=user.get_username(), role=role.value)
    elif member.role != role:
        _keep_an_owner(study, member, f"give {user.get_username()} another role")
        before, member.role = member.role, role
        member.save(update_fields=["role"])
        audit_record("member.role", study, what=user.get_username(), role=role.value, before=before)
    return member


@transaction.atomic
def member_remove(study: Study, user: AbstractBaseUser) -> None:
    """The user sees the study no more. The last owner cannot go."""
    _lock(study)
    member = Membership.objects.filter(study=study, user=user.pk).first()
    if member is None:
        raise MemberError(f"{user.get_username()} is no member of {study.name}.")
    _keep_an_owner(study, member, f"remove {user.get_username()}")
    member.delete()
    audit_record("member.remove", study, what=user.get_username(), role=member.role)


@transaction.atomic
def member_invite(study: Study, email: str, role: Role) -> tuple[MemberInvitation, str]:
    """An invitation, and its code, which is kept nowhere. One that waits for the same address is taken back."""
    _lock(study)
    if study.memberships.filter(user__email__iexact=email).exists():
        raise MemberError(f"{email} is a member already; their role can be changed in the list.")
    now = timezone.now()
    waiting = invitations_waiting(now).filter(study=study)
    if waiting.count() >= MOST_WAITING:
        raise MemberError(f"{MOST_WAITING} invitations wait already; take some back first.")
    waiting.filter(email__iexact=email).update(revoked_at=now)
    code, actor = secrets.token_urlsafe(32), current_actor()
    invitation = MemberInvitation.objects.create(
        study=study,
        email=email,
        role=role,
        code_sha256=code_sha256(code),
        invited_by_id=actor.pk if actor else None,
        created_at=now,
        expires_at=now + dt.timedelta(days=INVITATION_DAYS),
    )
    audit_record("member.invite", study, what=email, role=role.value)
    return invitation, code


@transaction.atomic
def member_uninvite(invitation: MemberInvitation) -> None:
    """Take an invitation back while nobody has accepted it."""
    now = timezone.now()
    if not invitations_waiting(now).filter(pk=invitation.pk).update(revoked_at=now):
        raise MemberError(f"The invitation of {invitation.email} is over already.")
    audit_record("member.uninvite", invitation.study, what=invitation.email)


@transaction.atomic
def member_join(invitation: MemberInvitation, user: AbstractBaseUser) -> Membership:
    """Accept an invitation; of two who come with it at once, one is told that it is used."""
    study = _lock(invitation.study)
    role = Role(invitation.role)
    member = Membership.objects.filter(study=study, user=user.pk).first()
    if member is not None and Role(member.role).includes(role):
        raise MemberError(f"You are {member.get_role_display().lower()} of {study.name} already.")
    now = timezone.now()
    if not invitations_waiting(now).filter(pk=invitation.pk).update(accepted_at=now):
        raise MemberError("This invitation has been used or taken back. Ask for another.")
    member, _ = Membership.objects.update_or_create(study=study, user_id=user.pk, defaults={"role": role})
    audit_record("member.join", study, what=user.get_username(), role=role.value, invited=invitation.email)
    return member


def _lock(study: Study) -> Study:
    """So that of two owners who leave at once one is told that they are the last."""
    return Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def _keep_an_owner(study: Study, member: Membership, what: str) -> None:
    others = study.memberships.filter(role=Role.OWNER, user__is_active=True).exclude(pk=member.pk)
    if member.role == Role.OWNER and not others.exists():
        raise MemberError(f"Cannot {what}: a study keeps one owner. Make somebody else an owner first.")
