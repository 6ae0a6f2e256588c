"""Tests against real servers. TONALIST_SERVICES names those to use, as `.ci/run` does: postgres redis rabbitmq."""

import fcntl
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.db import connection


@pytest.fixture
def needs_service():
    """Skip unless the service was asked for; asked for, it must answer.

    A broker is the test's own until its end: a worker of another would take its messages.
    """
    with ExitStack() as held:

        def need(name):
            if name not in os.environ.get("TONALIST_SERVICES", "").split():
                pytest.skip(f"set TONALIST_SERVICES={name} to run this against a real server")
            if name != "postgres":  # of which each process has a database of its own
                path = Path(tempfile.gettempdir()) / f"tonalist-tests-{name}.lock"
                fcntl.flock(held.enter_context(path.open("w")), fcntl.LOCK_EX)

        yield need


@pytest.fixture
def postgres(needs_service, transactional_db):
    """The test database, on a real PostgreSQL."""
    needs_service("postgres")
    if connection.vendor != "postgresql":
        pytest.skip("set DATABASE_URL to a PostgreSQL to run this")
