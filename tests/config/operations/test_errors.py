"""What Sentry is told, by its own SDK, with a transport that keeps what it would send."""

import json
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.operations.errors import sentry_start

PROGRAM = """
import json, os, sys
import django; django.setup()
import sentry_sdk
from django.test import Client
from sentry_sdk.transport import Transport

class Kept(Transport):
    def capture_envelope(self, envelope):
        print(json.dumps([item.payload.json for item in envelope.items]))

sentry_sdk.get_client().transport = Kept()
from django.conf import settings
from collection.researcher import making
def broken(*_):
    secret_of_a_local = "5f3a9c1d77e0b2a4c6d8e0f1"
    raise RuntimeError("failed for ada@example.org at 203.0.113.9 with 5f3a9c1d77e0b2a4c6d8e0f1")
import collection.api.views as views
views._session = broken
client = Client(raise_request_exception=False, headers={"cookie": "sessionid=c00kie"})
client.get("/api/participant/sessions/" + "5f3a9c1d" * 4 + "/?pid=panel", REMOTE_ADDR="203.0.113.9", HTTP_HOST="localhost")
"""


def test_an_error_is_told_without_anything_of_a_person(tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "TONALIST_DATA": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SENTRY_DSN": "https://publickey@sentry.invalid/1",
        "DATABASE_URL": "sqlite://:memory:",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    (event,) = [item for line in done.stdout.splitlines() for item in json.loads(line)]
    (error,) = [each for each in event["exception"]["values"] if each["type"] == "RuntimeError"]
    assert error["value"] == "failed for [e-mail] at [address] with 5f3a9c…"
    assert error["stacktrace"]["frames"]
    assert event["transaction"] == "/api/participant/sessions/{token}/"
    assert event["tags"]["request_id"]
    for personal in ("5f3a9c1d", "203.0.113.9", "ada@", "c00kie", "panel", "publickey", "server_name"):
        assert personal not in done.stdout


def test_a_wrong_dsn_is_said_without_showing_it():
    with pytest.raises(ImproperlyConfigured, match="SENTRY_DSN is no DSN") as raised:
        sentry_start("hunter2", environment="x", release="y")
    assert "hunter2" not in str(raised.value)
