from django.contrib import admin

from learning.models import Run


@admin.register(Run)
class RunAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    # No type argument: the class takes none at run time.
    list_display = ["public_id", "system", "preset", "backbone", "state", "is_simulated", "created_at"]
    list_filter = ["state", "system", "preset", "is_simulated"]
    search_fields = ["public_id", "dataset"]
    readonly_fields = [field.name for field in Run._meta.fields]
