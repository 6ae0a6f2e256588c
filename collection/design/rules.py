"""Whose answers may be used, and who should be paid: two verdicts from the same answers.

Each rule ends in one of three ways: passed, failed, or unknown where it had nothing
to look at. A rule that could not run never counts against a rater.

Pay. Work that was done is paid: `should_be_paid` is false only for a rater who did not
finish, be it that a screening ended the session, or who was obviously a machine or looked at
nothing: more than half of the answers came faster than a hand can follow an eye (HAND_MS). That
is no threshold of a rule set: no rule for use moves the pay. All else may cost the use of the
answers, never the pay. A failed consistency or one side pressed throughout proves nothing of one
person (an honest rater who agrees with himself 8 times of 10 falls below 7 of 10 in 12 % of the
cases), and nobody can help his eyes, his screen or his browser's clock.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import bdtr, bdtrc

from collection.design.intervals import proportion_interval
from collection.design.protocol import SCREENINGS, RuleSet

Outcome = Literal["passed", "failed", "unknown"]
Side = Literal["left", "right", "tie"]

MIN_ANSWERS_FOR_SIDES = 10
"""Fewer say nothing of sides: ten fair answers all fall on one side in 0.2 % of the cases, five in 6 %."""
HAND_MS = 300
"""Hands alone take 200 to 300 ms: who is faster cannot have looked first. At the upper end, since a photo takes longer
to see than a light does, and since it counts only where more than half of the answers are below."""
CLOCKS_APART_MS = 250
"""By so much a true time may exceed the server's: browsers round to 100 ms, and two clocks part by 100 ms in 17 minutes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterAnswer:
    """One answered question; practice is none."""

    side: Side
    response_ms: int | None = None
    """By the client's clock, from the moment when both images were seen. None where it is not known."""
    elapsed_ms: int | None = None
    """By the server's clock, from the moment when the question was handed out. None where it is not known."""
    is_check: bool = False
    agrees: bool | None = None
    """Of a check: whether the image chosen is the one of the first answer; None where one of the two chose none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What the rules look at in a rater's answers: with it, any rule set judges them again."""

    n_answers: int = 0
    """Main answers and checks."""
    n_main: int = 0
    left: int = 0
    right: int = 0
    """Main answers on each side; the rest are ties."""
    times: Sequence[int] = ()
    """Known response times of the main answers, ms, in any order."""
    both_clocks: int = 0
    """Main answers whose time is known to the client and the server."""
    impossible: int = 0
    """Of them those where the client's time exceeds the server's by more than CLOCKS_APART_MS."""
    agreed: int = 0
    checked: int = 0
    """Checks of which neither answer is a tie, and those of them that agree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterJudgment:
    may_be_used: bool
    should_be_paid: bool
    reasons: tuple[str, ...]
    """Names of the rules that failed, in the order of `evidence`."""
    evidence: dict[str, dict[str, Any]]
    """Rule → its outcome and the figures that it looked at; `pay` beside the rules. A screening counts if `required`."""
    n_answers: int
    """Main answers and checks."""
    checks_agreed: int
    checks_answered: int
    median_response_ms: int | None
    """Over the main answers with a known time."""

    @property
    def consistency(self) -> float | None:
        return self.checks_agreed / self.checks_answered if self.checks_answered else None


def judge_rater(
    answers: Sequence[RaterAnswer],
    rules: RuleSet,
    *,
    finished: bool = True,
    screened_out: bool = False,
    screenings: Mapping[str, Outcome] | None = None,
) -> RaterJudgment:
    """Judge a rater by a rule set.

    Args:
        answers: all the rater's answers to main questions and checks.
        rules: the thresholds.
        finished: whether the rater answered a whole session.
        screened_out: whether a failed screening ended the session instead.
        screenings: how each of SCREENINGS ended; one that is left out is unknown.
    """
    return judge_measures(
        measure(answers), rules, finished=finished, screened_out=screened_out, screenings=screenings
    )


def measure(answers: Sequence[RaterAnswer]) -> Measures:
    main = [answer for answer in answers if not answer.is_check]
    sides = [answer.side for answer in main]
    agreed = [answer.agrees for answer in answers if answer.is_check and answer.agrees is not None]
    excess = [
        answer.response_ms - answer.elapsed_ms
        for answer in main
        if answer.response_ms is not None and answer.elapsed_ms is not None
    ]
    return Measures(
        n_answers=len(answers),
        n_main=len(main),
        left=sides.count("left"),
        right=sides.count("right"),
        times=[answer.response_ms for answer in main if answer.response_ms is not None],
        both_clocks=len(excess),
        impossible=sum(ms > CLOCKS_APART_MS for ms in excess),
        agreed=sum(agreed),
        checked=len(agreed),
    )


def judge_measures(
    measures: Measures,
    rules: RuleSet,
    *,
    finished: bool = True,
    screened_out: bool = False,
    screenings: Mapping[str, Outcome] | None = None,
) -> RaterJudgment:
    """Judge a rater by what was measured in the answers; the rest as in `judge_rater`."""
    median = statistics.median(measures.times) if measures.times else None
    evidence = {
        "screened_out": {"outcome": _outcome(not screened_out)},
        "too_few_answers": _too_few_answers(measures, finished, screened_out),
        "too_fast": _too_fast(measures.times, rules),
        "median_too_fast": _median_too_fast(median, len(measures.times), rules),
        "impossible_times": _impossible_times(measures, rules),
        "inconsistent": _inconsistent(measures, rules),
        "one_sided": _one_sided(measures, rules),
        **{name: _screening(name, screenings or {}, rules) for name in SCREENINGS},
    }
    reasons = tuple(
        rule
        for rule, found in evidence.items()
        if found["outcome"] == "failed" and found.get("required", True)
    )
    pay = _pay(measures, finished, screened_out)
    return RaterJudgment(
        may_be_used=not reasons,
        should_be_paid=pay["outcome"] == "passed",
        reasons=reasons,
        evidence=evidence | {"pay": pay},
        n_answers=measures.n_answers,
        checks_agreed=measures.agreed,
        checks_answered=measures.checked,
        median_response_ms=None if median is None else round(median),
    )


def chance_of_passing(n_checks: int, agreement: float, rules: RuleSet) -> float:
    """How likely a rater who agrees with himself with probability `agreement` passes the consistency rule.

    0.5 is a random clicker: 17.2 % reach 7 of 10, 5.5 % reach 8, 1.1 % reach 9.
    """
    if n_checks == 0 or rules.min_consistency == 0:
        return 1.0
    least = next(k for k in range(1, n_checks + 1) if k / n_checks >= rules.min_consistency)
    return float(bdtrc(least - 1, n_checks, agreement))


def _too_few_answers(measures: Measures, finished: bool, screened_out: bool) -> dict[str, Any]:
    enough = _outcome(finished and measures.n_main > 0)
    return {
        "outcome": "unknown" if screened_out else enough,
        "main_answers": measures.n_main,
        "finished": finished,
    }


def _too_fast(times: Sequence[int], rules: RuleSet) -> dict[str, Any]:
    if not times:
        return {"outcome": "unknown", "known_times": 0}
    fast = sum(time < rules.min_response_ms for time in times)
    return {
        "outcome": _outcome(fast / len(times) <= rules.max_fast_share),
        "fast": fast,
        "known_times": len(times),
        "limit_ms": rules.min_response_ms,
        "limit_share": rules.max_fast_share,
    }


def _median_too_fast(median: float | None, known_times: int, rules: RuleSet) -> dict[str, Any]:
    if median is None:
        return {"outcome": "unknown", "known_times": 0}
    return {
        "outcome": _outcome(median >= rules.min_median_response_ms),
        "median_ms": median,
        "known_times": known_times,
        "limit_ms": rules.min_median_response_ms,
    }


def _impossible_times(measures: Measures, rules: RuleSet) -> dict[str, Any]:
    """A time that the client gives cannot exceed the time since the question was handed out."""
    if not measures.both_clocks:
        return {"outcome": "unknown", "known_times": 0}
    return {
        "outcome": _outcome(measures.impossible / measures.both_clocks <= rules.max_impossible_share),
        "impossible": measures.impossible,
        "known_times": measures.both_clocks,
        "limit_ms": CLOCKS_APART_MS,
        "limit_share": rules.max_impossible_share,
    }


def _inconsistent(measures: Measures, rules: RuleSet) -> dict[str, Any]:
    k, n = measures.agreed, measures.checked
    if not n:
        return {"outcome": "unknown", "answered": 0}
    return {
        "outcome": _outcome(k / n >= rules.min_consistency),
        "agreed": k,
        "answered": n,
        "interval": [round(end, 4) for end in proportion_interval(k, n)],
        "limit_share": rules.min_consistency,
    }


def _one_sided(measures: Measures, rules: RuleSet) -> dict[str, Any]:
    left, n = measures.left, measures.left + measures.right
    if n < MIN_ANSWERS_FOR_SIDES:
        return {"outcome": "unknown", "left": left, "answered": n}
    return {
        "outcome": _outcome(max(left, n - left) / n <= rules.max_one_side_share),
        "left": left,
        "answered": n,
        "p_by_chance": side_chance(left, n),
        "limit_share": rules.max_one_side_share,
    }


def side_chance(left: int, n: int) -> float:
    """How likely at least so uneven sides are by chance, as they are balanced by design; three figures.

    52 of 80 on one side: 0.0096.
    """
    return float(f"{min(1.0, 2 * bdtr(min(left, n - left), n, 0.5)):.3g}")


def _screening(name: str, screenings: Mapping[str, Outcome], rules: RuleSet) -> dict[str, Any]:
    return {"outcome": screenings.get(name, "unknown"), "required": getattr(rules, f"require_{name}")}


def _pay(measures: Measures, finished: bool, screened_out: bool) -> dict[str, Any]:
    """By no threshold of a rule set. An unknown time counts as one that is slow enough."""
    unfinished = "screened_out" if screened_out else "too_few_answers"
    fast = sum(time < HAND_MS for time in measures.times)
    why = [] if finished else [unfinished]
    why += ["faster_than_a_hand"] if 2 * fast > measures.n_main else []
    return {
        "outcome": _outcome(not why),
        "reasons": why,
        "fast": fast,
        "main_answers": measures.n_main,
        "limit_ms": HAND_MS,
    }


def _outcome(holds: bool) -> Outcome:
    return "passed" if holds else "failed"
