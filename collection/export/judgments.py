"""The judgments table of a dataset folder: a study's answers, rater by rater, and what they say of each rater."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from django.db.models import BigIntegerField, Func, QuerySet

from collection.design.protocol import RuleSet
from collection.design.rules import Outcome, RaterAnswer, Side, judge_rater
from collection.export.format import SCREENINGS
from collection.models import PhaseRecord, Question, Rater, Session, Study, Verdict
from variants.models import Pair, Rendition
from variants.progress import Report

QUESTIONNAIRE_COLUMNS = {"night_mode": "night_mode", "room_light": "room_light", "device_kind": "device"}
"""Column → field of the answers in a PhaseRecord."""


class _Row(NamedTuple):
    pk: int
    public_id: str
    rater: int
    kind: str
    pair: int
    left: int
    right: int
    repeats: int | None
    side: Side
    response_ms: int | None
    elapsed_ms: int | None
    position: int
    policy: str
    propensity: float | None
    answered_ms: int
    """Since 1970."""


class Names(NamedTuple):
    """Database key → public ID."""

    raters: dict[int, str]
    images: dict[int, str]
    pairs: dict[int, str]


class Judged(NamedTuple):
    """What the raters table says of a rater."""

    n_answers: int
    may_be_used: bool
    reasons: Sequence[str]
    consistency: float | None
    median_response_ms: int | None


class Answers:
    """The rows of the judgments table; what passed by stands in `judged` and `pairs` afterwards."""

    def __init__(self, study: Study, rules: RuleSet, report: Report) -> None:
        self.study, self.rules, self.report = study, rules, report
        self.names = _names(study)
        self.told = _told(study)
        self.pairs: set[int] = set()
        self.judged: dict[int, Judged] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        questions = _answered(self.study)
        total, done = questions.count(), 0
        finished = _finished_raters(self.study)
        stored = _stored_verdicts(self.study, self.rules)
        for rater, group in itertools.groupby(_rows(questions), key=lambda row: row.rater):
            rows = _with_first_answers(group)
            yield from self._judgments(rows)
            verdict = stored.get(rater)
            self.judged[rater] = (
                _as_stored(verdict)
                if verdict and verdict.n_answers == len(rows)
                else self._judge(rows, finished=rater in finished)
            )
            self.pairs.update(row.pair for row in rows)
            done += len(rows)
            self.report(min(done, total), total, "writing judgments")

    def _judgments(self, rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
        images, public_ids = self.names.images, {row.pk: row.public_id for row in rows}
        for row in rows:
            left, right = images[row.left], images[row.right]
            preferred, rejected = {"left": (left, right), "right": (right, left)}.get(row.side, (None, None))
            yield {
                "judgment_id": row.public_id,
                "rater_id": self.names.raters[row.rater],
                "pair_id": self.names.pairs[row.pair],
                "preferred_image": preferred,
                "rejected_image": rejected,
                "left_image": left,
                "right_image": right,
                "chosen_side": row.side,
                "response_ms": row.response_ms,
                "is_check": row.repeats is not None,
                "repeats_judgment": None if row.repeats is None else public_ids[row.repeats],
                "question_index": row.position,
                "policy": row.policy,
                "propensity": row.propensity,
                "answered_at": row.answered_ms,
            }

    def _judge(self, rows: Sequence[_Row], *, finished: bool) -> Judged:
        """Of the rows that are written, where answers came in since the rater was judged."""
        row_of = {row.pk: row for row in rows}
        answers = [
            RaterAnswer(
                side=row.side,
                response_ms=row.response_ms,
                elapsed_ms=None if self.study.is_simulated else row.elapsed_ms,
                is_check=row.repeats is not None,
                agrees=None if row.repeats is None else _agrees(row, row_of[row.repeats]),
            )
            for row in rows
        ]
        told = self.told[rows[0].rater]
        screenings = {name: cast(Outcome, told[name]) for name in SCREENINGS if name in told}
        found = judge_rater(answers, self.rules, finished=finished, screenings=screenings)
        return Judged(
            found.n_answers, found.may_be_used, found.reasons, found.consistency, found.median_response_ms
        )


def _answered(study: Study) -> QuerySet[Question]:
    """Answered questions of people who did not withdraw, practice left out."""
    return Question.objects.filter(
        session__study=study, session__rater__withdrawn_at=None, answered_at__isnull=False
    ).exclude(kind=Question.Kind.PRACTICE)


def _rows(questions: QuerySet[Question]) -> Iterator[_Row]:
    """By rater, then as they were asked: an order that does not hang on database keys of raters."""
    ordered = questions.order_by("session__rater__public_id", "session_id", "index")
    columns = (
        "pk", "public_id", "session__rater_id", "kind", "pair_id", "left_id", "right_id", "repeats_id",
        "chosen_side", "response_ms", "elapsed_ms", "index", "policy", "propensity",
    )  # fmt: skip
    rows = ordered.values_list(*columns, _Milliseconds("answered_at"))
    return itertools.starmap(_Row, rows.iterator(chunk_size=5000))


class _Milliseconds(Func):
    """A time as whole milliseconds since 1970: a million of them are read in a tenth of the time of datetimes."""

    output_field = BigIntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has times as texts, whose fraction may be missing, and rounds where it reads it."""
        seconds = "ROUND((julianday(SUBSTR(%(expressions)s, 1, 19)) - 2440587.5) * 86400)"
        fraction = "CAST(SUBSTR(%(expressions)s || '000', 21, 3) AS INTEGER)"
        template = f"CAST({seconds} * 1000 AS INTEGER) + {fraction}"
        return self.as_sql(compiler, connection, template=template, **context)


def _with_first_answers(group: Iterable[_Row]) -> list[_Row]:
    """Without checks whose first answer is not there (yet): they repeat nothing."""
    rows = list(group)
    answered = {row.pk for row in rows}
    return [row for row in rows if row.repeats is None or row.repeats in answered]


def _names(study: Study) -> Names:
    raters = Rater.objects.filter(study=study)
    images = Rendition.objects.filter(scene__studies=study)
    pairs = Pair.objects.filter(scene__studies=study)
    return Names(*(dict(rows.order_by().values_list("pk", "public_id")) for rows in (raters, images, pairs)))


def _finished_raters(study: Study) -> set[int]:
    sessions = Session.objects.filter(study=study, finished_at__isnull=False)
    return set(sessions.order_by().values_list("rater_id", flat=True))


def _stored_verdicts(study: Study, rules: RuleSet) -> dict[int, Verdict]:
    verdicts = Verdict.objects.filter(rater__study=study, rule_set=rules.name).defer("evidence")
    return {verdict.rater_id: verdict for verdict in verdicts}


def _as_stored(verdict: Verdict) -> Judged:
    return Judged(
        verdict.n_answers,
        verdict.may_be_used,
        verdict.reasons,
        verdict.consistency,
        verdict.median_response_ms,
    )


def _agrees(row: _Row, first: _Row) -> bool | None:
    """Whether a check chose the image of the first answer; None where one of the two is a tie."""
    image, before = _chosen(row), _chosen(first)
    return None if image is None or before is None else image == before


def _chosen(row: _Row) -> int | None:
    return {"left": row.left, "right": row.right}.get(row.side)


def _told(study: Study) -> defaultdict[int, dict[str, str]]:
    """Rater → language, screenings and questionnaire, each as it was last; what was written freely stays here."""
    told: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for rater, language in study.sessions.order_by("pk").values_list("rater_id", "language"):
        told[rater]["language"] = language
    records = PhaseRecord.objects.filter(session__study=study, phase__in=(*SCREENINGS, "questionnaire"))
    columns = ("session__rater_id", "phase", "outcome", "answers")
    for rater, phase, outcome, answers in (
        records.order_by("pk").values_list(*columns).iterator(chunk_size=5000)
    ):
        if phase == "questionnaire":
            told[rater] |= {column: answers.get(field, "") for column, field in QUESTIONNAIRE_COLUMNS.items()}
        else:
            told[rater][phase] = outcome
    return told
