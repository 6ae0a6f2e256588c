"""Reading many raters of a run at once, under /api/v1."""

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import JobReply
from collection.api.v1.pages import PageQuery
from collection.models import Role, Scope
from learning import services
from learning.access import adaptation_for, run_for
from learning.models import Adaptation
from learning.services import AdaptationRefused
from learning.services.adaptations import MOST_REFERENCES


class AdaptationCreate(Strict):
    whose = serializers.ChoiceField(
        choices=Adaptation.Whose.values,
        default="validation",
        help_text="Raters held out of training, or all.",
    )
    references = serializers.IntegerField(
        min_value=1, max_value=MOST_REFERENCES, default=16, help_text="Answers that each is read from."
    )


class AdaptationReply(JobReply):
    where = "adaptations/"

    run = serializers.CharField(source="learner.public_id", help_text="ID.")
    whose = serializers.ChoiceField(choices=Adaptation.Whose.values)
    references = serializers.IntegerField()
    left_out = serializers.ListField(
        child=serializers.CharField(), help_text="IDs of raters with fewer answers than `references`."
    )
    is_simulated = serializers.BooleanField(source="learner.is_simulated", help_text="Simulated raters.")


class RaterReadReply(serializers.Serializer[Any]):
    rater = serializers.CharField(source="rater_id")
    state = serializers.ChoiceField(choices=["queued", "running", "done", "failed", "cancelled"])
    error = serializers.CharField(help_text="Why they could not be read; empty otherwise.")
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunAdaptations(Endpoint):
    tag = "Runs"
    resource = "run_adaptations"
    refusals = (AdaptationRefused,)

    @operation("List a run's readings of raters", query=PageQuery, reply=AdaptationReply, pages=True)
    def list(self, request: Request, public_id: str) -> Response:
        return self.page(run_for(request, public_id).adaptations.select_related("learner"))

    @operation(
        "Read many raters", body=AdaptationCreate, reply=AdaptationReply, status=201, scope=Scope.TRAIN
    )
    def create(self, request: Request, public_id: str) -> Response:
        """Makes the profiles of raters who have none yet; all workers share them. Follow it until `is_over`."""
        made = services.adaptation_create(run_for(request, public_id, Role.EDITOR), **self.body)
        made.enqueue()
        response = self.reply(made)
        response["Location"] = f"/api/v1/adaptations/{made.public_id}/"
        return response


class Adaptations(Endpoint):
    tag = "Runs"
    resource = "adaptations"

    @operation("Read how far raters are read", reply=AdaptationReply)
    def read(self, request: Request, public_id: str) -> Response:
        return self.reply(adaptation_for(request, public_id))

    @operation("List its raters", query=PageQuery, reply=RaterReadReply, pages=True)
    def raters(self, request: Request, public_id: str) -> Response:
        """Those who had a profile already are not among them."""
        return self.page(adaptation_for(request, public_id).shares.all())

    @operation("Cancel the reading of raters", reply=AdaptationReply, scope=Scope.TRAIN)
    def cancel(self, request: Request, public_id: str) -> Response:
        """Profiles that are whole stay; one that is over stays as it is."""
        adaptation = adaptation_for(request, public_id, Role.EDITOR)
        services.adaptation_cancel(adaptation)
        return self.reply(adaptation)


urlpatterns = [
    path(
        "runs/<public_id:public_id>/adaptations/",
        RunAdaptations.as_view({"get": "list", "post": "create"}),
        name="api-run-adaptations",
    ),
    path("adaptations/<public_id:public_id>/", Adaptations.as_view({"get": "read"}), name="api-adaptation"),
    path(
        "adaptations/<public_id:public_id>/raters/",
        Adaptations.as_view({"get": "raters"}),
        name="api-adaptation-raters",
    ),
    path(
        "adaptations/<public_id:public_id>/cancel/",
        Adaptations.as_view({"post": "cancel"}),
        name="api-adaptation-cancel",
    ),
]
