"""Tables to look at. Scenes, renditions and pairs are made by services and jobs, not by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from variants.models import (
    LutFile,
    Pair,
    PhotoFile,
    PhotoJob,
    RenderJob,
    Rendition,
    Scene,
    SceneJob,
    SceneOrder,
    Version,
)

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin


class ReadOnly(Base):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Scene)
class SceneAdmin(ReadOnly):
    list_display = ("name", "category", "source_type", "width", "height", "licence", "created_at")
    list_filter = ("source_type", "category")
    search_fields = ("name", "attribution", "public_id")


@admin.register(Version)
class VersionAdmin(ReadOnly):
    list_display = ("scene", "maker", "source_type", "ingest")
    list_filter = ("source_type", "maker")
    list_select_related = ("scene",)
    search_fields = ("scene__name", "maker")


@admin.register(LutFile)
class LutFileAdmin(ReadOnly):
    list_display = ("name", "key", "licence", "created_at")
    search_fields = ("name", "key", "attribution")


@admin.register(Rendition)
class RenditionAdmin(ReadOnly):
    list_display = ("public_id", "scene", "recipe", "long_side", "encoding", "state", "error")
    list_filter = ("state", "source_type", "encoding")
    list_select_related = ("scene",)
    search_fields = ("public_id", "scene__name")


@admin.register(Pair)
class PairAdmin(ReadOnly):
    list_display = ("public_id", "scene", "source_type", "delta_e")
    list_filter = ("source_type",)
    list_select_related = ("scene",)
    search_fields = ("public_id", "scene__name")


@admin.register(SceneOrder)
class SceneOrderAdmin(ReadOnly):
    list_display = ("recipe", "category", "licence", "state", "error", "scene")
    list_filter = ("state",)
    list_select_related = ("scene",)
    search_fields = ("=recipe_key", "category")


@admin.register(PhotoFile)
class PhotoFileAdmin(ReadOnly):
    list_display = ("name", "job", "size", "state", "error", "scene")
    list_filter = ("state",)
    list_select_related = ("job", "scene")
    search_fields = ("name", "=sha256", "=job__public_id")


@admin.register(RenderJob, SceneJob, PhotoJob)
class RenderJobAdmin(ReadOnly):
    list_display = ("public_id", "state", "done", "total", "stage", "error", "created_at", "finished_at")
    list_filter = ("state",)
    search_fields = ("=public_id",)
