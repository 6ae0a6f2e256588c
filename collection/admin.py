"""Tables for support. Answers are never changed, and nothing here is made or deleted by hand."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from collection.models import (
    ApiToken,
    AuditEntry,
    ConflictingAnswer,
    DatasetRemoval,
    Device,
    DisplayRecord,
    Export,
    ExportedRater,
    Invitation,
    KeptReply,
    MemberInvitation,
    Membership,
    Person,
    PhaseRecord,
    ProtocolVersion,
    Question,
    Rater,
    RaterModel,
    RenditionTone,
    RuleVersion,
    Session,
    StatisticsJob,
    Study,
    StudyDeletion,
    StudyPair,
    StudyScene,
    Verdict,
    Webhook,
    WebhookDelivery,
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
    """Names and datasheet may be mended; all else goes through the services that guard it."""

    list_display = ("slug", "name", "status", "is_simulated", "created_at", "opened_at", "closed_at")
    list_filter = ("status", "is_simulated")
    search_fields = ("slug", "name", "public_id")
    fields = (
        "public_id", "slug", "name", "purpose", "licence", "citation", "status", "is_simulated", "protocol",
        "recruiting", "created_at", "opened_at", "closed_at",
    )  # fmt: skip
    readonly_fields = (
        "public_id", "slug", "status", "is_simulated", "protocol", "recruiting", "created_at", "opened_at",
        "closed_at",
    )  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    """Given and taken on a study's members page, or by `manage.py member`, where the trail says so."""

    list_display = ("study", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("study", "user")
    search_fields = ("study__slug", "user__username", "=user__email")


@admin.register(MemberInvitation)
class MemberInvitationAdmin(ReadOnly):
    list_display = ("study", "email", "role", "invited_by", "expires_at", "accepted_at", "revoked_at")
    list_filter = ("role",)
    list_select_related = ("study", "invited_by")
    search_fields = ("=email", "study__slug")
    exclude = ("code_sha256",)


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor_name", "action", "study_slug", "what")
    list_filter = ("action",)
    search_fields = ("actor_name", "study_slug", "what")


@admin.register(Person)
class PersonAdmin(ReadOnly):
    list_display = ("public_id", "panel", "panel_id", "is_simulated", "created_at")
    list_filter = ("is_simulated", "panel")
    search_fields = ("=public_id", "=panel_id")
    exclude = ("cookie_sha256",)


@admin.register(Device)
class DeviceAdmin(ReadOnly):
    list_display = ("public_id", "replaces", "created_at")
    list_select_related = ("replaces",)
    search_fields = ("=public_id",)
    exclude = ("cookie_sha256",)


@admin.register(Rater)
class RaterAdmin(ReadOnly):
    list_display = ("public_id", "study", "person", "device", "split", "withdrawn_at", "created_at")
    list_filter = ("split", "study")
    list_select_related = ("study", "person", "device")
    search_fields = ("=public_id", "=person__public_id", "=person__panel_id")


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    """Without its code: who has that can answer in the person's name."""

    list_display = ("label", "study", "created_at", "revoked_at")
    list_filter = ("study",)
    list_select_related = ("study",)
    search_fields = ("label",)
    exclude = ("code",)


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


class PhaseInline(ReadOnlyPermissions, Inline):
    model = PhaseRecord
    extra = 0


@admin.register(Session)
class SessionAdmin(ReadOnly):
    list_display = (
        "public_id", "study", "rater", "language", "started_at", "finished_at", "screened_out_at",
        "places_returned_at",
    )  # fmt: skip
    list_filter = ("study",)
    list_select_related = ("study", "rater")
    search_fields = ("=public_id", "=rater__public_id")
    exclude = ("token",)
    inlines = (PhaseInline, DisplayInline, QuestionInline)


@admin.register(PhaseRecord)
class PhaseRecordAdmin(ReadOnly):
    list_display = ("session", "phase", "attempt", "outcome", "recorded_at")
    list_filter = ("phase", "outcome")
    list_select_related = ("session",)
    search_fields = ("=session__public_id",)


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
    search_fields = ("=question__public_id", "=question__session__public_id")


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


@admin.register(ProtocolVersion)
class ProtocolVersionAdmin(ReadOnly):
    list_display = ("study", "number", "sha256", "made_at", "made_by")
    list_filter = ("study",)
    list_select_related = ("study", "made_by")
    search_fields = ("=sha256", "=study__slug")


@admin.register(RuleVersion)
class RuleVersionAdmin(ReadOnly):
    list_display = ("study", "name", "chosen_at")
    list_filter = ("study",)
    list_select_related = ("study",)
    search_fields = ("name", "=study__slug")


@admin.register(StudyScene)
class StudySceneAdmin(ReadOnly):
    list_display = ("study", "scene", "split")
    list_filter = ("split", "study")
    list_select_related = ("study", "scene")
    search_fields = ("=scene__public_id", "scene__name")


@admin.register(StudyPair)
class StudyPairAdmin(ReadOnly):
    list_display = ("study", "pair", "exposures")
    list_filter = ("study",)
    list_select_related = ("study", "pair")
    search_fields = ("=pair__public_id",)


@admin.register(DisplayRecord)
class DisplayRecordAdmin(ReadOnly):
    list_display = (
        "session",
        "screen_width",
        "screen_height",
        "pixel_ratio",
        "color_gamut",
        "platform",
        "recorded_at",
    )
    list_filter = ("color_gamut", "dynamic_range", "platform")
    list_select_related = ("session",)
    search_fields = ("=session__public_id",)


@admin.register(ExportedRater)
class ExportedRaterAdmin(ReadOnly):
    list_display = ("export", "rater")
    list_filter = ("export__study",)
    list_select_related = ("export__study", "rater")
    search_fields = ("=export__public_id", "=rater__public_id")


@admin.register(DatasetRemoval)
class DatasetRemovalAdmin(ReadOnly):
    list_display = ("public_id", "study_slug", "folder", "files_deleted", "study_deleted", "why", "at")
    list_filter = ("files_deleted", "study_deleted")
    search_fields = ("=public_id", "study_slug", "folder")


JOB_COLUMNS = ("state", "stage", "done", "total", "error", "created_at", "finished_at")


@admin.register(StatisticsJob)
class StatisticsJobAdmin(ReadOnly):
    list_display = ("public_id", "study", *JOB_COLUMNS)
    list_filter = ("state", "study")
    list_select_related = ("study",)
    search_fields = ("=public_id", "=study__slug")


@admin.register(StudyDeletion)
class StudyDeletionAdmin(ReadOnly):
    list_display = ("public_id", "study_slug", *JOB_COLUMNS)
    list_filter = ("state",)
    search_fields = ("=public_id", "study_slug")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    """Without its hash."""

    list_display = (
        "prefix",
        "name",
        "user",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("revoked_at",)
    list_select_related = ("user",)
    search_fields = ("=prefix", "name", "=user__username")
    exclude = ("sha256",)


@admin.register(KeptReply)
class KeptReplyAdmin(ReadOnly):
    """Without the reply: it may hold a token that was made."""

    list_display = ("key", "user", "status", "created_at")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_fields = ("=key", "=user__username")
    exclude = ("body", "headers")


@admin.register(Webhook)
class WebhookAdmin(ReadOnly):
    list_display = ("public_id", "study", "address", "is_active", "failing_since", "stopped_because")
    list_filter = ("is_active", "study")
    list_select_related = ("study",)
    search_fields = ("=public_id", "address")
    exclude = ("secret_sha256",)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly):
    list_display = ("message_id", "webhook", "event", "state", "tries", "status_code", "error", "created_at")
    list_filter = ("state", "event")
    list_select_related = ("webhook",)
    search_fields = ("=message_id", "=webhook__public_id")


@admin.register(RenditionTone)
class RenditionToneAdmin(ReadOnly):
    list_display = ("rendition", "version")
    list_select_related = ("rendition",)
    list_filter = ("version",)
    search_fields = ("rendition__public_id",)
    exclude = ("statistics",)


@admin.register(RaterModel)
class RaterModelAdmin(ReadOnly):
    list_display = ("study", "n_raters", "n_answers", "learnt_at")
    list_select_related = ("study",)
    search_fields = ("study__slug",)
    exclude = ("arrays",)
