"""Which rules judge a study's raters, and which did before."""

import dataclasses
import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Q

from collection.design.protocol import Protocol, RuleSet
from collection.models import RuleVersion, Study, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRules:
    """A rule set that the study follows or has followed, with its verdicts."""

    rules: RuleSet
    chosen_at: dt.datetime | None
    """None for the protocol's own."""
    n_judged: int
    n_valid: int


def rules_in_force(study: Study) -> RuleSet:
    """The rules chosen last, or else the protocol's own."""
    version = RuleVersion.objects.filter(study=study).order_by("pk").last()
    return RuleSet.from_json(version.rules) if version else Protocol.from_json(study.protocol).rules


def protocol_in_force(study: Study) -> Protocol:
    """The study's protocol with the rules in force in place of its own."""
    return dataclasses.replace(Protocol.from_json(study.protocol), rules=rules_in_force(study))


def rules_kept(study: Study) -> list[KeptRules]:
    """Every rule set once, the one in force first and the others as they were chosen last."""
    chosen = {version.name: version for version in RuleVersion.objects.filter(study=study).order_by("pk")}
    own = Protocol.from_json(study.protocol).rules
    newest = sorted(chosen.values(), key=lambda version: version.pk, reverse=True)
    kept: list[tuple[RuleSet, dt.datetime | None]] = [
        (RuleSet.from_json(version.rules), version.chosen_at) for version in newest
    ]
    if own.name not in chosen:
        kept.append((own, None))
    counts = {
        name: (n, valid)
        for name, n, valid in Verdict.objects.filter(rater__study=study)
        .values_list("rule_set")
        .annotate(n=Count("pk"), valid=Count("pk", filter=Q(may_be_used=True)))
    }
    return [_kept(rules, chosen_at, *counts.get(rules.name, (0, 0))) for rules, chosen_at in kept]


def _kept(rules: RuleSet, chosen_at: dt.datetime | None, n_judged: int, n_valid: int) -> KeptRules:
    return KeptRules(rules=rules, chosen_at=chosen_at, n_judged=n_judged, n_valid=n_valid)
