"""Where a study's events are sent to, and what became of each. The rows are the truth, not the broker's messages."""

import base64
import hashlib
import secrets
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from collection.models.studies import Study
from variants.jobs import new_public_id

SECRET_SALT = "collection.webhooks"


def new_message_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


class Webhook(models.Model):
    """An address that a study's events are posted to, signed."""

    class Event(models.TextChoices):
        SESSION_FINISHED = "session.finished", "a session is finished"
        EXPORT_READY = "export.ready", "a dataset is exported"
        RUN_FINISHED = "run.finished", "a training run is over"
        REPORT_FINISHED = "report.finished", "a report is over"

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="webhooks")
    address = models.CharField(max_length=500)
    events = models.JSONField(default=list, help_text="Which of the study's events are sent.")
    is_active = models.BooleanField(default=True)
    secret_number = models.PositiveIntegerField(default=1, help_text="Goes up with every new secret.")
    secret_sha256 = models.CharField(
        max_length=64, blank=True, help_text="Tells that SECRET_KEY has changed since the secret was shown."
    )
    failing_since = models.DateTimeField(null=True, blank=True, help_text="Nothing has got through since.")
    stopped_because = models.TextField(blank=True, help_text="Why the site itself has switched it off.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.place

    def get_absolute_url(self) -> str:
        return reverse("researcher:webhook-detail", args=[self.public_id])

    @property
    def place(self) -> str:
        """Scheme and host: what comes after may be a secret of the receiver's, which viewers need not know."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def key(self) -> bytes:
        """What messages are signed with: made from SECRET_KEY, so that a copy of the database signs nothing."""
        value = f"{self.public_id}:{self.secret_number}"
        return salted_hmac(SECRET_SALT, value, algorithm="sha256").digest()

    @property
    def secret(self) -> str:
        """The key as the receiver is told it."""
        return f"whsec_{base64.b64encode(self.key).decode()}"

    @property
    def key_sha256(self) -> str:
        return hashlib.sha256(self.key).hexdigest()

    @property
    def is_key_lost(self) -> bool:
        return self.secret_sha256 != self.key_sha256


class WebhookDelivery(models.Model):
    """One event for one address, tried until it has been taken or given up."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DELIVERED = "delivered"
        FAILED = "failed", "given up"

    TEST = "webhook.test"

    message_id = models.CharField(max_length=40, unique=True, default=new_message_id, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=30)
    payload = models.TextField(help_text="The body, byte for byte: each try sends the same.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    tries = models.PositiveIntegerField(default=0, help_text="Of the present round.")
    next_try_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(
        null=True, blank=True, help_text="A worker is at it; after that it counts as dead."
    )
    tried_at = models.DateTimeField(null=True, blank=True)
    status_code = models.PositiveIntegerField(null=True, blank=True, help_text="Of the last reply.")
    reply = models.TextField(blank=True, help_text="The beginning of the last reply.")
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "webhook deliveries"
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(state="waiting"), name="delivery_to_be_tried"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.message_id}"
