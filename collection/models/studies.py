from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from variants.jobs import new_public_id
from variants.models import Pair, PhotoJob, RenderJob, Scene

if TYPE_CHECKING:
    from collection.models.access import Role


class Split(models.TextChoices):
    TRAIN = "train"
    VALIDATION = "validation"
    NONE = "none"


class Study(models.Model):
    class Erases(models.TextChoices):
        """What goes when a study's data has been kept as long as was promised."""

        IDENTIFIERS = "identifiers", "what identifies people"
        DATA = "data", "all raw data"

    class Status(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    slug = models.SlugField(unique=True, help_text="Short name for commands and researchers' addresses.")
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    # A collection.design.protocol.Protocol as data: what sessions that begin now are planned by.
    protocol = models.JSONField(default=dict)
    # A collection.design.recruiting.Recruiting as data: who may come, and what they are told at the end.
    recruiting = models.JSONField(default=dict, blank=True)
    edition = models.PositiveIntegerField(
        default=1,
        help_text="Goes up with every change of the settings, so that two researchers notice each other.",
    )
    is_simulated = models.BooleanField(
        default=False, help_text="Answered by simulated raters; shown everywhere."
    )
    recipes = models.JSONField(
        default=list,
        blank=True,
        help_text="As its file lists them: what is rendered of each photo unless told otherwise.",
    )
    scenes = models.ManyToManyField(Scene, through="StudyScene", related_name="studies")
    pairs = models.ManyToManyField(Pair, through="StudyPair", related_name="studies")
    render_jobs = models.ManyToManyField(RenderJob, related_name="studies")
    photo_jobs = models.ManyToManyField(PhotoJob, related_name="studies")
    cloned_from = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="clones"
    )
    preview_of = models.ForeignKey(
        "self",
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="previews",
        help_text="A copy to try out as a participant: in no list and no dataset, and deleted after a day.",
    )
    # What a dataset's card says of the study.
    purpose = models.TextField(
        blank=True, help_text="Why the study is made; the first lines of its datasheet."
    )
    licence = models.CharField(
        max_length=50,
        default="other",
        help_text="Of its datasets, such as cc-by-4.0, as Hugging Face names it.",
    )
    citation = models.TextField(blank=True, help_text="How others should cite its datasets.")
    created_at = models.DateTimeField(auto_now_add=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # How long what people gave is kept, and what `manage.py retention` erases from that day on.
    retain_until = models.DateField(null=True, blank=True)
    retain_erases = models.CharField(max_length=12, choices=Erases.choices, default=Erases.IDENTIFIERS)
    erased_at = models.DateTimeField(null=True, blank=True)

    your_role: "Role | None" = None
    """Of whoever asks, once collection/access.py has let them in: `{% if study.your_role.can_edit %}`."""

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("researcher:study-detail", args=[self.slug])


class ProtocolVersion(models.Model):
    """A protocol that sessions of the study were planned by. Rows are kept as they are."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="protocol_versions")
    number = models.PositiveIntegerField()
    protocol = models.JSONField(help_text="A collection.design.protocol.Protocol as data.")
    sha256 = models.CharField(max_length=64, help_text="What sessions planned by it carry.")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["study", "number"], name="protocol_version_number_is_new"),
            models.UniqueConstraint(fields=["study", "sha256"], name="protocol_version_is_new"),
        ]

    def __str__(self) -> str:
        return f"{self.study}: protocol {self.number}"


class StudyScene(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE)
    scene = models.ForeignKey(Scene, on_delete=models.PROTECT)
    split = models.CharField(max_length=10, choices=Split.choices, default=Split.NONE)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "scene"], name="study_scene_is_new")]

    def __str__(self) -> str:
        return f"{self.study}: {self.scene}"


class StudyPair(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT)
    exposures = models.PositiveIntegerField(
        default=0, help_text="Main questions that ask it, but for those whose places were given back."
    )

    class Meta:
        # No index on the exposures: they change with every session, and all of a study's are read at once.
        constraints = [models.UniqueConstraint(fields=["study", "pair"], name="study_pair_is_new")]

    def __str__(self) -> str:
        return f"{self.study}: {self.pair}"
