"""What a study shows: scenes, their renditions, the pairs."""

from collections.abc import Callable
from typing import Any

from django.http import Http404
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.access import studies_of
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, JobReply, public_id
from collection.api.v1.pages import PageQuery
from collection.models import Role, Study, StudyPair
from collection.models.studies import Split
from collection.selectors.research import scene_sheets, scenes_of_study
from collection.services.renditions import rendition_reject, rendition_restore
from collection.services.studies import study_generate_variants
from variants.models import RenderJob, Rendition, SourceType


class SceneReply(serializers.Serializer[Any]):
    id = public_id("scene.public_id")
    name = serializers.CharField(source="scene.name", help_text="For researchers; participants never see it.")
    category = serializers.CharField(source="scene.category")
    source_type = serializers.ChoiceField(source="scene.source_type", choices=SourceType.values)
    split = serializers.ChoiceField(choices=Split.values)
    width = serializers.IntegerField(source="scene.width", help_text="Of the original, upright, in pixels.")
    height = serializers.IntegerField(source="scene.height")
    licence = serializers.CharField(source="scene.licence")
    attribution = serializers.CharField(source="scene.attribution")
    pairs = serializers.IntegerField(source="n_pairs", help_text="That the study may ask about.")
    renditions = serializers.SerializerMethodField(help_text="IDs of all that the scene has.")

    def get_renditions(self, sheet: Any) -> list[str]:
        return [rendition.public_id for rendition in sheet.renditions]


class Scenes(Endpoint):
    tag = "Photos"
    resource = "scenes"

    @operation("List a study's scenes", query=PageQuery, reply=SceneReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        return self.page(scenes_of_study(self.study()), scene_sheets)


class RenditionQuery(PageQuery):
    scene = serializers.CharField(max_length=32, required=False, help_text="Of this scene.")
    state = serializers.ChoiceField(choices=Rendition.State.values, required=False)


class RenditionReply(serializers.Serializer[Any]):
    id = public_id()
    scene = public_id("scene.public_id")
    source_type = serializers.ChoiceField(choices=SourceType.values)
    recipe = FreeObject(help_text="All that is needed to make the image again from its scene.")
    state = serializers.ChoiceField(choices=Rendition.State.values)
    error = serializers.CharField(help_text="Why it could not be rendered.")
    measures = FreeObject(help_text="What was measured of it.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of its file.")
    image = serializers.SerializerMethodField(help_text="Address of its file; null until it is rendered.")

    def get_image(self, rendition: Rendition) -> str | None:
        if not rendition.image:
            return None
        return str(
            self.context["request"].build_absolute_uri(reverse("variants:image", args=[rendition.public_id]))
        )


class MovedReply(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=Rendition.State.values)
    pairs = serializers.IntegerField(help_text="That the study lost, or has back.")


class RenderReply(JobReply):
    where = "renders/"


class Renditions(Endpoint):
    tag = "Photos"
    resource = "renditions"

    @operation("List a study's renditions", query=RenditionQuery, reply=RenditionReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        """Of its scenes, whether or not a pair of the study shows them."""
        study = self.study()
        self.chosen("scene", study.scenes.all())
        found = Rendition.objects.filter(scene__in=study.scenes.all()).select_related("scene")
        if "scene" in self.query:
            found = found.filter(scene__public_id=self.query["scene"])
        if "state" in self.query:
            found = found.filter(state=self.query["state"])
        return self.page(found)

    @operation("Order renditions", reply=RenderReply, status=201)
    def order(self, request: Request, slug: str) -> Response:
        """Those that the study's settings want and that are not there yet, and their pairs: a job."""
        job = study_generate_variants(self.study(Role.EDITOR))
        job.enqueue()
        return self.reply(job)

    @operation("Follow an order of renditions", reply=RenderReply)
    def job(self, request: Request, public_id: str) -> Response:
        job = RenderJob.objects.filter(public_id=public_id, studies__in=studies_of(self.user)).first()
        if job is None:
            raise Http404("There is no such order.")
        return self.reply(job)

    @operation("Reject a rendition", reply=MovedReply)
    def reject(self, request: Request, slug: str, public_id: str) -> Response:
        """Out of a study in draft, with its pairs."""
        return self._moved(rendition_reject)

    @operation("Restore a rendition", reply=MovedReply)
    def restore(self, request: Request, slug: str, public_id: str) -> Response:
        """One that was rejected, with the pairs that the protocol allows."""
        return self._moved(rendition_restore)

    def _moved(self, move: Callable[[Study, Rendition], int]) -> Response:
        study = self.study(Role.EDITOR)
        found = Rendition.objects.filter(
            scene__in=study.scenes.all(), public_id=self.kwargs["public_id"]
        ).first()
        if found is None:
            raise Http404("The study has no such rendition.")
        return self.reply({"pairs": move(study, found), "state": found.state})


class PairQuery(PageQuery):
    scene = serializers.CharField(max_length=32, required=False, help_text="Of this scene.")


class PairReply(serializers.Serializer[Any]):
    id = public_id("pair.public_id")
    scene = public_id("pair.scene.public_id")
    image_a = public_id("pair.image_a.public_id", help_text="ID of a rendition.")
    image_b = public_id("pair.image_b.public_id", help_text="ID of a rendition.")
    source_type = serializers.ChoiceField(source="pair.source_type", choices=SourceType.values)
    delta_e = serializers.FloatField(
        source="pair.delta_e", help_text="Mean CIEDE2000 between the two images."
    )
    exposures = serializers.IntegerField(help_text="Main questions that ask it.")


class Pairs(Endpoint):
    tag = "Photos"
    resource = "pairs"

    @operation("List a study's pairs", query=PairQuery, reply=PairReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        study = self.study()
        self.chosen("scene", study.scenes.all())
        found = StudyPair.objects.filter(study=study)
        if "scene" in self.query:
            found = found.filter(pair__scene__public_id=self.query["scene"])
        return self.page(found.select_related("pair__scene", "pair__image_a", "pair__image_b"))
