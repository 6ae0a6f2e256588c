"""CQS reports under /api/v1."""

import json
from pathlib import Path

from django.http import Http404
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, JobReply
from collection.api.v1.marks import Marks
from collection.api.v1.pages import PageQuery
from collection.models import Role, Scope
from evaluation import services
from evaluation.access import report_for, reports_of
from evaluation.models import Report
from evaluation.services import ReportError
from learning.access import run_may, runs_of
from variants.jobs import Job

MOST_RUNS = 20


class ReportCreate(Strict):
    runs = serializers.ListField(
        child=serializers.CharField(max_length=32),
        min_length=1,
        max_length=MOST_RUNS,
        help_text="IDs of finished runs on one dataset.",
    )
    seed = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)
    references = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    evaluations = serializers.IntegerField(min_value=1, max_value=1000, required=False)


class ReportReply(JobReply):
    where = "reports/"

    runs = serializers.SerializerMethodField(help_text="IDs.")
    seed = serializers.IntegerField()
    protocol = FreeObject(help_text="Who is judged on what: docs/evaluation.md.")
    verdict = serializers.CharField(help_text="In one sentence; empty until it is done.")
    is_simulated = serializers.BooleanField(help_text="About simulated raters.")
    marks = Marks()

    def get_runs(self, report: Report) -> list[str]:
        return [run.public_id for run in report.runs.all()]


class Reports(Endpoint):
    tag = "Reports"
    resource = "reports"
    refusals = (ReportError,)

    @operation("List reports", query=PageQuery, reply=ReportReply, pages=True)
    def list(self, request: Request) -> Response:
        return self.page(reports_of(self.user))

    @operation("Make a report", body=ReportCreate, reply=ReportReply, status=201, scope=Scope.TRAIN)
    def create(self, request: Request) -> Response:
        """Evaluates runs side by side; follow it at the address of Location until `is_over`."""
        fields = dict(self.body)
        named = dict.fromkeys(fields.pop("runs"))
        found = {run.public_id: run for run in runs_of(self.user).filter(public_id__in=named)}
        if missing := [name for name in named if name not in found]:
            raise serializers.ValidationError({"runs": [f"There is no run {name!r}." for name in missing]})
        for run in found.values():
            if not run_may(self.user, run, Role.EDITOR):
                self.permission_denied(request, f"This needs the role editor in the study of the run {run}.")
        report = services.report_create([found[name] for name in named], **fields)
        report.enqueue()
        response = self.reply(report)
        response["Location"] = f"/api/v1/reports/{report.public_id}/"
        return response

    @operation("Read a report's state", reply=ReportReply)
    def read(self, request: Request, public_id: str) -> Response:
        return self.reply(report_for(request, public_id))

    @operation("Read a report", media="application/json")
    def data(self, request: Request, public_id: str) -> Response:
        """All its figures, with intervals and counts: report.json."""
        report = report_for(request, public_id)
        if report.state != Job.State.DONE:
            raise Http404("This report is not written yet.")
        try:
            return Response(json.loads((Path(report.folder) / "report.json").read_text()))
        except (OSError, ValueError) as error:
            raise Http404("The report's folder is gone, or broken; make the report again.") from error

    @operation("Cancel a report", reply=ReportReply, scope=Scope.TRAIN)
    def cancel(self, request: Request, public_id: str) -> Response:
        """Nothing of it stays; one that is over stays as it is."""
        report = report_for(request, public_id, Role.EDITOR)
        services.report_cancel(report)
        return self.reply(report)


urlpatterns = [
    path("reports/", Reports.as_view({"get": "list", "post": "create"}), name="api-reports"),
    path("reports/<public_id:public_id>/", Reports.as_view({"get": "read"}), name="api-report"),
    path(
        "reports/<public_id:public_id>/report.json", Reports.as_view({"get": "data"}), name="api-report-data"
    ),
    path(
        "reports/<public_id:public_id>/cancel/", Reports.as_view({"post": "cancel"}), name="api-report-cancel"
    ),
]
