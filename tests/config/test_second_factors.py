"""Secrets of second factors: encrypted in the database, and worth nothing without the key."""

from importlib import import_module

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.apps import apps
from django.core.cache import cache

from config.doctor import _accounts
from config.second_factors import unreadable
from tests.factories import make_researcher

pytestmark = pytest.mark.django_db
migration = import_module("config.migrations.0002_second_factors_encrypted")


@pytest.fixture
def factors(settings):
    """A person's two factors, made under this SECRET_KEY, and what they are."""
    cache.clear()
    settings.SECRET_KEY = "the key of the summer"
    bob = make_researcher("bob")
    secret = generate_totp_secret()
    return TOTP.activate(bob, secret).instance, RecoveryCodes.activate(bob), secret


def code_of(secret):
    """One that an app with this secret shows about now."""
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"


def stored():
    return [str(data) for data in Authenticator.objects.values_list("data", flat=True)]


def test_the_database_holds_no_secret(factors):
    _, codes, secret = factors
    assert not any(secret in text for text in stored())
    assert not any(code in text for text in stored() for code in codes.get_unused_codes())


def test_with_another_key_no_code_fits_and_it_is_said(factors, settings, caplog):
    totp, codes, secret = factors
    known = codes.get_unused_codes()
    settings.SECRET_KEY = "the key of the winter"
    totp, codes = TOTP(totp), RecoveryCodes(codes.instance)
    assert not totp.validate_code(code_of(secret))
    assert not totp.validate_code(code_of(""))
    assert not codes.validate_code(known[0])
    assert "SECRET_KEY_FALLBACKS" in caplog.text
    assert unreadable() == 2
    assert "2 second factors cannot be read" in _accounts().detail
    settings.SECRET_KEY_FALLBACKS = ["the key of the summer"]
    assert unreadable() == 0
    assert totp.validate_code(code_of(secret))
    assert codes.validate_code(known[0])


def test_what_stood_there_openly_is_encrypted_and_can_be_opened_again(factors):
    _, codes, secret = factors
    known = codes.get_unused_codes()
    migration.open_all(apps, None)
    assert any(secret in text for text in stored())
    before = stored()
    migration.close_all(apps, None)
    assert not any(secret in text for text in stored())
    assert RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes() == known
    migration.open_all(apps, None)
    assert stored() == before
