"""Fixtures that many tests share; factories stand in tests/factories.py."""

from pathlib import Path

import django.conf
import pytest
from hypothesis import settings

# How long an example takes says nothing of what is right, and machines are busy.
settings.register_profile("tonalist", deadline=None)
settings.load_profile("tonalist")


def pytest_configure() -> None:
    """What costs each test time and is Django's affair or WhiteNoise's: slow hashes, a look at all static files."""
    django.conf.settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django.conf.settings.WHITENOISE_AUTOREFRESH = True  # else each client reads the whole folder


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos, LUTs and preference data that stands beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the shared data folder beside the project (../shared/data)")
    return SHARED_DATA
