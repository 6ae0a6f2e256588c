"""What programs sign in with, and the replies that they may ask for again."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from variants.jobs import new_public_id


class Scope(models.TextChoices):
    """What a token may do, within what its owner may do."""

    READ = "read", "see all that its owner sees"
    WRITE = "write", "make and change studies, verdicts and rule sets"
    EXPORT = "export", "make, cancel and download datasets"
    TRAIN = "train", "start and cancel runs and reports"


class ApiToken(models.Model):
    """A secret that stands for its owner in the API. Only its hash is kept: it is shown once."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100, help_text="What it is for.")
    prefix = models.CharField(
        max_length=12, help_text="The first characters, by which it is told from others."
    )
    sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list, help_text="Some of Scope.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def has_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def works(self) -> bool:
        return self.revoked_at is None and not self.has_expired


class KeptReply(models.Model):
    """What a POST with an idempotency key was answered; the same request again gets the same reply."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_sha256 = models.CharField(max_length=64, help_text="Of method, address and body.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True, help_text="As JSON, to the letter.")
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "kept replies"
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_is_new")]

    def __str__(self) -> str:
        return f"{self.user}: {self.key}"
