from django.db import models

from collection.models import Export
from variants.jobs import Job


class Run(Job):
    """One training of one system on one dataset folder; its results stand in `folder`."""

    task = "learning.tasks.train_task"

    export = models.ForeignKey(Export, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs")
    dataset = models.CharField(max_length=500, help_text="The dataset folder.")
    system = models.CharField(max_length=30)
    preset = models.CharField(max_length=30)
    backbone = models.CharField(max_length=200, blank=True)
    steps = models.PositiveIntegerField(null=True, blank=True, help_text="Instead of the preset's.")
    seed = models.PositiveBigIntegerField(default=0)
    folder = models.CharField(
        max_length=500, help_text="The run folder: config, weights, curves, log, model card."
    )
    is_simulated = models.BooleanField(default=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.system} {self.public_id[:8]}"
