"""A request's ID goes everywhere with it; its line in the log tells the view and no person."""

import io
import json
import logging
import re
from unittest.mock import Mock

import pytest
from celery.signals import before_task_publish, task_postrun, task_prerun

from config.logs import JsonFormatter, TextFormatter
from config.operations.request_ids import current_request_id, request_id_begin, request_id_end
from tests.collection.factories import make_session, make_study

pytestmark = pytest.mark.django_db
ID = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def log():
    """What a collector of logs would get while the test runs, as parsed lines."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    root, requests = logging.getLogger(), logging.getLogger("tonalist.requests")
    root.addHandler(handler)
    requests.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    requests.setLevel(logging.NOTSET)


def test_the_id_of_a_proxy_is_taken_over_and_answered(client, log):
    assert client.get("/accounts/login/", headers={"x-request-id": ID})["X-Request-ID"] == ID
    assert log()[-1]["request_id"] == ID
    assert current_request_id() == ""


@pytest.mark.parametrize("given", ["", "ada@example.org", "x" * 32, "0123", ID + "\nlevel: error"])
def test_what_is_no_id_is_replaced_by_one(client, given):
    found = client.get("/health/live", headers={"x-request-id": given.replace("\n", "")})["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", found)
    assert found != given


def test_a_line_names_the_view_and_how_long_it_took(client, log):
    client.get("/accounts/login/?next=/research/")
    line = log()[-1]
    assert (line["logger"], line["level"], line["method"], line["view"], line["status"]) == (
        "tonalist.requests",
        "info",
        "GET",
        "login",
        200,
    )
    assert 0 < line["ms"] < 10_000
    assert line["time"].endswith("+00:00")


def test_nothing_of_a_person_is_in_the_log(client, log):
    session = make_session(make_study(phases=("consent", "main"), n_main=8, n_checks=0), name="ada")
    token, panel_id = session.token, "5f3a9c1d77e0b2a4c6d8e0f1"
    client.cookies["tonalist_person"] = "c00kie" * 8
    who = {"REMOTE_ADDR": "203.0.113.9", "HTTP_USER_AGENT": "Ada's browser"}
    client.get(f"/s/{session.study.slug}/?pid={panel_id}", **who)
    client.get(f"/api/participant/sessions/{token}x/", **who)
    client.post(f"/api/participant/sessions/{token}/answers/", "{", content_type="application/json", **who)
    client.post("/accounts/login/", {"login": "ada@example.org", "password": "hunter2"}, **who)
    written = json.dumps(log())
    assert len(log()) >= 4
    for personal in (token, panel_id, "c00kie", "203.0.113.9", "Ada's", "ada@example.org", "hunter2"):
        assert personal not in written


def test_a_trace_is_redacted_too(log):
    try:
        raise ValueError(f"no session {ID} for ada@example.org")
    except ValueError:
        logging.getLogger("config").exception("failed for %s", "203.0.113.9")
    line = log()[-1]
    assert "ValueError: no session 012345… for [e-mail]" in line["trace"]
    assert line["message"] == "failed for [address]"


def test_text_for_people_is_redacted_likewise():
    record = logging.LogRecord("x", logging.ERROR, "", 1, "mail to %s", ("ada@example.org",), None)
    assert TextFormatter().format(record) == "mail to [e-mail]"


def test_a_task_goes_on_under_the_id_of_the_request_that_sent_it():
    token, headers = request_id_begin(ID), {}
    before_task_publish.send("config.tasks.chore_task", headers=headers)
    request_id_end(token)
    assert headers == {"request_id": ID}
    task = Mock(request=Mock(get=headers.get, headers=headers))
    task_prerun.send(task, task_id="t", task=task)
    assert current_request_id() == ID
    task_postrun.send(task, task_id="t", task=task)
    assert current_request_id() == ""
