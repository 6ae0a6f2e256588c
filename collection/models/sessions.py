"""A session: its phases, what is asked in it and answered. The question row exists before its answer does."""

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
    is_active = models.BooleanField(
        default=False, db_default=False, help_text="Its questions are chosen anew as it goes on."
    )
    language = models.CharField(max_length=10, blank=True, help_text="Of the pages, as agreed in.")
    consent_version = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of the text agreed to; empty where the study asks for no consent.",
    )
    consented_at = models.DateTimeField(null=True, blank=True)
    recruitment = models.JSONField(
        default=dict, blank=True, help_text="What a panel calls this visit: its study, submission, task."
    )
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="All questions are answered.")
    screened_out_at = models.DateTimeField(
        null=True, blank=True, help_text="A screening was failed in a study that turns away for it."
    )
    places_returned_at = models.DateTimeField(
        null=True, blank=True, help_text="Its unanswered pairs count as exposed no longer."
    )

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["rater"], condition=Q(finished_at=None), name="session_under_way_is_one"
            ),
        ]
        indexes = [
            # Sessions that may have been abandoned: looked for whenever another one is planned.
            models.Index(
                fields=["study", "started_at"],
                condition=Q(finished_at=None, screened_out_at=None, places_returned_at=None),
                name="session_holds_places",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]


class PhaseRecord(models.Model):
    """One try at one phase of a session; screenings have an outcome. Practice and main have questions besides."""

    class Outcome(models.TextChoices):
        PASSED = "passed"
        FAILED = "failed"
        UNKNOWN = "unknown", "could not be run"

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="phases")
    phase = models.CharField(max_length=20)
    attempt = models.PositiveSmallIntegerField(default=1)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.PASSED)
    answers = models.JSONField(default=dict, blank=True, help_text="As they were given.")
    evidence = models.JSONField(default=dict, blank=True, help_text="What they were held against.")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["session", "phase", "attempt"], name="phase_attempt_is_new"),
        ]

    def __str__(self) -> str:
        return f"{self.session}: {self.phase} {self.outcome}"


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
    is_same_screen = models.BooleanField(
        null=True,
        blank=True,
        help_text="What the person said when it looked like another screen than the first.",
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
        TIE = "tie", "no difference"

    # Millions of rows: one index each for what is looked up, where `unique=True` and a foreign key would make more.
    public_id = models.CharField(max_length=32, default=new_public_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="questions", db_index=False)
    index = models.PositiveSmallIntegerField(help_text="Position in the session, practice included, from 0.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    pair = models.ForeignKey(Pair, on_delete=models.PROTECT, related_name="questions")
    left = models.ForeignKey(Rendition, on_delete=models.PROTECT, related_name="+")
    right = models.ForeignKey(Rendition, on_delete=models.PROTECT, related_name="+")
    repeats = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="repeated_by"
    )
    instructed_side = models.CharField(
        max_length=5,
        choices=Side.choices,
        blank=True,
        help_text="The side that a practice question asks for.",
    )
    token = models.CharField(max_length=32, default=new_public_id, editable=False)
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
    undone = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="How many answers to it were taken back; they are kept apart."
    )

    class Meta:
        ordering = ["session", "index"]
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="question_public_id_is_new"),
            models.UniqueConstraint(fields=["token"], name="question_token_is_new"),
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
        UNDONE = "undone", "taken back by the participant"
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
