from django.db import models
from django.urls import reverse

from variants.jobs import new_public_id
from variants.models import Pair, RenderJob, Scene


class Split(models.TextChoices):
    TRAIN = "train"
    VALIDATION = "validation"
    NONE = "none"


class Study(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        OPEN = "open"
        PAUSED = "paused"
        CLOSED = "closed"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    slug = models.SlugField(unique=True, help_text="Short name for commands and researchers' addresses.")
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    # A collection.design.protocol.Protocol as data; frozen at the first session.
    protocol = models.JSONField(default=dict)
    is_simulated = models.BooleanField(
        default=False, help_text="Answered by simulated raters; shown everywhere."
    )
    scenes = models.ManyToManyField(Scene, through="StudyScene", related_name="studies")
    pairs = models.ManyToManyField(Pair, through="StudyPair", related_name="studies")
    render_jobs = models.ManyToManyField(RenderJob, related_name="studies")
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

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("researcher:study-detail", args=[self.slug])


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
        default=0, help_text="How many sessions have it as a main question."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["study", "pair"], name="study_pair_is_new")]
        indexes = [models.Index(fields=["study", "exposures"])]

    def __str__(self) -> str:
        return f"{self.study}: {self.pair}"
