"""Who may do what in a study, and who did it."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from collection.models.studies import Study


class Role(models.TextChoices):
    """What a researcher may do in a study; each may do what those after it may."""

    OWNER = "owner"  # members, closing, deleting
    EDITOR = "editor"  # the study's content, exports, verdicts
    VIEWER = "viewer"  # looking and downloading

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) <= order.index(other)

    @property
    def can_edit(self) -> bool:
        return self.includes(Role.EDITOR)

    @property
    def is_owner(self) -> bool:
        return self is Role.OWNER


class Membership(models.Model):
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="membership_is_one_a_study")]

    def __str__(self) -> str:
        return f"{self.study}: {self.user} {self.role}"


class MemberInvitation(models.Model):
    """A link that makes whoever opens it first a member. Only the hash of its code is kept."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="member_invitations")
    email = models.EmailField()
    role = models.CharField(max_length=10, choices=Role.choices)
    code_sha256 = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.study}: {self.email} {self.role}"


class AuditEntry(models.Model):
    """One thing that somebody changed, exported or deleted. Rows are only ever added."""

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    actor_name = models.CharField(max_length=150, help_text="Stays when the account goes.")
    study = models.ForeignKey(
        Study, on_delete=models.SET_NULL, null=True, blank=True, related_name="audit_entries"
    )
    study_slug = models.CharField(max_length=50, blank=True, help_text="Stays when the study goes.")
    action = models.CharField(max_length=50, help_text="Such as study.open, export.create, member.remove.")
    what = models.CharField(max_length=200, blank=True, help_text="The thing it was done to.")
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["study", "-at"], name="audit_of_a_study")]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.what}".strip()
