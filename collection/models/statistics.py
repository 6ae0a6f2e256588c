from django.conf import settings
from django.db import models

from collection.models.studies import Study
from variants.jobs import Job


class StatisticsJob(Job):
    """What a study's answers said at one time. The row holds the result and what it was computed from."""

    task = "collection.tasks.statistics_task"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="statistics_jobs")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    settings = models.JSONField(
        default=dict, help_text="Model of the scales, prior, how much is drawn again, seed."
    )
    computed_from = models.JSONField(
        default=dict, blank=True, help_text="Rule set, answers and their last time, raters used and judged."
    )
    result = models.JSONField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.study} {self.public_id[:8]}"
