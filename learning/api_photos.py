"""Photos rendered to a taste, under /api/v1. Only who uploaded them, and superusers, see them."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Form, FormBody, Strict, UploadedFileField
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.examples import ID
from collection.api.v1.fields import FreeObject, JobReply
from collection.api.v1.pages import PageQuery
from collection.models import Scope
from learning import services
from learning.access import photos_for, photos_of, run_for, runs_of
from learning.models import Photo, PhotoRequest
from learning.photo_files import has_preset, photo_file_response, preset_file_response
from learning.services import PhotosRefused
from learning.services.photos import MAX_BYTES, MAX_PHOTOS
from learning.services.styles import MAX_LIKED, MAX_LIKED_BYTES
from learning.systems import MAX_STRENGTH, UNTRAINED

FIELDS_BYTES = 1_000_000
"""What the fields and the lines between the files may take."""
MASKS_BYTES = 50_000_000
STRENGTH = "0 leaves the photos as they are, 1 is the system's own measure."


class PhotosBody(FormBody):
    max_bytes = MAX_PHOTOS * MAX_BYTES + FIELDS_BYTES
    max_file_bytes = MAX_BYTES


class StyleBody(FormBody):
    max_bytes = MAX_PHOTOS * MAX_BYTES + MAX_LIKED_BYTES + MASKS_BYTES + FIELDS_BYTES
    max_file_bytes = MAX_BYTES


class Number(serializers.FloatField):
    """Of a JSON object's values: a text is no number here either."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return float(super().to_internal_value(data))


class PhotosCreate(Form):
    example = {"rater": ID, "strength": 1.0, "photos": ["@mine.jpg"]}

    rater = serializers.CharField(max_length=100, help_text="ID of a rater of the run's dataset.")
    strength = serializers.FloatField(min_value=0, max_value=MAX_STRENGTH, default=1.0, help_text=STRENGTH)
    photos = serializers.ListField(
        child=UploadedFileField(), min_length=1, max_length=MAX_PHOTOS, help_text="Files, one part each."
    )


class StyleCreate(Form):
    example = {"system": "pif_lite", "liked": ["@a.jpg", "@b.jpg"], "photos": ["@mine.jpg"]}

    system = serializers.ChoiceField(
        choices=list(UNTRAINED), required=False, help_text="One that needs no training; or else `run`."
    )
    run = serializers.CharField(
        max_length=32, required=False, help_text="ID of a finished run of a system that reads photos."
    )
    strength = serializers.FloatField(min_value=0, max_value=MAX_STRENGTH, default=1.0, help_text=STRENGTH)
    name = serializers.CharField(
        max_length=80, required=False, help_text="Of the style; otherwise after what it is read from."
    )
    liked = serializers.ListField(
        child=UploadedFileField(),
        required=False,
        max_length=MAX_LIKED,
        help_text="Whose tones are liked; or else `preset` or `words`.",
    )
    masks = serializers.ListField(
        child=UploadedFileField(),
        required=False,
        max_length=MAX_LIKED + MAX_PHOTOS,
        help_text="Of liked photos and of `photos`, with the photo's name and one colour for each segment (deep_photo).",
    )
    preset = UploadedFileField(required=False, help_text="That the same `run` has made (neural_preset).")
    words = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        help_text="Such as exposure=dark, one field each, for a `run` of pif.",
    )
    photos = serializers.ListField(
        child=UploadedFileField(), min_length=1, max_length=MAX_PHOTOS, help_text="What is rendered."
    )

    def validate(self, attrs: Any) -> Any:
        if ("run" in attrs) == ("system" in attrs):
            raise serializers.ValidationError("Send either `system` or `run`: one of them reads the style.")
        pairs = [text.partition("=") for text in attrs.get("words", ())]
        if wrong := ["".join(pair) for pair in pairs if not all(pair)]:
            raise serializers.ValidationError({"words": [f"{wrong[0]!r} must be CONCEPT=WORD."]})
        attrs["words"] = {concept: word for concept, _, word in pairs}
        return attrs


class StyleChange(Strict):
    example = {"strength": 0.5, "strengths": {"exposure": 0.25}}

    strength = serializers.FloatField(min_value=0, max_value=MAX_STRENGTH, required=False, help_text=STRENGTH)
    strengths = serializers.DictField(
        child=Number(),
        required=False,
        help_text="Of concepts, instead of what was learned; {} is as learned. Left out, they stay.",
    )


class StyleMix(Strict):
    example = {"other": ID, "share": 0.5}

    other = serializers.CharField(max_length=32, help_text="ID of another style by the same run or system.")
    share = serializers.FloatField(min_value=0, max_value=1, default=0.5, help_text="Of the other.")
    name = serializers.CharField(max_length=80, required=False, help_text="Of the mix.")


class PhotoFilesReply(serializers.Serializer[Any]):
    """Addresses of what was made of one photo."""

    before = serializers.CharField(help_text="The photo, small: image/jpeg.")
    after = serializers.CharField(
        help_text="What became of it, small; null for a liked photo.", allow_null=True
    )
    result = serializers.CharField(help_text="The same in full size.", allow_null=True)
    cube = serializers.CharField(help_text="The edit as a LUT, where one can hold it.", allow_null=True)


class PhotoReply(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    name = serializers.CharField(help_text="Of its file.")
    is_liked = serializers.BooleanField(help_text="The style is read from it; it is not rendered.")
    state = serializers.ChoiceField(choices=Photo.State.values)
    error = serializers.CharField(help_text="Why it failed; empty otherwise.")
    width = serializers.IntegerField(help_text="Of the result, in pixels.")
    height = serializers.IntegerField()
    files = serializers.SerializerMethodField(help_text="Null until it is rendered.")

    @extend_schema_field(PhotoFilesReply(allow_null=True))
    def get_files(self, photo: Photo) -> dict[str, str | None] | None:
        if photo.state != Photo.State.RENDERED:
            return None
        base = f"/api/v1/photos/{photo.request.public_id}/{photo.index}/"
        there = {
            "before": f"{base}before/",
            "after": None if photo.is_liked else f"{base}after/",
            "result": None if photo.is_liked else f"{base}result/",
            "cube": f"{base}look.cube" if photo.has_cube else None,
        }
        asked = self.context["request"]
        return {name: at and asked.build_absolute_uri(at) for name, at in there.items()}


class PhotosReply(JobReply):
    where = "photos/"

    run = serializers.SerializerMethodField(help_text="ID; null where the system needs no training.")
    system = serializers.SerializerMethodField()
    rater = serializers.CharField(source="rater_id", help_text="Empty for a style from photos.")
    name = serializers.CharField(help_text="Of a style; empty for a rater's taste.")
    words = FreeObject(help_text="Attribute of each concept, for a style in words.")
    mixture = serializers.ListField(
        child=FreeObject(), help_text="The styles that it is mixed of, with the share of each."
    )
    preset = serializers.SerializerMethodField(help_text="Address of the style as a preset; null without.")
    strength = serializers.FloatField()
    learned = FreeObject(
        allow_null=True, help_text="Strength of each concept as it was read; null where there are none."
    )
    strengths = FreeObject(help_text="Of concepts that were set since.")
    keep_until = serializers.DateTimeField(help_text="Then all of it is deleted.")
    photos = PhotoReply(many=True)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_preset(self, asked: PhotoRequest) -> str | None:
        at = f"/api/v1/photos/{asked.public_id}/preset.safetensors"
        return str(self.context["request"].build_absolute_uri(at)) if has_preset(asked) else None

    def get_run(self, asked: PhotoRequest) -> str | None:
        return asked.learner.public_id if asked.learner else None

    def get_system(self, asked: PhotoRequest) -> str:
        return asked.reader


class PhotosEndpoint(Endpoint):
    tag = "Styles"
    refusals = (PhotosRefused,)

    def _started(self, asked: PhotoRequest) -> Response:
        asked.enqueue()
        response = self.reply(asked)
        response["Location"] = f"/api/v1/photos/{asked.public_id}/"
        return response

    def _kept(self) -> "QuerySet[PhotoRequest]":
        return photos_of(self.user).prefetch_related("photos__request")


class RunPhotos(PhotosEndpoint):
    resource = "run_photos"

    @operation("List your photos of a run", query=PageQuery, reply=PhotosReply, pages=True)
    def list(self, request: Request, public_id: str) -> Response:
        """Those that are kept still."""
        return self.page(self._kept().filter(learner=run_for(request, public_id)))

    @operation(
        "Render photos to a rater's taste",
        body=PhotosCreate,
        reply=PhotosReply,
        status=201,
        scope=Scope.TRAIN,
        parsers=(PhotosBody,),
    )
    def create(self, request: Request, public_id: str) -> Response:
        """A form with files; follow it at the address of Location until `is_over`. Only you see the photos."""
        run = run_for(request, public_id)
        fields = dict(self.body)
        return self._started(
            services.photos_request(
                run,
                fields["photos"],
                rater_id=fields["rater"],
                strength=fields["strength"],
                uploaded_by=self.user,
            )
        )


class Styles(PhotosEndpoint):
    resource = "styles"

    @operation("List your styles", query=PageQuery, reply=PhotosReply, pages=True)
    def list(self, request: Request) -> Response:
        """Styles from photos that are kept still."""
        return self.page(self._kept().filter(rater_id=""))

    @operation(
        "Read a style from photos",
        body=StyleCreate,
        reply=PhotosReply,
        status=201,
        scope=Scope.TRAIN,
        parsers=(StyleBody,),
    )
    def create(self, request: Request) -> Response:
        """A form with files: a style is read from `liked`, a `preset` or `words`, and given to `photos`.

        Only you see them.
        """
        fields = dict(self.body)
        named = fields.pop("run", None)
        run = runs_of(self.user).filter(public_id=named).first() if named is not None else None
        if named is not None and run is None:
            raise serializers.ValidationError({"run": [f"There is no run {named!r}."]})
        return self._started(
            services.style_request(
                fields.pop("liked", []), fields.pop("photos"), uploaded_by=self.user, run=run, **fields
            )
        )


class Photos(PhotosEndpoint):
    resource = "photos"

    @operation("Read the state of photos", reply=PhotosReply)
    def read(self, request: Request, public_id: str) -> Response:
        """Of a style and of photos to a rater's taste alike."""
        return self.reply(photos_for(request, public_id))

    @operation("Change a style", body=StyleChange, reply=PhotosReply, scope=Scope.TRAIN)
    def change(self, request: Request, public_id: str) -> Response:
        """Renders its photos again; what is left out stays. Follow it until `is_over`."""
        asked = photos_for(request, public_id)
        fields = {"strength": asked.strength, "strengths": asked.strengths, **self.body}
        services.style_change(asked, **fields)
        asked.enqueue()
        return self.reply(asked)

    @operation("Mix two styles", body=StyleMix, reply=PhotosReply, status=201, scope=Scope.TRAIN)
    def mix(self, request: Request, public_id: str) -> Response:
        """A new style of this one and another, on the photos of this one; opposite tastes cancel."""
        asked = photos_for(request, public_id)
        fields = dict(self.body)
        named = fields.pop("other")
        other = photos_of(self.user).filter(public_id=named).first()
        if other is None:
            raise serializers.ValidationError({"other": [f"There is no style {named!r}."]})
        return self._started(services.style_mix(asked, other, uploaded_by=self.user, **fields))

    @operation("Download a preset", media="application/octet-stream")
    def preset(self, request: Request, public_id: str) -> HttpResponseBase:
        """As a safetensors file, for the run that made it."""
        return preset_file_response(photos_for(request, public_id))

    @operation("Cancel the rendering of photos", reply=PhotosReply, scope=Scope.TRAIN)
    def cancel(self, request: Request, public_id: str) -> Response:
        asked = photos_for(request, public_id)
        asked.cancel()
        return self.reply(asked)

    @operation("Delete photos", scope=Scope.TRAIN)
    def remove(self, request: Request, public_id: str) -> Response:
        """And all that was made of them; where a worker has them, as soon as it lets go."""
        services.photos_delete(photos_for(request, public_id))
        return Response(status=204)

    @operation("Download a picture", media="image/jpeg")
    def picture(self, request: Request, public_id: str, index: int, picture: str) -> HttpResponseBase:
        if picture == "cube":  # which is no picture, and has an address of its own
            raise Http404("There is no such picture.")
        return photo_file_response(photos_for(request, public_id), index, picture)

    @operation("Download a photo's edit", media="text/plain")
    def cube(self, request: Request, public_id: str, index: int) -> HttpResponseBase:
        """As a .cube file of 33³ points."""
        return photo_file_response(photos_for(request, public_id), index, "cube")


urlpatterns = [
    path(
        "runs/<public_id:public_id>/photos/",
        RunPhotos.as_view({"get": "list", "post": "create"}),
        name="api-run-photos",
    ),
    path("styles/", Styles.as_view({"get": "list", "post": "create"}), name="api-styles"),
    path(
        "photos/<public_id:public_id>/",
        Photos.as_view({"get": "read", "delete": "remove"}),
        name="api-photos",
    ),
    path(
        "photos/<public_id:public_id>/change/", Photos.as_view({"post": "change"}), name="api-photos-change"
    ),
    path("photos/<public_id:public_id>/mix/", Photos.as_view({"post": "mix"}), name="api-photos-mix"),
    path(
        "photos/<public_id:public_id>/preset.safetensors",
        Photos.as_view({"get": "preset"}),
        name="api-photos-preset",
    ),
    path(
        "photos/<public_id:public_id>/cancel/", Photos.as_view({"post": "cancel"}), name="api-photos-cancel"
    ),
    path(
        "photos/<public_id:public_id>/<int:index>/<slug:picture>/",
        Photos.as_view({"get": "picture"}),
        name="api-photo-picture",
    ),
    path(
        "photos/<public_id:public_id>/<int:index>/look.cube",
        Photos.as_view({"get": "cube"}),
        name="api-photo-cube",
    ),
]
