"""Who asks: a token or a session; what the token is for; and how often it may ask."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from collection.models import ApiToken
from collection.services.tokens import token_known, token_used
from collection.throttling import Limit, address_of, seconds_to_wait

CALLS = Limit(name="api", requests=600, seconds=60)
"""Of one token, or of one person's session."""
WRONG_TOKENS = Limit(name="api-wrong", requests=60, seconds=60)
"""From one address: who tries tokens."""


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer ton_…`."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = token_known(secret.strip())
        if token is None or not token.works or not token.user.is_active:
            if wait := seconds_to_wait(WRONG_TOKENS, address_of(request)):
                raise exceptions.Throttled(wait)
            raise exceptions.AuthenticationFailed(_why_not(token))
        token_used(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Tonalist"'


def _why_not(token: ApiToken | None) -> str:
    if token is None:
        return "There is no such token. Make one under Account, API tokens."
    if token.revoked_at:
        return f"The token {token} was revoked."
    if token.has_expired:
        return f"The token {token} expired on {token.expires_at:%Y-%m-%d}. Make another one."
    return "The account of this token is not active."


class SignedIn(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.is_authenticated


class ScopeAllows(BasePermission):
    """A session may do all that its person may; a token what its scopes name."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token = request.auth
        needs = view.scope_needed()
        if not isinstance(token, ApiToken) or needs is None or needs in token.scopes:
            return True
        self.message = f"The token {token} may not do this: it has no scope {needs.value}."
        return False


class CallsThrottle(BaseThrottle):
    def allow_request(self, request: Request, view: APIView) -> bool:
        token = request.auth
        client = f"token-{token.pk}" if isinstance(token, ApiToken) else f"user-{request.user.pk}"
        self._wait = seconds_to_wait(CALLS, client)
        return not self._wait

    def wait(self) -> float:
        return self._wait
