"""Tables for support. Answers are never changed, and nothing here is made or deleted by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from collection.models import (
    ConflictingAnswer,
    Device,
    DisplayRecord,
    Export,
    Person,
    Question,
    Rater,
    Session,
    Study,
    Verdict,
)

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    Base = admin.ModelAdmin
    Inline = admin.TabularInline


class ReadOnlyPermissions:
    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class ReadOnly(ReadOnlyPermissions, Base):
    show_full_result_count = False
    """A count of all answers takes long, and nobody asked for it."""


@admin.register(Study)
class StudyAdmin(ReadOnly):
    """Names and datasheet may be mended; status and protocol go through the services that guard them."""

    list_display = ("slug", "name", "status", "is_simulated", "created_at", "opened_at", "closed_at")
    list_filter = ("status", "is_simulated")
    search_fields = ("slug", "name", "public_id")
    fields = (
        "public_id", "slug", "name", "purpose", "licence", "citation", "status", "is_simulated", "protocol",
        "created_at", "opened_at", "closed_at",
    )  # fmt: skip
    readonly_fields = (
        "public_id", "slug", "status", "is_simulated", "protocol", "created_at", "opened_at", "closed_at",
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)


@admin.register(Person)
class PersonAdmin(ReadOnly):
    list_display = ("public_id", "panel", "panel_id", "is_simulated", "withdrawn_at", "created_at")
    list_filter = ("is_simulated", "panel")
    search_fields = ("=public_id", "=panel_id")
    exclude = ("cookie_sha256",)


@admin.register(Device)
class DeviceAdmin(ReadOnly):
    list_display = ("public_id", "created_at")
    search_fields = ("=public_id",)
    exclude = ("cookie_sha256",)


@admin.register(Rater)
class RaterAdmin(ReadOnly):
    list_display = ("public_id", "study", "person", "device", "split", "created_at")
    list_filter = ("split", "study")
    list_select_related = ("study", "person", "device")
    search_fields = ("=public_id", "=person__public_id", "=person__panel_id")


class QuestionInline(ReadOnlyPermissions, Inline):
    model = Question
    fields = ("index", "kind", "left", "right", "chosen_side", "response_ms", "elapsed_ms", "answered_at")
    ordering = ("index",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("left__scene", "right__scene", "session")


class DisplayInline(ReadOnlyPermissions, Inline):
    model = DisplayRecord
    extra = 0


@admin.register(Session)
class SessionAdmin(ReadOnly):
    list_display = ("public_id", "study", "rater", "started_at", "finished_at")
    list_filter = ("study",)
    list_select_related = ("study", "rater")
    search_fields = ("=public_id", "=rater__public_id")
    exclude = ("token",)
    inlines = (DisplayInline, QuestionInline)


@admin.register(Question)
class QuestionAdmin(ReadOnly):
    list_display = ("public_id", "session", "index", "kind", "chosen_side", "response_ms", "answered_at")
    list_filter = ("kind",)
    list_select_related = ("session",)
    search_fields = ("=public_id", "=session__public_id")
    exclude = ("token",)


@admin.register(ConflictingAnswer)
class ConflictingAnswerAdmin(ReadOnly):
    list_display = ("question", "reason", "payload", "received_at")
    list_filter = ("reason",)
    list_select_related = ("question__session",)


@admin.register(Verdict)
class VerdictAdmin(ReadOnly):
    list_display = (
        "rater", "rule_set", "may_be_used", "should_be_paid", "reasons", "n_answers", "checks_agreed",
        "checks_answered", "median_response_ms", "computed_at",
    )  # fmt: skip
    list_filter = ("may_be_used", "should_be_paid", "rule_set")
    list_select_related = ("rater",)
    search_fields = ("=rater__public_id",)


@admin.register(Export)
class ExportAdmin(ReadOnly):
    list_display = ("public_id", "study", "state", "folder", "sha256", "error", "created_at", "finished_at")
    list_filter = ("state", "study")
    list_select_related = ("study",)
    search_fields = ("=public_id", "folder")
