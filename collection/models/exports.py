from django.db import models

from collection.models.studies import Study
from variants.jobs import Job


class Export(Job):
    """One dataset folder made from a study."""

    task = "collection.tasks.export_task"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exports")
    folder = models.CharField(max_length=500, help_text="Where the dataset stands once it is whole.")
    sha256 = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of the dataset: its five tables, which hold the hash of every image.",
    )
    counts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.study} {self.public_id[:8]}"
