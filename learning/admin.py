from django.contrib import admin

from collection.admin import ReadOnly
from learning.models import (
    Adaptation,
    BlindTest,
    Look,
    LookAdjustment,
    LookOrder,
    LookPhoto,
    Output,
    Photo,
    PhotoRequest,
    RaterAdaptation,
    Run,
    StudyLook,
    TasteStudy,
)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ["public_id", "system", "preset", "backbone", "state", "is_simulated", "created_at"]
    list_filter = ["state", "system", "preset", "is_simulated"]
    search_fields = ["public_id", "dataset"]


@admin.register(PhotoRequest)
class PhotoRequestAdmin(ReadOnly):
    list_display = ["public_id", "learner", "uploaded_by", "state", "keep_until"]
    list_filter = ["state"]
    search_fields = ["public_id"]


@admin.register(BlindTest)
class BlindTestAdmin(ReadOnly):
    list_display = ["public_id", "learner", "against", "rival", "state", "created_at"]
    list_filter = ["state", "against"]
    search_fields = ["public_id"]


@admin.register(TasteStudy)
class TasteStudyAdmin(ReadOnly):
    list_display = ["test", "rater_id", "study", "n_alike"]
    list_filter = ["test__against"]
    list_select_related = ["test", "study"]
    search_fields = ["rater_id", "study__slug"]


@admin.register(Photo)
class PhotoAdmin(ReadOnly):
    list_display = ["name", "request", "state", "error", "width", "height", "has_cube"]
    list_filter = ["state", "has_cube"]
    list_select_related = ["request"]
    search_fields = ["name", "=request__public_id"]


@admin.register(Output)
class OutputAdmin(ReadOnly):
    list_display = ["rendition", "taste", "is_ours"]
    list_filter = ["is_ours"]
    list_select_related = ["rendition__scene", "taste__test"]
    search_fields = ["=rendition__public_id", "=taste__study__slug"]


@admin.register(Adaptation)
class AdaptationAdmin(ReadOnly):
    list_display = ["public_id", "learner", "whose", "references", "state", "done", "total", "created_at"]
    list_filter = ["state", "whose"]
    list_select_related = ["learner"]
    search_fields = ["public_id"]


@admin.register(RaterAdaptation)
class RaterAdaptationAdmin(ReadOnly):
    list_display = ["rater_id", "adaptation", "state", "error", "worker"]
    list_filter = ["state"]
    list_select_related = ["adaptation"]
    search_fields = ["rater_id", "=adaptation__public_id"]


@admin.register(StudyLook)
class StudyLookAdmin(ReadOnly):
    list_display = ["study", "learner", "is_open", "shows_early", "state", "error", "started_at"]
    list_filter = ["is_open", "state"]
    list_select_related = ["study", "learner"]
    search_fields = ["study__slug", "=learner__public_id"]


@admin.register(Look)
class LookAdmin(ReadOnly):
    list_display = ["session", "learner", "n_answers", "version", "created_at"]
    list_select_related = ["session", "learner"]
    search_fields = ["=session__public_id", "=learner__public_id"]


@admin.register(LookPhoto)
class LookPhotoAdmin(ReadOnly):
    list_display = ["look", "index", "is_own", "version", "fault", "width", "height", "keep_until"]
    list_filter = ["is_own", "fault"]
    list_select_related = ["look__session"]
    search_fields = ["=look__session__public_id"]


@admin.register(LookOrder)
class LookOrderAdmin(ReadOnly):
    list_display = ["public_id", "look", "what", "state", "error", "created_at", "started_at", "finished_at"]
    list_filter = ["what", "state"]
    list_select_related = ["look__session"]
    search_fields = ["public_id", "=look__session__public_id"]


@admin.register(LookAdjustment)
class LookAdjustmentAdmin(ReadOnly):
    list_display = ["look", "concept", "value", "photo", "set_at"]
    list_filter = ["concept"]
    list_select_related = ["look__session", "photo__look__session"]
    search_fields = ["=look__session__public_id"]
