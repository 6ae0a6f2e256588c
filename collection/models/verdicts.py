from django.db import models
from django.utils import timezone

from collection.models.people import Rater
from collection.models.studies import Study


class Verdict(models.Model):
    """What a rule set says of a rater; computed from raw answers, and computable again."""

    rater = models.ForeignKey(Rater, on_delete=models.CASCADE, related_name="verdicts")
    rule_set = models.CharField(max_length=80, help_text="Version and hash of the rules.")
    may_be_used = models.BooleanField()
    should_be_paid = models.BooleanField()
    reasons = models.JSONField(default=list, help_text="Names of the rules that failed, in order.")
    evidence = models.JSONField(default=dict, help_text="The figures that each rule looked at.")
    n_answers = models.PositiveIntegerField()
    checks_agreed = models.PositiveIntegerField()
    checks_answered = models.PositiveIntegerField()
    median_response_ms = models.PositiveIntegerField(null=True)
    computed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rater", "rule_set"], name="verdict_is_one_a_rule_set")
        ]

    def __str__(self) -> str:
        return f"{self.rater}: {'use' if self.may_be_used else 'leave out'}"

    @property
    def consistency(self) -> float | None:
        return self.checks_agreed / self.checks_answered if self.checks_answered else None


class RuleVersion(models.Model):
    """A rule set that a study was made to follow in place of its protocol's; the last one is in force."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="rule_versions")
    name = models.CharField(max_length=80, help_text="As verdicts name it: version and hash.")
    rules = models.JSONField(help_text="A collection.design.protocol.RuleSet as data.")
    chosen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.study}: {self.name}"
