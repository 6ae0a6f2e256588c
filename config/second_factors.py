"""Secrets of second factors are encrypted in the database: who copies it alone makes no codes.

The key is made from SECRET_KEY, which is in no backup. SECRET_KEY_FALLBACKS opens what an older one has closed.
"""

import base64
import logging
from typing import Any

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.crypto import salted_hmac

logger = logging.getLogger(__name__)
FIELDS = ("secret", "seed")
"""Of an authenticator's data: a TOTP's secret, and what its recovery codes are made from."""


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return closed(text)

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return opened(encrypted_text)
        except InvalidToken:
            logger.error(
                "a second factor was stored under another SECRET_KEY, so that no code fits: put that key into "
                "SECRET_KEY_FALLBACKS, or delete the factor in the admin, under Authenticators"
            )
            # An empty one would make codes that anybody can.
            nobodys: str = generate_totp_secret()
            return nobodys


def closed(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def opened(text: str) -> str:
    """Raises InvalidToken for what neither SECRET_KEY nor one of its fallbacks has closed."""
    return _keys().decrypt(text.encode()).decode()


def secrets_of(data: dict[str, Any]) -> list[str]:
    """What an authenticator's data have that is encrypted."""
    return [data[name] for name in FIELDS if name in data]


def unreadable() -> int:
    """How many second factors were stored under a key that is not known any more."""
    n = 0
    for data in Authenticator.objects.values_list("data", flat=True):
        try:
            for text in secrets_of(data):
                opened(text)
        except InvalidToken:
            n += 1
    return n


def _keys() -> MultiFernet:
    return MultiFernet([_key(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str) -> Fernet:
    return Fernet(
        base64.urlsafe_b64encode(
            salted_hmac(__name__, "second factors", secret=secret, algorithm="sha256").digest()
        )
    )
