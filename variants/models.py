"""Scenes, their renditions, and the pairs that can be asked about."""

from django.db import models
from django.db.models import F, Q

from variants.jobs import Job, new_public_id


class SourceType(models.TextChoices):
    """Where a scene or rendition comes from, as in the published dataset."""

    A = "A", "several professionals' edits"
    B = "B", "several cameras"
    C = "C", "generated scene, diffusion edit"
    D = "D", "controlled edit"
    E = "E", "natural photo"


class Encoding(models.TextChoices):
    WEBP_LOSSLESS = "webp_lossless", "WebP, lossless"
    JPEG_444 = "jpeg_444", "JPEG, 4:4:4, quality 95"
    PNG = "png", "PNG"


class Scene(models.Model):
    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=200, help_text="For researchers; participants never see it.")
    category = models.CharField(max_length=50, blank=True)
    source_type = models.CharField(max_length=1, choices=SourceType.choices, default=SourceType.E)
    # Empty for scenes that came with a dataset folder: those hold renditions only.
    original = models.FileField(upload_to="originals/", blank=True, max_length=300)
    original_sha256 = models.CharField(max_length=64, blank=True)
    width = models.PositiveIntegerField(help_text="Of the upright original, in pixels.")
    height = models.PositiveIntegerField()
    ingest = models.JSONField(
        default=dict, blank=True, help_text="What was found in the file: format, profile, orientation."
    )
    licence = models.CharField(max_length=200, blank=True)
    attribution = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["original_sha256"], condition=~Q(original_sha256=""), name="scene_original_is_new"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RenderJob(Job):
    """One order of renditions; its renditions are the work list."""

    task = models.CharField(
        max_length=100,
        default="variants.tasks.render_task",
        editable=False,
        help_text="Whoever orders more than the images names the task that does it all.",
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"render {self.public_id[:8]}"


class Rendition(models.Model):
    class State(models.TextChoices):
        PLANNED = "planned"
        RENDERED = "rendered"
        FAILED = "failed"
        REJECTED = "rejected", "thrown out by a researcher"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    scene = models.ForeignKey(Scene, on_delete=models.CASCADE, related_name="renditions")
    job = models.ForeignKey(
        RenderJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="renditions"
    )
    source_type = models.CharField(max_length=1, choices=SourceType.choices, default=SourceType.D)
    recipe = models.JSONField(help_text="All that is needed to make the image again from its scene.")
    recipe_key = models.CharField(
        max_length=64, editable=False, help_text="sha256 of recipe, size and encoding."
    )
    long_side = models.PositiveIntegerField(help_text="Wanted size; an image is never scaled up.")
    encoding = models.CharField(max_length=20, choices=Encoding.choices, default=Encoding.WEBP_LOSSLESS)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    error = models.TextField(blank=True)
    image = models.FileField(upload_to="renditions/", blank=True, max_length=300)
    sha256 = models.CharField(max_length=64, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["scene", "recipe_key"], name="rendition_is_new_to_its_scene"),
        ]

    def __str__(self) -> str:
        return f"{self.scene}: {self.public_id[:8]}"


class Pair(models.Model):
    """Two renditions of one scene; stored once, with the smaller key as `image_a`."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    scene = models.ForeignKey(Scene, on_delete=models.CASCADE, related_name="pairs")
    image_a = models.ForeignKey(Rendition, on_delete=models.CASCADE, related_name="+")
    image_b = models.ForeignKey(Rendition, on_delete=models.CASCADE, related_name="+")
    delta_e = models.FloatField(help_text="Mean CIEDE2000 between the two images.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["image_a", "image_b"], name="pair_is_new"),
            models.CheckConstraint(
                condition=Q(image_a__lt=F("image_b")), name="pair_has_two_images_in_order"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]
