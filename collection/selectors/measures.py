"""What the rules look at, read from the raw answers: a row a rater, measured by the database."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
from django.core.cache import cache
from django.db.models import (
    Aggregate,
    BigIntegerField,
    Case,
    Count,
    F,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce
from numpy.typing import NDArray

from collection.design.protocol import SCREENINGS, RuleSet
from collection.design.rules import CLOCKS_APART_MS, Measures, Outcome, RaterJudgment, judge_measures
from collection.models import PhaseRecord, Question, Rater, Session

RATERS_AT_A_TIME = 2000
"""Bounds the memory and the number of queries: five for so many raters."""
INDEX, CLOCKS, SIDE = 2**36, 2**34, 2**32
"""The database writes an answer as one number, and a session's answers as a text: index · INDEX + clocks · CLOCKS +
side · SIDE + ms. Rows of their own would take several times as long to read."""
UNKNOWN_MS = SIDE - 1
_LEFT, _RIGHT = 1, 2
_POSSIBLE, _IMPOSSIBLE = 1, 2
_Numbers = NDArray[np.int64]
FEW_SESSIONS = 200
"""Up to so many are asked for by key; for more it is quicker to ask for all again."""
REMEMBERED_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterRecord:
    """All that a rater is judged by."""

    rater: int
    finished: bool
    """A session of theirs."""
    screened_out: bool
    """A screening ended the session, and no other one was finished."""
    measures: Measures
    positions: _Numbers
    """Index in the session of each of `measures.times`."""
    checks: _Numbers
    """(index in the session, 1 if it agrees) of each check that says something, shape (n, 2)."""
    screenings: dict[str, Outcome]
    """Screening → how it ended the last time that it was tried."""

    def judged_by(self, rules: RuleSet) -> RaterJudgment:
        return judge_measures(
            self.measures,
            rules,
            finished=self.finished,
            screened_out=self.screened_out,
            screenings=self.screenings,
        )


def raters_records(
    raters: QuerySet[Rater], *, simulated: bool, remembered: bool = False
) -> Iterator[RaterRecord]:
    """Of each rater, in the order of their keys. Where they are `simulated`, the server's clock says nothing.

    A simulated rater only says how long it looked, and does not wait so long. `remembered` takes what
    was read of finished sessions before from the cache: their answers never change.
    """
    keys = list(raters.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), RATERS_AT_A_TIME):
        some = keys[start : start + RATERS_AT_A_TIME]
        # A condition, not the keys: thousands of parameters take longer to send than the rows to read.
        among = raters.filter(pk__gte=some[0], pk__lte=some[-1]).order_by().values("pk")
        yield from _records(some, among, simulated, remembered)


def _records(
    raters: list[int], among: QuerySet[Any, Any], simulated: bool, remembered: bool
) -> Iterator[RaterRecord]:
    rows = Session.objects.filter(rater__in=among).order_by("pk")
    sessions = list(map(_Session._make, rows.values_list(*_Session._fields)))
    finished = {session.rater for session in sessions if session.finished_at}
    screened_out = {session.rater for session in sessions if session.screened_out_at} - finished
    place = {rater: i for i, rater in enumerate(raters)}
    of_session = {session.pk: place[session.rater] for session in sessions}
    asked = Question.objects.filter(session__rater__in=among, answered_at__isnull=False).order_by()
    written = _remembered(asked, sessions) if remembered else _written(asked)
    main = _main_answers(written, of_session, len(raters), simulated)
    checks, n_checks = _checks(written, of_session, len(raters))
    screenings = _screenings(among, of_session)
    for i, rater in enumerate(raters):
        n_main, left, right, both_clocks, impossible = main.counts[i]
        yield RaterRecord(
            rater=rater,
            finished=rater in finished,
            screened_out=rater in screened_out,
            measures=Measures(
                n_answers=n_main + n_checks[i],
                n_main=n_main,
                left=left,
                right=right,
                times=main.times[i].tolist(),
                both_clocks=both_clocks,
                impossible=impossible,
                agreed=int(checks[i][:, 1].sum()),
                checked=len(checks[i]),
            ),
            positions=main.positions[i],
            checks=checks[i],
            screenings=screenings.get(i, {}),
        )


class _Session(NamedTuple):
    pk: int
    public_id: str
    rater: int
    finished_at: dt.datetime | None
    screened_out_at: dt.datetime | None


class _Written(NamedTuple):
    """What the database wrote of a session's answers."""

    main: bytes
    """int64, a number each: see INDEX."""
    checks: bytes
    """int64, 2 · index + 1 if it agrees, of each that says something."""
    n_checks: int
    """Answered at all."""


class _Main(NamedTuple):
    """Main answers of each rater, by the rater's place."""

    counts: list[list[int]]
    """All, on the left, on the right, with a time by both clocks, with an impossible one."""
    times: list[_Numbers]
    positions: list[_Numbers]


class _Joined(Aggregate):
    """A group's numbers with commas between, in any order; None for none."""

    output_field = TextField()
    function = "string_agg"
    template = "%(function)s(%(distinct)s%(expressions)s, ',')"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="group_concat", **context)


def _remembered(asked: QuerySet[Question], sessions: Sequence[_Session]) -> dict[int, _Written]:
    """As `_written`, but finished sessions are read once. By their public IDs: a key may come again."""
    over = {_cache_key(session): session.pk for session in sessions if session.finished_at}
    found = cache.get_many(over)
    written = {over[key]: _Written(*row) for key, row in found.items()}
    others = [session.pk for session in sessions if session.pk not in written]
    if 0 < len(others) <= FEW_SESSIONS:
        asked = Question.objects.filter(session__in=others, answered_at__isnull=False).order_by()
    if others:
        written |= _written(asked)
        new = {key: tuple(written[pk]) for key, pk in over.items() if key not in found and pk in written}
        cache.set_many(new, timeout=REMEMBERED_SECONDS)
    return written


def _cache_key(session: _Session) -> str:
    return f"answers-1-{session.public_id}"


def _written(asked: QuerySet[Question]) -> dict[int, _Written]:
    """Session → its answers; without those that have none."""
    main = dict(_main_written(asked))
    checks = {session: (written, n_all) for session, written, n_all in _checks_written(asked)}
    nothing = ("", 0)
    return {
        session: _Written(_numbers(main.get(session, "")), _numbers(checks.get(session, nothing)[0]), n_all)
        for session in main.keys() | checks.keys()
        for n_all in [checks.get(session, nothing)[1]]
    }


def _numbers(text: str | None) -> bytes:
    return np.fromstring(text, np.int64, sep=",").tobytes() if text else b""


def _main_written(asked: QuerySet[Question]) -> QuerySet[Question, tuple[int, str]]:
    side = _case({_LEFT: Q(chosen_side=Question.Side.LEFT), _RIGHT: Q(chosen_side=Question.Side.RIGHT)})
    unknown = Q(response_ms=None) | Q(elapsed_ms=None)
    clocks = _case(
        {0: unknown, _IMPOSSIBLE: Q(response_ms__gt=F("elapsed_ms") + CLOCKS_APART_MS)}, default=_POSSIBLE
    )
    number = _index() * INDEX + clocks * CLOCKS + side * SIDE + Coalesce("response_ms", Value(UNKNOWN_MS))
    return asked.filter(kind=Question.Kind.MAIN).values_list("session_id").annotate(written=_text(number))


def _checks_written(asked: QuerySet[Question]) -> QuerySet[Question, tuple[int, str | None, int]]:
    """A check agrees that chose the image of the first answer. A tie on either side says nothing."""
    left, right, tie = Question.Side.LEFT, Question.Side.RIGHT, Question.Side.TIE
    same = (
        Q(chosen_side=left, repeats__chosen_side=left, left=F("repeats__left"))
        | Q(chosen_side=left, repeats__chosen_side=right, left=F("repeats__right"))
        | Q(chosen_side=right, repeats__chosen_side=left, right=F("repeats__left"))
        | Q(chosen_side=right, repeats__chosen_side=right, right=F("repeats__right"))
    )
    says = Q(repeats__answered_at__isnull=False) & ~Q(chosen_side=tie) & ~Q(repeats__chosen_side=tie)
    checks = asked.filter(kind=Question.Kind.CHECK).values_list("session_id")
    return checks.annotate(written=_text(_index() * 2 + _case({1: same}), says), n_all=Count("pk"))


def _main_answers(
    written: Mapping[int, _Written], of_session: dict[int, int], n_raters: int, simulated: bool
) -> _Main:
    numbers, whose = _read({session: row.main for session, row in written.items()}, of_session)
    ms, sides, clock = numbers % SIDE, numbers // SIDE % 4, numbers // CLOCKS % 4
    known = ms != UNKNOWN_MS
    both = (clock > 0) & (not simulated)
    of_each = [numbers >= 0, sides == _LEFT, sides == _RIGHT, both, both & (clock == _IMPOSSIBLE)]
    return _Main(
        counts=np.stack([np.bincount(whose[holds], minlength=n_raters) for holds in of_each], 1).tolist(),
        times=_cut(ms[known], whose[known], n_raters),
        positions=_cut(numbers[known] // INDEX, whose[known], n_raters),
    )


def _checks(
    written: Mapping[int, _Written], of_session: dict[int, int], n_raters: int
) -> tuple[list[_Numbers], list[int]]:
    """By rater: (index, 1 if it agrees) of the checks that say something, and how many are answered at all."""
    answered = [0] * n_raters
    for session, row in written.items():
        if session in of_session:
            answered[of_session[session]] += row.n_checks
    numbers, whose = _read({session: row.checks for session, row in written.items()}, of_session)
    return _cut(np.stack([numbers // 2, numbers % 2], axis=1), whose, n_raters), answered


def _index() -> Cast:
    return Cast("index", BigIntegerField())


def _case(numbers: dict[int, Q], default: int = 0) -> Case:
    whens = [When(holds, then=Value(number, BigIntegerField())) for number, holds in numbers.items()]
    return Case(*whens, default=Value(default, BigIntegerField()), output_field=BigIntegerField())


def _text(number: Combinable, holds: Q | None = None) -> _Joined:
    return _Joined(Cast(number, TextField()), filter=holds)


def _read(rows: Mapping[int, bytes], of_session: dict[int, int]) -> tuple[_Numbers, _Numbers]:
    """All numbers of the sessions, and the rater's place of each, in the raters' order."""
    # A session that began since the sessions were read is left to the next time.
    ordered = sorted((of_session[session], row) for session, row in rows.items() if session in of_session)
    numbers = np.frombuffer(b"".join(row for _, row in ordered), np.int64)
    places = np.array([place for place, _ in ordered], np.int64)
    return numbers, np.repeat(places, [len(row) // numbers.itemsize for _, row in ordered])


def _cut(values: _Numbers, whose: _Numbers, n_raters: int) -> list[_Numbers]:
    return np.split(values, np.cumsum(np.bincount(whose, minlength=n_raters))[:-1])


def _screenings(among: QuerySet[Any, Any], of_session: dict[int, int]) -> dict[int, dict[str, Outcome]]:
    """Rater's place → screening → how it ended the last time."""
    records = PhaseRecord.objects.filter(phase__in=SCREENINGS, session__rater__in=among)
    last: dict[int, dict[str, Outcome]] = {}
    rows = records.order_by("session_id", "attempt").values_list("session_id", "phase", "outcome")
    for session, phase, outcome in rows:
        if session in of_session:
            last.setdefault(of_session[session], {})[phase] = cast(Outcome, outcome)
    return last
