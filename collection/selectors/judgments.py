"""Answers one by one, for programs."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db.models import F, QuerySet

from collection.models import Question, Study

COLUMNS: dict[str, str] = {
    "id": "public_id",
    "session": "session__public_id",
    "rater": "session__rater__public_id",
    "scene": "pair__scene__public_id",
    "pair": "pair__public_id",
    "left": "left__public_id",
    "right": "right__public_id",
    "repeats": "repeats__public_id",
}
"""Name outside → where it stands. What is not here is named alike."""
OWN = (
    "index", "kind", "chosen_side", "response_ms", "elapsed_ms", "served_at", "answered_at", "policy", "propensity",
)  # fmt: skip
AT_A_TIME = 2000


def judgments_of(
    study: Study,
    *,
    kind: str = "",
    rater: str = "",
    scene: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> QuerySet[Question]:
    """Answered questions of those who did not withdraw; without practice, unless it is asked for."""
    found = Question.objects.filter(
        session__study=study, session__rater__withdrawn_at=None, answered_at__isnull=False
    )
    found = found.filter(kind=kind) if kind else found.exclude(kind=Question.Kind.PRACTICE)
    if rater:
        found = found.filter(session__rater__public_id=rater)
    if scene:
        found = found.filter(pair__scene__public_id=scene)
    if since:
        found = found.filter(answered_at__gte=since)
    if until:
        found = found.filter(answered_at__lt=until)
    return found


def judgments_rows(found: QuerySet[Question]) -> QuerySet[Question, Any]:
    """Each as one flat object, with `pk` besides."""
    outside = {f"{name}_": F(path) for name, path in COLUMNS.items()}
    rows: QuerySet[Question, Any] = found.order_by("pk").values(
        "pk", *OWN, simulated_=F("session__study__is_simulated"), **outside
    )
    return rows


def judgment_told(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `judgments_rows` as it is told outside."""
    told = {name: row[f"{name}_"] for name in COLUMNS}
    told |= {name: row[name] for name in OWN}
    told["side"] = told.pop("chosen_side")
    told["is_simulated"] = row["simulated_"]
    return told


def judgments_stream(found: QuerySet[Question]) -> Iterator[dict[str, Any]]:
    """All of them in the order in which they were planned, in bounded memory."""
    rows = judgments_rows(found)
    after = 0
    while batch := list(rows.filter(pk__gt=after)[:AT_A_TIME]):
        yield from map(judgment_told, batch)
        after = batch[-1]["pk"]
