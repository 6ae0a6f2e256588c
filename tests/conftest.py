"""Fixtures that many tests share; factories stand in tests/factories.py."""

from pathlib import Path

import django.conf
import pytest
from django.db import connection
from hypothesis import settings

from tests.sites import Site

# How long an example takes says nothing of what is right, and machines are busy.
settings.register_profile("tonalist", deadline=None)
settings.load_profile("tonalist")


def pytest_configure() -> None:
    """What costs each test time and is Django's affair or WhiteNoise's: slow hashes, a look at all static files."""
    django.conf.settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    django.conf.settings.WHITENOISE_AUTOREFRESH = True  # else each client reads the whole folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test first, so that no process is left with one when the other has ended."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos, LUTs and preference data that stands beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the shared data folder beside the project (../shared/data)")
    return SHARED_DATA


@pytest.fixture
def new_site(transactional_db, tmp_path):
    """Makes a site in tmp_path/data, with the address of its broker where it is not the embedded one."""

    def make(broker=""):
        if connection.vendor != "sqlite":
            pytest.skip("copies the tests' SQLite; run this without DATABASE_URL")
        return Site(tmp_path / "data", broker)

    return make
