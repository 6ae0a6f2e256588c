"""What a study's answers say, as it was computed last."""

from dataclasses import asdict
from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import require_role
from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, JobReply
from collection.design.statistics import MAX_DRAWS, MIN_DRAWS, Settings
from collection.models import Role, StatisticsJob
from collection.selectors.rules import rules_in_force
from collection.services.statistics import statistics_create, statistics_out_of_date
from variants.jobs import Job

DEFAULTS = asdict(Settings())


class StatisticsBody(Strict):
    """What is left out is as by default."""

    model = serializers.ChoiceField(choices=["thurstone", "bradley_terry"], default=DEFAULTS["model"])
    prior_sd = serializers.FloatField(
        min_value=0.01, max_value=100, allow_null=True, default=None, help_text="Null: maximum likelihood."
    )
    resamples = serializers.IntegerField(
        min_value=MIN_DRAWS, max_value=MAX_DRAWS, default=DEFAULTS["resamples"]
    )
    permutations = serializers.IntegerField(
        min_value=MIN_DRAWS, max_value=MAX_DRAWS, default=DEFAULTS["permutations"]
    )
    seed = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)


class StatisticsReply(JobReply):
    where = "statistics/"

    study = serializers.CharField(source="study.slug")
    is_simulated = serializers.BooleanField(source="study.is_simulated")
    settings = FreeObject()
    computed_from = FreeObject(help_text="Rule set, answers, raters.")
    out_of_date = serializers.SerializerMethodField(
        help_text="What has changed since; empty: the figures hold."
    )
    result = FreeObject(allow_null=True, help_text="docs/statistics.md says what the figures are.")

    def get_out_of_date(self, job: Any) -> list[str]:
        return self.context["out_of_date"](job) if job.state == Job.State.DONE else []


class Statistics(Endpoint):
    tag = "Statistics"
    resource = "statistics"

    @operation("Read a study's statistics", reply=StatisticsReply)
    def read(self, request: Request, slug: str) -> Response:
        """The last that were computed, with intervals and counts; 404 before the first."""
        study = self.study()
        job = study.statistics_jobs.filter(state=Job.State.DONE).first()
        if job is None:
            raise Http404("They have not been computed yet; POST here orders it.")
        return self._told(job)

    @operation("Follow a computation", reply=StatisticsReply)
    def job(self, request: Request, public_id: str) -> Response:
        """One computation of statistics, while it goes on and after."""
        job = StatisticsJob.objects.select_related("study").filter(public_id=public_id).first()
        if job is None:
            raise Http404("There is no such computation.")
        require_role(request.user, job.study, Role.VIEWER)
        return self._told(job)

    @operation("Compute a study's statistics", body=StatisticsBody, reply=StatisticsReply, status=201)
    def create(self, request: Request, slug: str) -> Response:
        """A job: follow it at its `address`."""
        study = self.study(Role.EDITOR)
        job = statistics_create(study, Settings(**self.body))
        job.enqueue()
        return self._told(job)

    def _told(self, job: Any) -> Response:
        return self.reply(job, out_of_date=lambda job: statistics_out_of_date(job, rules_in_force(job.study)))
