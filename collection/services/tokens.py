"""API tokens: made, shown once, known again by their hash, revoked."""

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from collection.models import ApiToken, Scope
from collection.services.audit import audit_record

MARK = "ton_"
"""Begins every token, so that programs which look for leaked secrets know one."""
PREFIX_LENGTH = 12
USED_EVERY = dt.timedelta(minutes=1)


class TokenError(ValueError):
    """A token that cannot be made; the message says why."""


@transaction.atomic
def token_create(
    user: AbstractBaseUser, name: str, scopes: Collection[str], *, expires_at: dt.datetime | None = None
) -> tuple[ApiToken, str]:
    """The token's row, and the secret, which nothing tells again. Raises TokenError."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100:
        raise TokenError(f"a token's name has 1 to 100 characters, this one has {len(name)}")
    chosen = [scope.value for scope in Scope if scope.value in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        raise TokenError(f"choose one scope or more of {', '.join(Scope.values)}")
    if expires_at and expires_at <= timezone.now():
        raise TokenError("the token would have expired already; choose a later day")
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user_id=user.pk,
        name=name,
        prefix=secret[:PREFIX_LENGTH],
        sha256=_sha256(secret),
        scopes=chosen,
        expires_at=expires_at,
    )
    audit_record("token.create", what=str(token), scopes=chosen)
    return token, secret


@transaction.atomic
def token_revoke(token: ApiToken) -> None:
    """For good. A second time changes nothing."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit_record("token.revoke", what=str(token))


def token_known(secret: str) -> ApiToken | None:
    """The token of this secret, whether or not it still works."""
    return ApiToken.objects.select_related("user").filter(sha256=_sha256(secret)).first()


def token_used(token: ApiToken) -> None:
    """Note when, to the minute: not every request writes."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
