"""Scenes, their renditions, and the pairs that can be asked about."""

from django.conf import settings
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
    # Empty for scenes that came with a dataset folder, which hold renditions only, and for sets of files.
    original = models.FileField(upload_to="originals/", blank=True, max_length=300)
    original_sha256 = models.CharField(max_length=64, blank=True)
    thumbnail = models.FileField(
        upload_to="thumbnails/", blank=True, max_length=300, help_text="A small JPEG of the original."
    )
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whoever brought it in on a page; they may use it in any study of theirs.",
    )
    width = models.PositiveIntegerField(
        help_text="Of the upright original, or of the frame that a set of files shares, in pixels."
    )
    height = models.PositiveIntegerField()
    perceptual_hash = models.CharField(
        max_length=16, blank=True, help_text="64 bits, by which near-duplicates are found."
    )
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


class Version(models.Model):
    """One of a set of files that show the same scene: an editor's, a camera's."""

    scene = models.ForeignKey(Scene, on_delete=models.CASCADE, related_name="versions")
    source_type = models.CharField(max_length=1, choices=SourceType.choices)
    maker = models.CharField(max_length=100, help_text="Whose edit, or which camera.")
    original = models.FileField(upload_to="versions/", max_length=300)
    original_sha256 = models.CharField(max_length=64, unique=True)
    matrix = models.JSONField(
        null=True,
        blank=True,
        help_text="Homography from the scene's pixels to the file's, row by row; null where scaling is all.",
    )
    ingest = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["scene", "maker"], name="version_is_the_makers_only_one"),
        ]

    def __str__(self) -> str:
        return f"{self.scene}: {self.maker}"


class LutFile(models.Model):
    """A LUT that recipes name by its key."""

    key = models.CharField(max_length=64, unique=True, help_text="sha256 of what it does.")
    name = models.CharField(max_length=200)
    file = models.FileField(upload_to="luts/", max_length=300)
    licence = models.CharField(max_length=200, blank=True)
    attribution = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]

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

    @property
    def queue(self) -> str:
        """Edits are made by a model that wants a card."""
        is_edited = self.pk and self.renditions.filter(recipe__has_key="diffusion_edit").exists()
        return "train" if is_edited else super().queue


class PhotoJob(Job):
    """Photos that come in through a page: files that were uploaded, or a folder of the server's."""

    task = models.CharField(
        max_length=100,
        default="variants.tasks.photos_task",
        editable=False,
        help_text="Whoever does more with the scenes names the task that does it all.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    folder = models.CharField(
        max_length=500, blank=True, help_text="Below IMPORT_FOLDER; empty for files that were uploaded."
    )
    category = models.CharField(max_length=50, blank=True)
    folders_are_categories = models.BooleanField(default=False)
    licence = models.CharField(max_length=200, blank=True)
    attribution = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"photos {self.public_id[:8]}"


class PhotoFile(models.Model):
    """A file of a PhotoJob, and what became of it."""

    class State(models.TextChoices):
        WAITING = "waiting"
        IMPORTED = "imported"
        KNOWN = "known", "there already"
        REFUSED = "refused"

    job = models.ForeignKey(PhotoJob, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(
        max_length=500, help_text="With its folders, as the browser or the server has it."
    )
    file = models.FileField(
        upload_to="uploads/", blank=True, max_length=300, help_text="Empty once it is looked at."
    )
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="In bytes.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True)
    scene = models.ForeignKey(Scene, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["job", "sha256"], name="photo_file_of_a_job")]

    def __str__(self) -> str:
        return self.name


class SceneJob(Job):
    """One order of scenes that a text-to-image model makes; its scene orders are the work list."""

    task = "variants.tasks.scenes_generate_task"

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"scenes {self.public_id[:8]}"


class SceneOrder(models.Model):
    """A scene that is to be made from a prompt."""

    class State(models.TextChoices):
        PLANNED = "planned"
        MADE = "made"
        FAILED = "failed"

    job = models.ForeignKey(SceneJob, on_delete=models.SET_NULL, null=True, related_name="orders")
    recipe = models.JSONField()
    recipe_key = models.CharField(max_length=64, unique=True, editable=False)
    category = models.CharField(max_length=50, blank=True)
    licence = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    error = models.TextField(blank=True)
    scene = models.ForeignKey(
        Scene, on_delete=models.SET_NULL, null=True, related_name="+", help_text="What came of it."
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.recipe_key[:8]


class Rendition(models.Model):
    class State(models.TextChoices):
        PLANNED = "planned"
        RENDERED = "rendered"
        FAILED = "failed"
        REJECTED = "rejected", "thrown out"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    scene = models.ForeignKey(Scene, on_delete=models.CASCADE, related_name="renditions")
    job = models.ForeignKey(
        RenderJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="renditions"
    )
    version = models.ForeignKey(
        Version,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="renditions",
        help_text="The file that it shows; none for renditions of the scene's original.",
    )
    source_type = models.CharField(max_length=1, choices=SourceType.choices, default=SourceType.D)
    recipe = models.JSONField(help_text="All that is needed to make the image again from its scene.")
    recipe_key = models.CharField(
        max_length=64, editable=False, help_text="sha256 of recipe as ordered, size and encoding."
    )
    long_side = models.PositiveIntegerField(help_text="Wanted size; an image is never scaled up.")
    encoding = models.CharField(max_length=20, choices=Encoding.choices, default=Encoding.WEBP_LOSSLESS)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    error = models.TextField(blank=True)
    measures = models.JSONField(
        default=dict,
        blank=True,
        help_text="What was measured of it, such as how much of the content an edit kept.",
    )
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
    source_type = models.CharField(
        max_length=1,
        choices=SourceType.choices,
        default=SourceType.D,
        help_text="That of its images; the neutral rendition takes the other's.",
    )
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
