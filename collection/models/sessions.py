"""What is asked and answered. The question row exists before its answer does."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from collection.models.people import Rater
from collection.models.studies import Study
from variants.jobs import new_public_id
from variants.models import Pair, Rendition


class Session(models.Model):
    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sessions")
    rater = models.ForeignKey(Rater, on_delete=models.CASCADE, related_name="sessions")
    token = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    protocol_hash = models.CharField(
        max_length=64, help_text="Of the protocol that the session was planned by."
    )
    seed = models.PositiveBigIntegerField(help_text="The plan can be made again from it.")
    consent_version = models.CharField(max_length=64)
    consented_at = models.DateTimeField()
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rater"], condition=Q(finished_at=None), name="session_under_way_is_one"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]


class DisplayRecord(models.Model):
    """What the browser says of the display, once a session or whenever it changes."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="displays")
    screen_width = models.PositiveIntegerField(null=True)
    screen_height = models.PositiveIntegerField(null=True)
    pixel_ratio = models.FloatField(null=True)
    color_depth = models.PositiveSmallIntegerField(null=True)
    color_gamut = models.CharField(max_length=20, blank=True)
    dynamic_range = models.CharField(max_length=20, blank=True)
    platform = models.CharField(max_length=50, blank=True)
    details = models.JSONField(
        default=dict, blank=True, help_text="All else: viewport, refresh rate, self-reports."
    )
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.screen_width}×{self.screen_height} @{self.pixel_ratio}"


class Question(models.Model):
    class Kind(models.TextChoices):
        PRACTICE = "practice"
        MAIN = "main"
        CHECK = "check", "an earlier pair again, sides flipped"

    class Side(models.TextChoices):
        LEFT = "left"
        RIGHT = "right"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="questions")
    index = models.PositiveSmallIntegerField(help_text="Position in the session, practice included, from 0.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="questions")
    left = models.ForeignKey(Rendition, on_delete=models.PROTECT, related_name="+")
    right = models.ForeignKey(Rendition, on_delete=models.PROTECT, related_name="+")
    repeats = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="repeated_by"
    )
    token = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    policy = models.CharField(max_length=30)
    propensity = models.FloatField(null=True, help_text="Probability with which the policy chose this pair.")
    served_at = models.DateTimeField(
        null=True, blank=True, help_text="First handed out, by the server's clock."
    )
    chosen_side = models.CharField(max_length=5, choices=Side.choices, blank=True)
    response_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="Both painted → choice, client's clock."
    )
    elapsed_ms = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Served → answered, server's clock."
    )
    answered_at = models.DateTimeField(null=True, blank=True)
    client = models.JSONField(
        default=dict, blank=True, help_text="Viewport, pixel ratio, input kind, visibility losses."
    )

    class Meta:
        ordering = ["session", "index"]
        constraints = [
            models.UniqueConstraint(fields=["session", "index"], name="question_index_is_new"),
            models.CheckConstraint(condition=~Q(left=F("right")), name="question_has_two_images"),
            models.CheckConstraint(
                condition=Q(chosen_side="", answered_at=None)
                | (~Q(chosen_side="") & Q(answered_at__isnull=False)),
                name="question_answer_is_whole",
            ),
            models.CheckConstraint(
                condition=Q(kind="check", repeats__isnull=False) | (~Q(kind="check") & Q(repeats=None)),
                name="question_check_repeats_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session}:{self.index}"

    @property
    def preferred(self) -> Rendition | None:
        return {"left": self.left, "right": self.right}.get(self.chosen_side)

    @property
    def rejected(self) -> Rendition | None:
        return {"left": self.right, "right": self.left}.get(self.chosen_side)


class ConflictingAnswer(models.Model):
    """An answer that could not be the question's answer, kept apart with its reason."""

    class Reason(models.TextChoices):
        ALREADY_ANSWERED = "already_answered", "the question has another answer"
        SESSION_OVER = "session_over", "came after the end of the session"
        STUDY_CLOSED = "study_closed", "the study takes no answers"

    question = models.ForeignKey(Question, on_delete=models.CASCADE, related_name="conflicts")
    reason = models.CharField(max_length=20, choices=Reason.choices)
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.question}: {self.reason}"
