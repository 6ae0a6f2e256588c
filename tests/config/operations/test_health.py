"""What load balancers are told, and when."""

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from config.operations import health

pytestmark = pytest.mark.django_db
GOOD = {"database": "ok", "migrations": "ok", "storage": "ok", "broker": "ok"}


@pytest.fixture(autouse=True)
def _nothing_seen_yet(monkeypatch):
    monkeypatch.setattr(health, "_is_migrated", False)
    monkeypatch.setattr(health, "_stored_at", float("-inf"))


def test_live_asks_nothing(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        reply = client.get("/health/live")
    assert (reply.status_code, reply.json()) == (200, {"status": "live"})
    assert "no-store" in reply["Cache-Control"]
    assert client.post("/health/live").status_code == 405


def test_a_whole_site_is_ready(client, settings):
    reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()) == (200, {"status": "ready", "checks": GOOD})
    assert not list((settings.TONALIST_DATA / "media" / "health").iterdir())


def test_migrations_that_wait_take_it_out_of_service(client):
    (last,) = MigrationLoader(connection).graph.leaf_nodes("config")
    MigrationRecorder(connection).record_unapplied(*last)
    reply = client.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json() == {
        "status": "not ready",
        "checks": GOOD | {"migrations": "1 wait for manage.py migrate"},
    }


def test_a_storage_that_cannot_be_written_does_so_too(client, settings, tmp_path):
    (tmp_path / "file").touch()
    options = settings.STORAGES["default"] | {"OPTIONS": {"location": str(tmp_path / "file" / "media")}}
    settings.STORAGES = settings.STORAGES | {"default": options}
    reply = client.get("/health/ready")
    assert (reply.status_code, reply.json()["checks"]["storage"]) == (503, "cannot be written")
    assert str(tmp_path) not in reply.content.decode()


def test_without_the_database_nothing_is_told_but_that(client, monkeypatch):
    def away(*_):
        raise DatabaseError('connection to server at "db.internal", user "tonalist" failed: hunter2')

    monkeypatch.setattr(connection._connections[connection._alias].__class__, "cursor", away)
    reply = client.get("/health/ready")
    assert reply.status_code == 503
    assert reply.json()["checks"] == GOOD | {
        "database": "does not answer",
        "migrations": "cannot be read, as the database does not answer",
    }
    assert client.get("/health/live").status_code == 200


def test_without_the_broker_answers_are_still_taken(client, monkeypatch):
    broker = health.app.connection_for_write
    monkeypatch.setattr(health.app, "connection_for_write", lambda: broker("redis://127.0.0.1:1/"))
    reply = client.get("/health/ready")
    assert reply.status_code == 200
    assert reply.json() == {"status": "degraded", "checks": GOOD | {"broker": "does not answer; jobs wait"}}


def test_a_probe_over_plain_http_is_not_redirected(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live").status_code == 200
    assert client.get("/accounts/login/").status_code == 301
