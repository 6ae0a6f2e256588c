"""Whether a study's participants get their look, under /api/v1."""

from typing import Any

from django.http import Http404
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.examples import ID
from collection.api.v1.fields import JobReply
from collection.models import Role, Scope
from learning import services
from learning.access import runs_of
from learning.models import StudyLook
from learning.services import StudyLookRefused


class StudyLookOpen(Strict):
    example = {"run": ID}

    run = serializers.CharField(max_length=32, help_text="ID of a finished run that you may see.")
    shows_early = serializers.BooleanField(
        default=True, help_text="A first look also for who comes back half-way, with ten answers or more."
    )


class StudyLookReply(JobReply):
    study = serializers.CharField(source="study.slug")
    run = serializers.CharField(source="learner.public_id")
    is_open = serializers.BooleanField(help_text="Whether participants get their look.")
    shows_early = serializers.BooleanField()

    def get_address(self, found: Any) -> str:
        return str(self.context["request"].build_absolute_uri(f"/api/v1/studies/{found.study.slug}/look/"))


class StudyLooks(Endpoint):
    tag = "Studies"
    resource = "study_looks"
    refusals = (StudyLookRefused,)

    @operation("Read a study's looks", reply=StudyLookReply)
    def read(self, request: Request, slug: str) -> Response:
        """Which run its participants' looks come from; 404 where there never were any."""
        found = StudyLook.objects.filter(study=self.study()).select_related("learner", "study").first()
        if found is None:
            raise Http404("This study's participants get no look; POST here opens it.")
        return self.reply(found)

    @operation(
        "Give participants their look",
        body=StudyLookOpen,
        reply=StudyLookReply,
        status=201,
        scope=Scope.TRAIN,
    )
    def open(self, request: Request, slug: str) -> Response:
        """At the end each sees photos in their own taste, as the run reads it; a second time changes the run."""
        study = self.study(Role.EDITOR)
        run = runs_of(self.user).filter(public_id=self.body["run"]).first()
        if run is None:
            raise serializers.ValidationError({"run": ["There is no such run that you may see."]})
        found = services.study_look_open(study, run, shows_early=self.body["shows_early"])
        found.enqueue()
        return self.reply(found)

    @operation("Give participants no look any more", reply=StudyLookReply, scope=Scope.TRAIN)
    def close(self, request: Request, slug: str) -> Response:
        """What was made for them is deleted; 404 where there never was any."""
        study = self.study(Role.EDITOR)
        services.study_look_close(study)
        found = StudyLook.objects.filter(study=study).select_related("learner", "study").first()
        if found is None:
            raise Http404("This study's participants get no look.")
        return self.reply(found)


urlpatterns = [
    path(
        "studies/<slug:slug>/look/",
        StudyLooks.as_view({"get": "read", "post": "open"}),
        name="api-study-look",
    ),
    path(
        "studies/<slug:slug>/look/close/", StudyLooks.as_view({"post": "close"}), name="api-study-look-close"
    ),
]
