"""Questions, handed out in their order."""

import datetime as dt

from django.db.models import Subquery

from collection.design.protocol import Protocol
from collection.models import Question, Session
from collection.selectors.protocols import session_protocol

HANDED_OUT = (
    "token", "public_id", "session", "index", "kind", "instructed_side", "served_at",
    "left__public_id", "left__width", "left__height", "right__public_id", "right__width", "right__height",
)  # fmt: skip


def questions_upcoming(session: Session, limit: int, *, now: dt.datetime, after: int = -1) -> list[Question]:
    """Hand out the next unanswered questions of the present part with an index above `after`, in order.

    Parts are one try at the practice, and main questions with their checks. The next part
    begins when nothing is open in the one before it.
    """
    unanswered = session.questions.filter(answered_at=None).order_by("index")
    rows = list(
        unanswered.filter(index__gt=after)
        .select_related("left", "right")
        .only(*HANDED_OUT)
        .annotate(part_begins=Subquery(unanswered.values("index")[:1]))[:limit]
    )
    end = _part_end(rows[0].part_begins, session_protocol(session)) if rows else 0
    questions: list[Question] = [question for question in rows if question.index < end]
    unserved = [question.pk for question in questions if question.served_at is None]
    if unserved:
        Question.objects.filter(pk__in=unserved, served_at=None).update(served_at=now)
    if unserved and session.is_active:
        # A worker may have put other pairs there since they were read; once they are handed out nobody does.
        again = session.questions.filter(pk__in=[question.pk for question in questions])
        return list(again.select_related("left", "right").only(*HANDED_OUT).order_by("index"))
    return questions


def _part_end(index: int, protocol: Protocol) -> int:
    """The index after the last one of the part that holds this one."""
    if index >= protocol.n_practice_planned:
        return protocol.n_practice_planned + protocol.n_main + protocol.n_checks
    return (index // protocol.n_practice + 1) * protocol.n_practice
