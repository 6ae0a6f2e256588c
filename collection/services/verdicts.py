"""Verdicts: computed from raw answers, kept under the name of their rule set, computable again."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from collection.design.protocol import Protocol, RuleSet
from collection.design.rules import RaterAnswer, RaterJudgment, judge_rater
from collection.models import Question, Rater, Session, Study, Verdict

RATERS_AT_A_TIME = 500
"""Bounds the memory and the number of queries: three for each so many raters."""


class AnswerRow(NamedTuple):
    rater: int
    kind: str
    side: str
    response_ms: int | None
    left: int
    right: int
    first_side: str | None
    """Of a check: the side chosen when the pair was shown first; empty where that has no answer."""
    first_left: int | None
    first_right: int | None


def verdicts_compute(
    study: Study, rater: Rater | None = None, *, rules: RuleSet | None = None, only_stale: bool = False
) -> int:
    """Judge the study's raters, or one of them, from their raw answers; return how many.

    Verdicts of other rule sets stay; those of this one are written anew. People who withdrew are
    not judged.

    Args:
        study: whose raters to judge.
        rater: this one only.
        rules: other rules than those of the study's protocol, to compare.
        only_stale: leave the verdicts that have seen all of their rater's answers as they are.
    """
    rules = rules or Protocol.from_json(study.protocol).rules
    raters = Rater.objects.filter(study=study, person__withdrawn_at=None).order_by("pk")
    if rater:
        raters = raters.filter(pk=rater.pk)
    if only_stale:
        raters = _stale(raters, rules)
    finished = Session.objects.filter(rater=OuterRef("pk"), finished_at__isnull=False)
    waiting = list(raters.annotate(finished=Exists(finished)).values_list("pk", "finished"))
    for start in range(0, len(waiting), RATERS_AT_A_TIME):
        _judge(dict(waiting[start : start + RATERS_AT_A_TIME]), rules)
    return len(waiting)


def _stale(raters: QuerySet[Rater], rules: RuleSet) -> QuerySet[Rater]:
    """Raters without a verdict of these rules, or with answers that it has not seen."""
    answered = Q(sessions__questions__answered_at__isnull=False)
    practice = Q(sessions__questions__kind=Question.Kind.PRACTICE)
    verdict = Verdict.objects.filter(rater=OuterRef("pk"), rule_set=rules.name)
    return raters.annotate(
        n_now=Count("sessions__questions", filter=answered & ~practice),
        n_seen=Coalesce(Subquery(verdict.values("n_answers")), -1),
    ).exclude(n_seen=F("n_now"))


def _judge(finished: dict[int, bool], rules: RuleSet) -> None:
    """Judge these raters (key → whether a session is finished) and store their verdicts."""
    answers = {
        rater: [_answer(row) for row in rows]
        for rater, rows in itertools.groupby(_answer_rows(finished), key=lambda row: row.rater)
    }
    verdicts = [
        _verdict(rater, rules, judge_rater(answers.get(rater, []), rules, finished=is_finished))
        for rater, is_finished in finished.items()
    ]
    Verdict.objects.bulk_create(
        verdicts,
        update_conflicts=True,
        unique_fields=["rater", "rule_set"],
        update_fields=[
            "may_be_used", "should_be_paid", "reasons", "evidence", "n_answers", "checks_agreed",
            "checks_answered", "median_response_ms", "computed_at",
        ],
    )  # fmt: skip


def _answer_rows(raters: Iterable[int]) -> Iterator[AnswerRow]:
    questions = (
        Question.objects.filter(session__rater__in=list(raters), answered_at__isnull=False)
        .exclude(kind=Question.Kind.PRACTICE)
        .order_by("session__rater_id", "session_id", "index")
    )
    rows = questions.values_list(
        "session__rater_id", "kind", "chosen_side", "response_ms", "left_id", "right_id",
        "repeats__chosen_side", "repeats__left_id", "repeats__right_id",
    )  # fmt: skip
    return (AnswerRow(*row) for row in rows.iterator(chunk_size=10_000))


def _answer(row: AnswerRow) -> RaterAnswer:
    is_check = row.kind == Question.Kind.CHECK
    agrees = None
    if is_check and row.first_side:
        first = row.first_left if row.first_side == "left" else row.first_right
        agrees = first == (row.left if row.side == "left" else row.right)
    return RaterAnswer(
        side="left" if row.side == "left" else "right",
        response_ms=row.response_ms,
        is_check=is_check,
        agrees=agrees,
    )


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
