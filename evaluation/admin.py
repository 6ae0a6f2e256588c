from django.contrib import admin

from collection.admin import ReadOnly
from evaluation.models import Report


@admin.register(Report)
class ReportAdmin(ReadOnly):
    list_display = ["public_id", "state", "is_simulated", "verdict", "created_at"]
    list_filter = ["state", "is_simulated"]
    search_fields = ["public_id", "dataset", "verdict"]
