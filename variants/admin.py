"""Tables to look at. Scenes, renditions and pairs are made by services and jobs, not by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from variants.models import Pair, RenderJob, Rendition, Scene

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


@admin.register(Rendition)
class RenditionAdmin(ReadOnly):
    list_display = ("public_id", "scene", "recipe", "long_side", "encoding", "state", "error")
    list_filter = ("state", "source_type", "encoding")
    list_select_related = ("scene",)
    search_fields = ("public_id", "scene__name")


@admin.register(Pair)
class PairAdmin(ReadOnly):
    list_display = ("public_id", "scene", "delta_e")
    list_select_related = ("scene",)
    search_fields = ("public_id", "scene__name")


@admin.register(RenderJob)
class RenderJobAdmin(ReadOnly):
    list_display = ("public_id", "state", "done", "total", "stage", "error", "created_at", "finished_at")
    list_filter = ("state",)
