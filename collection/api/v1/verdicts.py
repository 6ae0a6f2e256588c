"""Rule sets, and what they say of raters."""

from dataclasses import asdict
from typing import Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from collection.api.v1.bodies import Strict
from collection.api.v1.endpoint import Endpoint, operation
from collection.api.v1.fields import FreeObject, Settings, public_id
from collection.api.v1.pages import PageQuery
from collection.design.comparison import Kept
from collection.design.protocol import RuleSet
from collection.design.wording import REASONS
from collection.models import Role, Scope, Study, Verdict
from collection.selectors.comparison import study_rules_compare
from collection.selectors.rules import rules_in_force, rules_kept
from collection.services.verdicts import rules_use, verdicts_compute


class VerdictReply(serializers.Serializer[Any]):
    rater = public_id("rater.public_id")
    rule_set = serializers.CharField()
    may_be_used = serializers.BooleanField(help_text="Whether the answers may be.")
    should_be_paid = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Rules that failed, in order.")
    evidence = FreeObject(help_text="The figures that each rule looked at.")
    n_answers = serializers.IntegerField()
    checks_agreed = serializers.IntegerField()
    checks_answered = serializers.IntegerField()
    median_response_ms = serializers.IntegerField(allow_null=True)
    computed_at = serializers.DateTimeField()


class VerdictQuery(PageQuery):
    rule_set = serializers.CharField(
        max_length=80, required=False, help_text="Name of a rule set; the one in force where left out."
    )
    may_be_used = serializers.BooleanField(required=False)
    reason = serializers.ChoiceField(choices=list(REASONS), required=False, help_text="A rule that failed.")


class JudgedReply(serializers.Serializer[Any]):
    rule_set = serializers.CharField()
    judged = serializers.IntegerField(help_text="Raters.")


class Verdicts(Endpoint):
    tag = "Verdicts"
    resource = "verdicts"

    @operation("List verdicts", query=VerdictQuery, reply=VerdictReply, pages=True)
    def list(self, request: Request, slug: str) -> Response:
        study = self.study()
        rules = rules_named(study, self.query.get("rule_set", ""))
        found = Verdict.objects.filter(rater__study=study, rater__withdrawn_at=None, rule_set=rules.name)
        if "may_be_used" in self.query:
            found = found.filter(may_be_used=self.query["may_be_used"])
        if "reason" in self.query:  # not every database looks into JSON
            reasons = found.values_list("pk", "reasons")
            found = found.filter(pk__in=[pk for pk, names in reasons if self.query["reason"] in names])
        return self.page(found.select_related("rater"))

    @operation("Judge all raters again", reply=JudgedReply)
    def judge(self, request: Request, slug: str) -> Response:
        """By the rules in force, from their raw answers as they are now."""
        study = self.study(Role.EDITOR)
        return self.reply({"judged": verdicts_compute(study), "rule_set": rules_in_force(study).name})


class RulesReply(serializers.Serializer[Any]):
    name = serializers.CharField(source="rules.name", help_text="Version and hash, as verdicts name it.")
    rules = Settings(RuleSet, read_only=True)
    in_force = serializers.SerializerMethodField()
    chosen_at = serializers.DateTimeField(allow_null=True, help_text="Null for the protocol's own.")
    judged = serializers.IntegerField(source="n_judged", help_text="Raters with a verdict of it.")
    usable = serializers.IntegerField(source="n_valid", help_text="Of them, those whose answers may be used.")

    def get_in_force(self, kept: Any) -> bool:
        return bool(kept.rules.name == self.context["in_force"])


class RulesListReply(serializers.Serializer[Any]):
    results = RulesReply(many=True)


class RulesBody(Strict):
    rules = Settings(RuleSet, help_text="Thresholds; what is left out is as by default.")


class KeptReply(serializers.Serializer[Any]):
    raters = serializers.IntegerField(help_text="Whose answers may be used.")
    n_raters = serializers.IntegerField()
    interval = serializers.ListField(
        child=serializers.FloatField(), help_text="Of the share of raters, 95 %."
    )
    judgments = serializers.IntegerField(help_text="Main answers of these raters.")
    n_judgments = serializers.IntegerField()
    paid = serializers.IntegerField(help_text="Raters who should be paid.")
    reasons = FreeObject(help_text="Failed rule → raters who failed it.")


class RaterJudgmentReply(serializers.Serializer[Any]):
    may_be_used = serializers.BooleanField()
    should_be_paid = serializers.BooleanField()
    reasons = serializers.ListField(child=serializers.CharField())


class ApartReply(serializers.Serializer[Any]):
    rater = serializers.CharField()
    ours = RaterJudgmentReply()
    other = RaterJudgmentReply()


class ComparisonReply(serializers.Serializer[Any]):
    """Nothing of it is stored."""

    ours_name = serializers.CharField(help_text="The rule set in force.")
    other_name = serializers.CharField(help_text="The rule set that was sent.")
    ours = KeptReply()
    other = KeptReply()
    only_ours = serializers.IntegerField(help_text="Raters whom the rule set in force alone uses.")
    only_other = serializers.IntegerField()
    apart = ApartReply(many=True, help_text="Raters whom one of the two uses and the other does not.")


class RuleSets(Endpoint):
    tag = "Verdicts"
    resource = "rule_sets"

    @operation("List rule sets", reply=RulesListReply)
    def list(self, request: Request, slug: str) -> Response:
        """That the study follows or has followed, the one in force first."""
        study = self.study()
        return self.reply({"results": rules_kept(study)}, in_force=rules_in_force(study).name)

    @operation("Use a rule set", body=RulesBody, reply=RulesReply, status=201)
    def use(self, request: Request, slug: str) -> Response:
        """Puts it in force and judges everybody by it. Verdicts of others stay under their names."""
        study = self.study(Role.EDITOR)
        version = rules_use(study, self.body["rules"])
        [kept] = [each for each in rules_kept(study) if each.rules.name == version.name]
        return self.reply(kept, in_force=version.name)

    @operation("Compare a rule set", body=RulesBody, reply=ComparisonReply, scope=Scope.READ)
    def compare(self, request: Request, slug: str) -> Response:
        """What it would make of the answers, beside the one in force."""
        study = self.study()
        ours, other = rules_in_force(study), self.body["rules"]
        found = study_rules_compare(study, ours, other)
        return self.reply(
            {
                "ours_name": ours.name,
                "other_name": other.name,
                "ours": _kept(found.ours),
                "other": _kept(found.other),
                "only_ours": found.only_ours,
                "only_other": found.only_other,
                "apart": [{"rater": name, "ours": one, "other": two} for name, one, two in found.apart],
            }
        )


def rules_named(study: Study, name: str) -> RuleSet:
    """Of those that the study has followed; the one in force without a name."""
    if not name:
        return rules_in_force(study)
    for kept in rules_kept(study):
        if kept.rules.name == name:
            return kept.rules
    raise Http404(f"The study never followed the rules {name!r}.")


def _kept(kept: Kept) -> dict[str, Any]:
    return asdict(kept) | {"interval": list(kept.interval), "reasons": dict(kept.reasons)}
