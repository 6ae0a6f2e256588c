from django.contrib import admin

from evaluation.models import Report


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    # No type argument: the class takes none at run time.
    list_display = ["public_id", "state", "is_simulated", "verdict", "created_at"]
    list_filter = ["state", "is_simulated"]
    search_fields = ["public_id", "dataset", "verdict"]
    readonly_fields = [field.name for field in Report._meta.fields]
