"""Figures for Prometheus: counted in each process as requests pass, and asked of the database when they are read.

Labels are names of views, kinds and states: none holds a token, a study or a person.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import REGISTRY, Collector

from collection.api.views import answer_store
from config.models import Worker
from config.operations.queues import messages_waiting
from variants.job_health import jobs_health

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, float("inf"))
"""Seconds; 0.15 is what an answer may take."""

SECONDS = Histogram(
    "tonalist_request_seconds", "Time that requests took", ["method", "view"], buckets=BUCKETS
)
REQUESTS = Counter("tonalist_requests", "Requests", ["method", "view", "status"])
ANSWERS = Counter(
    "tonalist_answers", "Answers that came in: stored, repeated, or the code of the refusal", ["outcome"]
)


def request_observe(request: HttpRequest, response: HttpResponseBase, view: str, seconds: float) -> None:
    """Count a request that is done."""
    from config.operations.middleware import METHODS

    method = request.method if request.method in METHODS else "other"
    SECONDS.labels(method, view).observe(seconds)
    REQUESTS.labels(method, view, str(response.status_code)).inc()
    if request.resolver_match and request.resolver_match.func is answer_store:
        ANSWERS.labels(_outcome(response)).inc()


def _outcome(response: HttpResponseBase) -> str:
    """The API's own word for what became of an answer."""
    try:
        said = json.loads(getattr(response, "content", b""))
    except ValueError:
        return "error"
    return str(said.get("status") or said.get("error") or "error")


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures, for whoever has METRICS_TOKEN; without one in the environment there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not secrets.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(Site())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class Site(Collector):
    """What the rows and the broker say at this moment. Where one does not answer, its figures are absent."""

    def collect(self) -> Iterator[Metric]:
        for name, figures in (("database", self._rows), ("broker", self._queues)):
            up = GaugeMetricFamily(f"tonalist_{name}_up", f"Whether the {name} answered")
            try:
                found = list(figures())
                up.add_metric([], 1)
            except (DatabaseError, OperationalError, OSError):
                found = []
                up.add_metric([], 0)
            yield up
            yield from found

    def _rows(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("tonalist_jobs", "Jobs by kind and state", labels=["kind", "state"])
        waits = GaugeMetricFamily(
            "tonalist_job_wait_seconds", "How long the oldest waiting job waits", labels=["kind"]
        )
        now = time.time()
        for kind in jobs_health():
            for state in ("queued", "running", "stalled", "failed"):
                jobs.add_metric([kind.kind, state], getattr(kind, state))
            oldest = kind.oldest_queued_at
            waits.add_metric([kind.kind], max(0.0, now - oldest.timestamp()) if oldest else 0.0)
        yield jobs
        yield waits
        beats = GaugeMetricFamily(
            "tonalist_worker_heartbeat_age_seconds", "Since a worker was last seen", labels=["worker"]
        )
        for worker in Worker.objects.all():
            beats.add_metric([worker.name], max(0.0, now - worker.seen_at.timestamp()))
        yield beats

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "tonalist_queue_messages", "Messages that no worker has taken", labels=["queue"]
        )
        for queue, count in messages_waiting().items():
            waiting.add_metric([queue], count)
        yield waiting
