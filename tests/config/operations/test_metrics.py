"""The figures that Prometheus reads."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config.models import Worker
from tests.collection.factories import make_session, make_study
from variants.jobs import Job
from variants.models import RenderJob

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def site(settings):
    """A client of a site whose metrics are on: middleware looks at the setting when it is made."""
    settings.METRICS_TOKEN = TOKEN
    return Client()


def figures(client):
    """(name, labels as sorted pairs) → value."""
    reply = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 200
    families = text_string_to_metric_families(reply.content.decode())
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def test_there_is_no_page_without_a_token_in_the_environment(client):
    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("given", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}])
def test_whoever_has_not_the_token_learns_nothing(site, given):
    reply = site.get("/metrics", headers=given)
    assert (reply.status_code, reply.content) == (401, b"")


def test_requests_and_answers_are_counted_by_view_and_outcome(site):
    session = make_session(make_study(phases=("consent", "main"), n_main=8, n_checks=0), name="ada")
    before = figures(site)
    address = f"/api/participant/sessions/{session.token}/answers/"
    question = session.questions.filter(answered_at=None).exclude(kind="practice").first()
    answer = {"question": question.token, "side": "left", "response_ms": 900}
    for _ in range(3):
        site.post(address, answer, content_type="application/json")
    site.post(address, answer | {"side": "right"}, content_type="application/json")
    after = figures(site)

    def more(*key):
        return after.get(key, 0) - before.get(key, 0)

    assert more("tonalist_answers_total", ("outcome", "stored")) == 1
    assert more("tonalist_answers_total", ("outcome", "repeated")) == 2
    assert more("tonalist_answers_total", ("outcome", "conflict")) == 1
    view = ("view", "participant_api:answer-store")
    assert more("tonalist_requests_total", ("method", "POST"), ("status", "200"), view) == 3
    assert more("tonalist_request_seconds_count", ("method", "POST"), view) == 4


def test_jobs_workers_and_queues_are_told(site):
    now = timezone.now()
    RenderJob.objects.create(created_at=now - dt.timedelta(seconds=90))
    RenderJob.objects.create(state=Job.State.RUNNING, heartbeat_at=now)
    Worker.objects.create(name="celery@cpu", seen_at=now - dt.timedelta(seconds=30))
    found = figures(site)
    kind = ("kind", "render job")
    assert found["tonalist_jobs", kind, ("state", "queued")] == 1
    assert found["tonalist_jobs", kind, ("state", "running")] == 1
    assert found["tonalist_jobs", kind, ("state", "stalled")] == 0
    assert 90 <= found["tonalist_job_wait_seconds", kind] < 120
    assert 30 <= found["tonalist_worker_heartbeat_age_seconds", ("worker", "celery@cpu")] < 60
    assert found["tonalist_queue_messages", ("queue", "render")] >= 0
    assert found["tonalist_database_up",] == found["tonalist_broker_up",] == 1


def test_no_label_holds_what_somebody_asked_for(site):
    session = make_session(make_study(phases=("consent", "main"), n_main=8, n_checks=0), name="ada")
    site.get(f"/api/participant/sessions/{session.token}/")
    site.get("/no/such/page-of-mine")
    site.generic("MADE-UP", "/health/live")
    text = str(figures(site))
    for given in (session.token, "page-of-mine", "MADE-UP", session.study.slug + "'"):
        assert given not in text
