from django.db import models

from collection.models.studies import Study
from variants.jobs import Job


class Export(Job):
    """One version of a study's dataset: a folder that is written once and never changed."""

    class Layout(models.TextChoices):
        FOLDER = "folder", "dataset folder"
        PUBLISHED = "published", "layout of the published PPSD"

    task = "collection.tasks.export_task"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="exports")
    number = models.PositiveIntegerField(help_text="Version, from 1 on in each study.")
    folder = models.CharField(max_length=500, help_text="Where the dataset stands once it is whole.")
    layout = models.CharField(max_length=10, choices=Layout.choices, default=Layout.FOLDER)
    sha256 = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of the dataset's five tables, which hold the hash of every image; a view has its dataset's.",
    )
    manifest_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Of its MANIFEST.sha256, which holds the hash of every file."
    )
    n_bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="Of all its files.")
    counts = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="export_number_is_one_a_study")
        ]

    def __str__(self) -> str:
        return f"{self.study} version {self.number}"

    @property
    def is_without_valid_raters(self) -> bool:
        """Whole, but nobody in it passed the rules: there is nothing to train on."""
        return bool(self.counts.get("valid_raters") == 0)
