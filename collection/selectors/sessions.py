"""What participants' pages and the API read."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Count, Q

from collection.design.protocol import Protocol
from collection.models import Question, Rater, Session, Study
from collection.selectors.protocols import session_protocol

TAKES_ANSWERS = {
    "open": {Study.Status.OPEN},
    "paused": {Study.Status.OPEN, Study.Status.PAUSED},
    "closed": {Study.Status.OPEN, Study.Status.PAUSED, Study.Status.CLOSED},
}
"""A protocol's `finish_begun` → the study's states in which sessions under way go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    answered: int
    """Of the questions that count: main questions and checks."""
    total: int
    attempt: int
    """At the practice, from 1; `practice_answered` of `practice_total` questions are answered in it."""
    attempts: int
    practice_answered: int
    practice_total: int
    """Of one try; 0 where there is no practice."""
    practice_is_over: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionState:
    phase: str
    """One of the protocol's phases, or finished, screened_out, paused, closed."""
    progress: Progress
    breaks: list[int]
    """After so many answered questions that count comes a break."""


def study_at(address: str) -> Study | None:
    """A study by its slug or its public ID, as they stand in links."""
    return Study.objects.filter(Q(slug=address) | Q(public_id=address)).first()


def session_of(rater: Rater) -> Session | None:
    """The rater's session under way, or the finished one."""
    return rater.sessions.select_related("study").order_by("-pk").first()


def session_with(token: str) -> Session | None:
    return Session.objects.select_related("study", "rater__person").filter(token=token).first()


def session_locked(**key: object) -> Session:
    """A session that others wait for who change it, until the transaction ends. Take a study's lock after it."""
    sessions = Session.objects.select_related("study").select_for_update(of=("self",), no_key=True)
    return sessions.get(**key)


def session_phase(session: Session) -> str:
    return session_state(session).phase


def session_progress(session: Session) -> Progress:
    protocol = session_protocol(session)
    practice, answered = Q(kind=Question.Kind.PRACTICE), Q(answered_at__isnull=False)
    counts = session.questions.aggregate(
        total=Count("pk", filter=~practice),
        answered=Count("pk", filter=~practice & answered),
        practised=Count("pk", filter=practice & answered),
        unpractised=Count("pk", filter=practice & ~answered),
    )
    return _progress(protocol, **counts)


def session_state(session: Session) -> SessionState:
    """Where a session stands, in two queries; `session.study` is looked at as it was loaded."""
    protocol = session_protocol(session)
    recorded = set(session.phases.values_list("phase", flat=True))
    progress = session_progress(session)
    return SessionState(
        phase=_phase(session, protocol, recorded, progress),
        progress=progress,
        breaks=_breaks(protocol.block_size, progress.total),
    )


def takes_answers(status: str, protocol: Protocol) -> bool:
    """Whether sessions under way go on while the study has this status."""
    return status in TAKES_ANSWERS[protocol.finish_begun]


def _progress(protocol: Protocol, total: int, answered: int, practised: int, unpractised: int) -> Progress:
    each = protocol.n_practice if practised or unpractised else 0
    attempt = 1
    if each:
        # Rows that are open belong to a try that goes on or comes next; without any the last one is meant.
        attempt = practised // each + 1 if unpractised else -(-practised // each)
    return Progress(
        answered=answered,
        total=total,
        attempt=attempt,
        attempts=protocol.practice_tries,
        practice_answered=practised - (attempt - 1) * each,
        practice_total=each,
        practice_is_over=unpractised == 0,
    )


def _phase(session: Session, protocol: Protocol, recorded: Collection[str], progress: Progress) -> str:
    if session.finished_at:
        asks = "questionnaire" in protocol.phases and "questionnaire" not in recorded
        return "questionnaire" if asks else "finished"
    if session.screened_out_at:
        return "screened_out"
    status = session.study.status
    if not takes_answers(status, protocol):
        return "closed" if status == Study.Status.CLOSED else "paused"
    for phase in protocol.phases:
        if phase == "practice":
            if not progress.practice_is_over:
                return phase
        elif phase not in ("consent", *recorded):
            return phase  # main at the latest: it is never recorded
    raise AssertionError("every protocol has main")


def _breaks(block_size: int, total: int) -> list[int]:
    return list(range(block_size, total, block_size)) if block_size else []
