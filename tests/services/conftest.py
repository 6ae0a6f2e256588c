"""Tests against real servers. TONALIST_SERVICES names those to use, as `.ci/run` does: postgres redis rabbitmq."""

import os

import pytest
from django.db import connection


@pytest.fixture
def needs_service():
    """Skip unless the service was asked for; asked for, it must answer."""

    def need(name):
        if name not in os.environ.get("TONALIST_SERVICES", "").split():
            pytest.skip(f"set TONALIST_SERVICES={name} to run this against a real server")

    return need


@pytest.fixture
def postgres(needs_service, transactional_db):
    """The test database, on a real PostgreSQL."""
    needs_service("postgres")
    if connection.vendor != "postgresql":
        pytest.skip("set DATABASE_URL to a PostgreSQL to run this")
