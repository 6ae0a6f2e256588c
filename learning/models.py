from pathlib import Path

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from collection.models import Export, Session, Study
from variants.jobs import Job
from variants.models import Rendition, Scene

FEWEST_SCENES = 2
"""A study of one scene shows nothing."""


class Run(Job):
    """One training of one system on one dataset folder; its results stand in `folder`."""

    task = "learning.tasks.train_task"
    most_deaths = 20  # it lives through many deployments, and goes on from a checkpoint after each

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
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.system} {self.public_id[:8]}"


class PhotoRequest(Job):
    """Photos that somebody has uploaded to be rendered to a taste; only they and superusers see them.

    The taste is a rater's, or a style: read from photos that were uploaded beside as liked, a preset's, in words, or
    mixed of two styles.
    """

    task = "learning.tasks.photos_task"

    learner = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, blank=True, related_name="photo_requests"
    )
    system = models.CharField(
        max_length=30, blank=True, help_text="One that needs no training, where there is no learner."
    )
    rater_id = models.CharField(
        max_length=100,
        blank=True,
        help_text="Whose taste, as the learner's dataset names them; empty for a style.",
    )
    name = models.CharField(max_length=80, blank=True, help_text="Of a style, as pages list it.")
    words = models.JSONField(
        default=dict, blank=True, help_text="Attribute of each concept, for a style in words."
    )
    mixture = models.JSONField(
        default=list,
        blank=True,
        help_text="The styles that it is mixed of: name, share, and the concepts that were set by hand.",
    )
    strength = models.FloatField(default=1.0, help_text="0 changes nothing, 1 is full.")
    learned = models.JSONField(
        null=True,
        blank=True,
        help_text="Strength of each concept as it was read from the liked photos, where the system has concepts.",
    )
    strengths = models.JSONField(default=dict, blank=True, help_text="Of concepts that were set by hand.")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    folder = models.CharField(max_length=500)
    keep_until = models.DateTimeField(help_text="Then the files are deleted, and this row with them.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"photos {self.public_id[:8]}"

    @property
    def is_expired(self) -> bool:
        return self.keep_until <= timezone.now()

    @property
    def is_style(self) -> bool:
        return not self.rater_id

    @property
    def reader(self) -> str:
        """Name of the system that has the taste."""
        return self.learner.system if self.learner else self.system

    @property
    def taste_words(self) -> str:
        """Short, as file names and lists say it."""
        return self.rater_id[:8] or self.name or f"{self.reader} style"


class Photo(models.Model):
    """One uploaded photo; its files stand in its request's folder, under its number."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RENDERED = "rendered"
        FAILED = "failed"

    request = models.ForeignKey(PhotoRequest, on_delete=models.CASCADE, related_name="photos")
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200, help_text="Of its file, as it was uploaded.")
    is_liked = models.BooleanField(default=False, help_text="A taste is read from it; it is not rendered.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.TextField(blank=True)
    width = models.PositiveIntegerField(default=0, help_text="Of the result, in pixels.")
    height = models.PositiveIntegerField(default=0)
    has_cube = models.BooleanField(default=False, help_text="The edit can be held by a LUT, and is.")

    class Meta:
        ordering = ["request", "index"]
        constraints = [models.UniqueConstraint(fields=["request", "index"], name="photo_index_is_new")]

    def __str__(self) -> str:
        return self.name


class BlindTest(Job):
    """Outputs of a run, shown to people beside others without saying which is which: one study for each taste."""

    class Against(models.TextChoices):
        UNTOUCHED = "untouched", "the untouched photo"
        AVERAGE = "average", "the run's average taste"
        RUN = "run", "another run"

    task = "learning.tasks.blind_test_task"

    learner = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="blind_tests")
    against = models.CharField(max_length=10, choices=Against.choices)
    rival = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, blank=True, related_name="blind_tests_against"
    )
    n_scenes = models.PositiveSmallIntegerField(help_text="Scenes that each study shows, at most.")
    seed = models.PositiveBigIntegerField(default=0, help_text="Chooses the scenes.")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(against="run", rival__isnull=False) | (~Q(against="run") & Q(rival=None)),
                name="blind_test_names_its_rival",
            ),
        ]

    def __str__(self) -> str:
        return f"blind test {self.public_id[:8]}"

    @property
    def against_words(self) -> str:
        return str(self.rival) if self.rival else self.get_against_display()


class TasteStudy(models.Model):
    """The study of a blind test that shows outputs for one rater's taste."""

    test = models.ForeignKey(BlindTest, on_delete=models.CASCADE, related_name="tastes")
    rater_id = models.CharField(max_length=100, help_text="Whose taste, as the learner's dataset names them.")
    study = models.OneToOneField(
        Study,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="taste",
        help_text="Once it is made.",
    )
    n_alike = models.PositiveSmallIntegerField(
        default=0, help_text="Scenes left out: nobody could tell the two outputs apart."
    )

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "taste studies"
        constraints = [models.UniqueConstraint(fields=["test", "rater_id"], name="taste_is_new_to_its_test")]

    def __str__(self) -> str:
        return f"{self.test}: taste of {self.rater_id[:8]}"

    @property
    def is_left_out(self) -> bool:
        """Too few scenes have outputs that can be told apart: no study is made."""
        return self.study_id is None and self.n_alike > self.test.n_scenes - FEWEST_SCENES


class Output(models.Model):
    """Which side of a blind test a rendition is. Nothing that participants get says it."""

    taste = models.ForeignKey(TasteStudy, on_delete=models.CASCADE, related_name="outputs")
    rendition = models.OneToOneField(Rendition, on_delete=models.CASCADE, related_name="output")
    is_ours = models.BooleanField(help_text="Of the test's learner; else of what it is held against.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.taste}: {'ours' if self.is_ours else 'theirs'}"


class Adaptation(Job):
    """Profiles of many raters of a run's dataset, made by all workers together: one row a rater."""

    class Whose(models.TextChoices):
        VALIDATION = "validation", "validation raters"
        ALL = "all", "all valid raters"

    task = "learning.tasks.adaptation_task"

    learner = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="adaptations")
    whose = models.CharField(max_length=10, choices=Whose.choices, default=Whose.VALIDATION)
    references = models.PositiveSmallIntegerField(
        default=16, help_text="Answers that each rater is read from, their first ones."
    )
    left_out = models.JSONField(
        default=list, blank=True, help_text="Raters with fewer answers than that, as the dataset names them."
    )
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"adaptation {self.public_id[:8]}"

    def retry(self) -> bool:
        """With the shares that are not done."""
        with transaction.atomic():
            queued = super().retry()
            if queued:
                for share in self.shares.all():
                    share.retry()
        return queued


class RaterAdaptation(Job):
    """One rater's share of an adaptation; the profile itself stands in the run's folder."""

    task = "learning.tasks.rater_adaptation_task"

    adaptation = models.ForeignKey(Adaptation, on_delete=models.CASCADE, related_name="shares")
    rater_id = models.CharField(max_length=100, help_text="As the learner's dataset names them.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["adaptation", "rater_id"], name="rater_is_new_to_its_adaptation")
        ]

    def __str__(self) -> str:
        return f"{self.adaptation}: rater {self.rater_id[:8]}"


class StudyLook(Job):
    """That a study's participants get their look, and from which run; the job makes ready what every look needs."""

    task = "learning.tasks.study_look_task"

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="look")
    learner = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="study_looks")
    is_open = models.BooleanField(default=True)
    shows_early = models.BooleanField(
        default=True, help_text="Also to who comes back half-way with answers enough for a first look."
    )
    folder = models.CharField(max_length=500, help_text="Small copies of what was asked about.")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"looks of {self.study}"


class Look(models.Model):
    """One participant's taste and what was made of it. It goes with its session, and its files with it."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, related_name="look")
    learner = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="looks")
    folder = models.CharField(max_length=500)
    n_answers = models.PositiveSmallIntegerField(default=0, help_text="That the taste was read from.")
    version = models.PositiveIntegerField(default=0, help_text="Goes up whenever the photos look different.")
    learned = models.JSONField(
        default=dict, blank=True, help_text="Strength of each concept as it was read; empty without concepts."
    )
    strengths = models.JSONField(default=dict, blank=True, help_text="Of concepts that were set by hand.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"look of {self.session}"


class LookPhoto(models.Model):
    """A photo in a look: one of the study that the person was not asked about, or their own."""

    class Fault(models.TextChoices):
        TOO_MANY_PIXELS = "too_many_pixels"
        UNREADABLE = "unreadable"

    look = models.ForeignKey(Look, on_delete=models.CASCADE, related_name="photos")
    index = models.PositiveSmallIntegerField()
    scene = models.ForeignKey(Scene, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    packaged = models.CharField(max_length=50, blank=True, help_text="Name of one that the packages carry.")
    is_own = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=0, help_text="Of the look that it shows; 0: none yet.")
    fault = models.CharField(max_length=20, choices=Fault.choices, blank=True)
    width = models.PositiveIntegerField(default=0, help_text="As it is shown, in pixels.")
    height = models.PositiveIntegerField(default=0)
    keep_until = models.DateTimeField(
        null=True, blank=True, help_text="Of one's own: then it is deleted with all that was made of it."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["look", "index"]
        constraints = [models.UniqueConstraint(fields=["look", "index"], name="look_photo_index_is_new")]

    def __str__(self) -> str:
        return f"{self.look}: photo {self.index}"

    @property
    def folder(self) -> Path:
        return Path(self.look.folder) / str(self.index)


class LookOrder(Job):
    """Something that a look's page asks of the workers."""

    class What(models.TextChoices):
        READ = "read", "read the answers and render the photos"
        RENDER = "render", "render photos"
        PHOTO = "photo", "a photo at full size"
        CUBE = "cube", "an edit as a LUT"
        CARD = "card", "a picture to share"

    task = "learning.tasks.look_task"

    look = models.ForeignKey(Look, on_delete=models.CASCADE, related_name="orders")
    what = models.CharField(max_length=10, choices=What.choices)
    photo = models.ForeignKey(
        LookPhoto, on_delete=models.CASCADE, null=True, blank=True, related_name="orders"
    )
    strength = models.FloatField(default=1.0, help_text="Of a file; 0 changes nothing, 1 is full.")

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.look}: {self.what}"


class LookAdjustment(models.Model):
    """What a participant set by hand while they looked: an answer too. Kept and erased with their session."""

    look = models.ForeignKey(Look, on_delete=models.CASCADE, related_name="adjustments")
    photo = models.ForeignKey(LookPhoto, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    concept = models.CharField(max_length=30, help_text="A concept's name, or strength for the whole look.")
    value = models.FloatField(help_text="In the concept's own unit.")
    set_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.look}: {self.concept} {self.value:+g}"
