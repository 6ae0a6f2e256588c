"""Verdicts: computed from raw answers, kept under the name of their rule set, computable again."""

from itertools import islice

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from collection.design.protocol import SCREENINGS, RuleSet
from collection.design.rules import RaterJudgment
from collection.models import PhaseRecord, Question, Rater, RuleVersion, Study, Verdict
from collection.selectors.measures import RATERS_AT_A_TIME, raters_records
from collection.selectors.rules import rules_in_force
from collection.services.audit import audit_record
from collection.services.studies import StudyError


def verdicts_compute(
    study: Study, rater: Rater | None = None, *, rules: RuleSet | None = None, only_stale: bool = False
) -> int:
    """Judge the study's raters, or one of them, from their raw answers; return how many.

    Verdicts of other rule sets stay; those of this one are written anew. People who withdrew are
    not judged.

    Args:
        study: whose raters to judge.
        rater: this one only.
        rules: other rules than those in force.
        only_stale: leave the verdicts that have seen all of their rater's answers as they are.
    """
    rules = rules or rules_in_force(study)
    raters = Rater.objects.filter(study=study, withdrawn_at=None).order_by("pk")
    if rater:
        raters = raters.filter(pk=rater.pk)
    if only_stale:
        raters = _stale(raters, rules)
    records = raters_records(raters, simulated=study.is_simulated)
    verdicts = (_verdict(record.rater, rules, record.judged_by(rules)) for record in records)
    n_judged = 0
    while batch := list(islice(verdicts, RATERS_AT_A_TIME)):
        _store(batch)
        n_judged += len(batch)
    return n_judged


@transaction.atomic
def rules_use(study: Study, rules: RuleSet) -> RuleVersion:
    """Put a rule set in force and judge everybody by it. The verdicts of others stay under their names.

    The protocol stays as it is, and so does what the sessions were planned by. Raises StudyError
    when these rules are in force already.
    """
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)  # two researchers, one after the other
    if rules.name == rules_in_force(study).name:
        raise StudyError(f"{study.slug} follows these rules already; change a threshold first")
    version = RuleVersion.objects.create(study=study, name=rules.name, rules=rules.to_json())
    audit_record("rules.use", study, what=rules.name)
    verdicts_compute(study, rules=rules)
    return version


def _stale(raters: QuerySet[Rater], rules: RuleSet) -> QuerySet[Rater]:
    """Raters without a verdict of these rules, or with answers or screenings that it has not seen."""
    answered = Q(sessions__questions__answered_at__isnull=False)
    practice = Q(sessions__questions__kind=Question.Kind.PRACTICE)
    verdict = Verdict.objects.filter(rater=OuterRef("pk"), rule_set=rules.name)
    screened = PhaseRecord.objects.filter(phase__in=SCREENINGS, session__rater=OuterRef("pk"))
    return raters.annotate(
        n_now=Count("sessions__questions", filter=answered & ~practice),
        n_seen=Coalesce(Subquery(verdict.values("n_answers")), -1),
        judged_at=Subquery(verdict.values("computed_at")),
        screened_at=Subquery(screened.order_by("-recorded_at").values("recorded_at")[:1]),
    ).exclude(Q(n_seen=F("n_now")) & (Q(screened_at=None) | Q(screened_at__lte=F("judged_at"))))


@transaction.atomic
def _store(verdicts: list[Verdict]) -> None:
    """But for raters who have withdrawn since they were read; who withdraws now waits, and deletes these too."""
    keys = [verdict.rater_id for verdict in verdicts]
    here = set(
        Rater.objects.select_for_update(no_key=True)
        .filter(pk__in=keys, withdrawn_at=None)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    Verdict.objects.bulk_create(
        [verdict for verdict in verdicts if verdict.rater_id in here],
        update_conflicts=True,
        unique_fields=["rater", "rule_set"],
        update_fields=[
            "may_be_used", "should_be_paid", "reasons", "evidence", "n_answers", "checks_agreed",
            "checks_answered", "median_response_ms", "computed_at",
        ],
    )  # fmt: skip


def _verdict(rater: int, rules: RuleSet, found: RaterJudgment) -> Verdict:
    return Verdict(
        rater_id=rater,
        rule_set=rules.name,
        may_be_used=found.may_be_used,
        should_be_paid=found.should_be_paid,
        reasons=list(found.reasons),
        evidence=found.evidence,
        n_answers=found.n_answers,
        checks_agreed=found.checks_agreed,
        checks_answered=found.checks_answered,
        median_response_ms=found.median_response_ms,
        computed_at=timezone.now(),
    )
