"""What is known of what is gone: who stood in which dataset, folders that were deleted, studies that are being."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from collection.models.exports import Export
from collection.models.people import Rater
from collection.models.studies import Study
from variants.jobs import Job


class ExportedRater(models.Model):
    """A rater whose answers stand in a dataset; one who withdraws afterwards marks it."""

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="exported_raters")
    rater = models.ForeignKey(Rater, on_delete=models.CASCADE, related_name="exported_in")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "rater"], name="exported_rater_is_one_a_dataset")
        ]

    def __str__(self) -> str:
        return f"{self.export}: {self.rater}"


class DatasetRemoval(models.Model):
    """A dataset whose files, or whose study, were deleted. Runs and reports know it by its folder."""

    export = models.OneToOneField(
        Export,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="removal",
        help_text="None once its study is deleted.",
    )
    public_id = models.CharField(max_length=32, unique=True, help_text="The export's, which its address has.")
    study_slug = models.CharField(max_length=50)
    folder = models.CharField(max_length=500, db_index=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="By which a copy elsewhere is known.")
    files_deleted = models.BooleanField()
    study_deleted = models.BooleanField()
    why = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.study_slug} {self.public_id[:8]}"


class StudyDeletion(Job):
    """One study that somebody wants gone. The row outlives the study and says what went."""

    task = "collection.tasks.study_delete_task"

    study = models.ForeignKey(
        Study, on_delete=models.SET_NULL, null=True, blank=True, related_name="deletions"
    )
    study_slug = models.CharField(max_length=50)
    study_name = models.CharField(max_length=200)
    with_exports = models.BooleanField(default=False, help_text="The dataset folders on disk go too.")
    with_photos = models.BooleanField(default=False, help_text="Photos that no other study uses go too.")
    counts = models.JSONField(default=dict, blank=True, help_text="What has gone so far.")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"deletion of {self.study_slug}"
