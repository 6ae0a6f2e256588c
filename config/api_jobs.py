"""Jobs in the API: whether the site gets its work done, and each job that the caller may see."""

from typing import Any

from django.http import Http404
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import JobReply
from collection.api.v1.pages import PageQuery
from collection.api.v1.problems import Conflict
from collection.services.studies import StudyError
from config.operations.job_pages import job_for
from config.operations.jobs import KINDS, Row, job_cancel, job_retry, job_row
from config.operations.queues import messages_waiting_lately, workers_alive
from config.queues import QUEUES
from learning.services.runs import RunRefused
from variants.job_health import health_is_good, jobs_health
from variants.jobs import UNDER_WAY


class JobsReply(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Such as export, run, report.")
    queued = serializers.IntegerField()
    running = serializers.IntegerField()
    stalled = serializers.IntegerField(
        help_text="Running, by a worker that has not been heard of for a minute."
    )
    failed = serializers.IntegerField(help_text="In the last 24 hours.")
    oldest_queued_at = serializers.DateTimeField(allow_null=True, help_text="Waits the longest.")


class QueueReply(serializers.Serializer[Any]):
    name = serializers.CharField()
    takes = serializers.CharField(help_text="In words.")
    messages = serializers.IntegerField(
        allow_null=True, help_text="That no worker has taken; null where the broker does not answer."
    )
    workers = serializers.IntegerField(help_text="That live and take it.")


class JobsListReply(serializers.Serializer[Any]):
    healthy = serializers.BooleanField(
        help_text="Nothing is stalled, or waits for more than ten minutes with no worker at work."
    )
    results = JobsReply(many=True)
    queues = QueueReply(many=True)


class JobsQuery(PageQuery):
    state = serializers.ChoiceField(
        choices=["under_way", "queued", "running", "done", "failed", "cancelled"],
        required=False,
        help_text="`under_way` is queued or running.",
    )


class AnyJobReply(JobReply):
    """One job of any kind."""

    kind = serializers.SerializerMethodField()
    what = serializers.SerializerMethodField(help_text="What it is for, in words.")
    queue = serializers.CharField()
    deaths = serializers.IntegerField(help_text="Workers that died while they did it.")
    cancel_requested = serializers.BooleanField()
    left = serializers.SerializerMethodField(
        help_text="How long it takes still, in words; empty if not known."
    )
    heartbeat_at = serializers.DateTimeField(allow_null=True)

    def get_kind(self, job: Any) -> str:
        return self._row(job).kind.name

    def get_what(self, job: Any) -> str:
        return self._row(job).what

    def get_left(self, job: Any) -> str:
        return self._row(job).left

    def get_address(self, job: Any) -> str:
        place = f"/api/v1/jobs/{self._row(job).kind.name}/{job.public_id}/"
        return str(self.context["request"].build_absolute_uri(place))

    def _row(self, job: Any) -> Row:
        return job_row(self.context["request"].user, job)


class Jobs(Endpoint):
    """Of the whole site: whether workers work says nothing of anybody's study."""

    tag = "Jobs"
    resource = "jobs"

    @operation("Read the health of jobs", reply=JobsListReply)
    def list(self, request: Request) -> Response:
        """How many wait, run, hang or have failed, of each kind; those of all studies together."""
        health = jobs_health()
        waiting, workers = messages_waiting_lately(), workers_alive()
        queues = [
            {
                "name": name,
                "takes": queue.words,
                "messages": None if waiting is None else waiting.get(name, 0),
                "workers": sum(name in worker.queues for worker in workers),
            }
            for name, queue in QUEUES.items()
        ]
        return self.reply({"healthy": health_is_good(health), "results": health, "queues": queues})


class JobsOfKind(Endpoint):
    tag = "Jobs"
    resource = "jobs_of_kind"
    refusals = (StudyError, RunRefused)

    @operation("List jobs of a kind", query=JobsQuery, reply=AnyJobReply, pages=True)
    def list(self, request: Request, kind: str) -> Response:
        """Those that you may see. Kinds: export, statistics, deletion, render, photos, scenes, run, styled-photos,
        blind-test, adaptation, study-look, look, report.
        """
        if kind not in KINDS:
            raise Http404(f"There is no kind of job {kind[:40]!r}; there are {', '.join(KINDS)}.")
        rows = KINDS[kind].seen_by(self.user)
        if state := self.query.get("state"):
            rows = rows.filter(state__in=UNDER_WAY if state == "under_way" else [state])
        return self.page(rows)

    @operation("Read a job", reply=AnyJobReply)
    def read(self, request: Request, kind: str, public_id: str) -> Response:
        return self.reply(job_for(self.user, kind, public_id))

    @operation("Cancel a job", reply=AnyJobReply)
    def cancel(self, request: Request, kind: str, public_id: str) -> Response:
        """One that is over stays as it is; one that is at work ends within seconds."""
        job = job_for(self.user, kind, public_id, to_change=True)
        job_cancel(job)
        job.refresh_from_db()
        return self.reply(job)

    @operation("Start a job again", reply=AnyJobReply)
    def retry(self, request: Request, kind: str, public_id: str) -> Response:
        """One that has failed or was cancelled; it goes on with what is whole already."""
        job = job_for(self.user, kind, public_id, to_change=True)
        if not job_retry(job):
            raise Conflict(
                f"The job is {job.get_state_display()}; one that has failed or was cancelled can be retried."
            )
        job.refresh_from_db()
        return self.reply(job)


JOB = "<slug:kind>/<public_id:public_id>/"
urlpatterns = [
    path("", Jobs.as_view({"get": "list"}), name="api-jobs"),
    path("<slug:kind>/", JobsOfKind.as_view({"get": "list"}), name="api-jobs-of-kind"),
    path(JOB, JobsOfKind.as_view({"get": "read"}), name="api-job"),
    path(f"{JOB}cancel/", JobsOfKind.as_view({"post": "cancel"}), name="api-job-cancel"),
    path(f"{JOB}retry/", JobsOfKind.as_view({"post": "retry"}), name="api-job-retry"),
]
