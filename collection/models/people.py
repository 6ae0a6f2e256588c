"""Who answers: a person, on a device; together they are a rater."""

from django.db import models
from django.db.models import Q

from collection.models.studies import Split, Study
from variants.jobs import new_public_id


class Person(models.Model):
    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    # A person is known by a panel's ID or by the hash of a random first-party cookie; never by a fingerprint.
    panel = models.CharField(max_length=50, blank=True)
    panel_id = models.CharField(max_length=200, blank=True)
    cookie_sha256 = models.CharField(max_length=64, blank=True)
    is_simulated = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(
                fields=["panel", "panel_id"], condition=~Q(panel_id=""), name="person_panel_id_is_new"
            ),
            models.UniqueConstraint(
                fields=["cookie_sha256"], condition=~Q(cookie_sha256=""), name="person_cookie_is_new"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]


class Device(models.Model):
    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    cookie_sha256 = models.CharField(max_length=64, blank=True)
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="replaced_by",
        help_text="The same browser before it was moved to another screen.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["cookie_sha256"], condition=~Q(cookie_sha256=""), name="device_cookie_is_new"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]


class Rater(models.Model):
    """A person on a device, in one study: the display changes what is preferred."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="raters")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="raters")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="raters")
    split = models.CharField(max_length=10, choices=Split.choices, default=Split.NONE)
    simulation = models.JSONField(
        null=True, blank=True, help_text="The taste of a simulated rater; null for people."
    )
    withdrawn_at = models.DateTimeField(
        null=True, blank=True, help_text="The answers are deleted; this row tells which datasets held them."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "person", "device"], name="rater_is_one_person_on_one_device"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id[:8]


class Invitation(models.Model):
    """A personal link into a study. Whoever comes by it is the person of the panel `invitation` with its code."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    code = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    label = models.CharField(max_length=200, blank=True, help_text="For researchers: whom it was sent to.")
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.label or self.code[:8]
