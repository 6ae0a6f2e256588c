from django.conf import settings
from django.db import models

from learning.models import Run
from variants.jobs import Job


class Report(Job):
    """A CQS report of one or more runs on one dataset folder."""

    task = "evaluation.tasks.report_task"

    runs = models.ManyToManyField(Run, related_name="reports")
    dataset = models.CharField(max_length=500)
    folder = models.CharField(max_length=500, help_text="Where report.html and report.json stand.")
    verdict = models.TextField(blank=True)
    seed = models.PositiveBigIntegerField(default=0)
    # An evaluation.protocol.EvaluationProtocol as data.
    protocol = models.JSONField(default=dict)
    is_simulated = models.BooleanField(default=False)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"report {self.public_id[:8]}"
