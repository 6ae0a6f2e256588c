"""Training runs under /api/v1."""

from pathlib import Path
from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import studies_of
from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import JobReply
from collection.api.v1.marks import Marks
from collection.api.v1.pages import PageQuery
from collection.models import Role, Scope
from learning import services
from learning.access import exports_to_train_on, run_for, runs_of
from learning.models import Run
from learning.run_folder import run_curves, run_log
from learning.services import RunRefused
from learning.systems import BACKBONES_OF, PRESETS, SYSTEMS, backbone_refusal
from variants.jobs import Job

ALL_BACKBONES = list(dict.fromkeys(name for names in BACKBONES_OF.values() for name in names))
ALL_PRESETS = sorted({name for names in PRESETS.values() for name in names})


class RunQuery(PageQuery):
    study = serializers.CharField(max_length=50, required=False, help_text="On datasets of this study.")
    state = serializers.ChoiceField(choices=Job.State.values, required=False)


class RunCreate(Strict):
    export = serializers.CharField(max_length=32, help_text="ID of a finished dataset folder.")
    system = serializers.ChoiceField(choices=list(SYSTEMS))
    preset = serializers.ChoiceField(choices=ALL_PRESETS, help_text="tiny: minutes on a CPU.")
    backbone = serializers.ChoiceField(
        choices=ALL_BACKBONES,
        required=False,
        help_text="The preset's where left out; not every system takes every one.",
    )
    steps = serializers.IntegerField(
        min_value=1, max_value=10_000_000, required=False, help_text="Instead of the preset's."
    )
    seed = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)

    def validate(self, attrs: Any) -> Any:
        if why := backbone_refusal(attrs["system"], attrs["preset"], attrs.get("backbone", "")):
            raise serializers.ValidationError({"backbone": [why]})
        return attrs


class RunReply(JobReply):
    where = "runs/"

    export = serializers.SerializerMethodField(
        help_text="ID of the dataset; null for a folder of the server."
    )
    study = serializers.SerializerMethodField()
    system = serializers.CharField()
    preset = serializers.CharField()
    backbone = serializers.CharField(help_text="Empty: the preset's.")
    steps = serializers.IntegerField(allow_null=True, help_text="Null: the preset's.")
    seed = serializers.IntegerField()
    is_simulated = serializers.BooleanField(help_text="Learnt from simulated raters.")
    marks = Marks()

    def get_export(self, run: Run) -> str | None:
        return run.export.public_id if run.export else None

    def get_study(self, run: Run) -> str | None:
        return run.export.study.slug if run.export else None


class CurveReply(serializers.Serializer[Any]):
    name = serializers.CharField()
    points = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField()), help_text="(step, value) each."
    )


class ProgressReply(serializers.Serializer[Any]):
    curves = CurveReply(many=True)
    log = serializers.CharField(help_text="Its last lines.")


class Runs(Endpoint):
    tag = "Runs"
    resource = "runs"
    refusals = (RunRefused,)

    @operation("List runs", query=RunQuery, reply=RunReply, pages=True)
    def list(self, request: Request) -> Response:
        """Those on datasets of your studies, and those that you started."""
        found = runs_of(self.user)
        self.chosen("study", studies_of(self.user), by="slug")
        if "study" in self.query:
            found = found.filter(export__study__slug=self.query["study"])
        if "state" in self.query:
            found = found.filter(state=self.query["state"])
        return self.page(found)

    @operation("Start a run", body=RunCreate, reply=RunReply, status=201, scope=Scope.TRAIN)
    def create(self, request: Request) -> Response:
        """Trains a system on a dataset; follow it at the address of Location until `is_over`."""
        fields = dict(self.body)
        export = exports_to_train_on(self.user).filter(public_id=fields.pop("export")).first()
        if export is None:
            raise serializers.ValidationError(
                {
                    "export": [
                        "There is no such dataset that is done and in whose study you are owner or editor."
                    ]
                }
            )
        run = services.run_create(export, **fields)
        run.enqueue()
        response = self.reply(run)
        response["Location"] = f"/api/v1/runs/{run.public_id}/"
        return response

    @operation("Read a run", reply=RunReply)
    def read(self, request: Request, public_id: str) -> Response:
        return self.reply(run_for(request, public_id))

    @operation("Read a run's curves and log", reply=ProgressReply)
    def progress(self, request: Request, public_id: str) -> Response:
        folder = Path(run_for(request, public_id).folder)
        curves = [{"name": curve.name, "points": curve.points} for curve in run_curves(folder)]
        return self.reply({"curves": curves, "log": run_log(folder)})

    @operation("Cancel a run", reply=RunReply, scope=Scope.TRAIN)
    def cancel(self, request: Request, public_id: str) -> Response:
        """Its last checkpoint stays; one that is over stays as it is."""
        run = run_for(request, public_id, Role.EDITOR)
        services.run_cancel(run)
        return self.reply(run)

    @operation("Resume a run", reply=RunReply, scope=Scope.TRAIN)
    def resume(self, request: Request, public_id: str) -> Response:
        """One that was cancelled or has failed goes on from its last checkpoint."""
        run = run_for(request, public_id, Role.EDITOR)
        services.run_resume(run)
        run.enqueue()
        return self.reply(run)


urlpatterns = [
    path("runs/", Runs.as_view({"get": "list", "post": "create"}), name="api-runs"),
    path("runs/<public_id:public_id>/", Runs.as_view({"get": "read"}), name="api-run"),
    path("runs/<public_id:public_id>/progress/", Runs.as_view({"get": "progress"}), name="api-run-progress"),
    path("runs/<public_id:public_id>/cancel/", Runs.as_view({"post": "cancel"}), name="api-run-cancel"),
    path("runs/<public_id:public_id>/resume/", Runs.as_view({"post": "resume"}), name="api-run-resume"),
]
