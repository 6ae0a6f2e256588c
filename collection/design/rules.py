"""Whose answers may be used, and who should be paid: two verdicts from the same answers.

Each rule ends in one of three ways: passed, failed, or unknown where it had nothing
to look at. A rule that could not run never counts against a rater.

Pay. Work that was done is paid: `should_be_paid` is false only for a rater who did not
finish, or who was obviously a machine or looked at nothing: half of the answers or more
came faster than a hand can follow an eye (`min_response_ms`). A failed consistency or one
side pressed throughout may cost the use of the answers, never the pay: neither proves
anything of one person (an honest rater who agrees with himself 8 times of 10 falls below
7 of 10 in 12 % of the cases).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import bdtr, bdtrc

from collection.design.intervals import proportion_interval
from collection.design.protocol import RuleSet

Outcome = Literal["passed", "failed", "unknown"]

MIN_ANSWERS_FOR_SIDES = 10
"""Fewer say nothing of sides: ten fair answers all fall on one side in 0.2 % of the cases, five in 6 %."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterAnswer:
    """One answered question; practice is none."""

    side: Literal["left", "right"]
    response_ms: int | None = None
    """None where the time is not known."""
    is_check: bool = False
    agrees: bool | None = None
    """Of a check: whether the image chosen is the one of the first answer; None where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterJudgment:
    may_be_used: bool
    should_be_paid: bool
    reasons: tuple[str, ...]
    """Names of the rules that failed, in the order of `evidence`."""
    evidence: dict[str, dict[str, Any]]
    """Rule → its outcome and the figures that it looked at; `pay` beside the rules."""
    n_answers: int
    """Main answers and checks."""
    checks_agreed: int
    checks_answered: int
    median_response_ms: int | None
    """Over the main answers with a known time."""

    @property
    def consistency(self) -> float | None:
        return self.checks_agreed / self.checks_answered if self.checks_answered else None


def judge_rater(answers: Sequence[RaterAnswer], rules: RuleSet, *, finished: bool = True) -> RaterJudgment:
    """Judge a rater by a rule set.

    Args:
        answers: all the rater's answers to main questions and checks.
        rules: the thresholds.
        finished: whether the rater answered a whole session.
    """
    main = [answer for answer in answers if not answer.is_check]
    times = [answer.response_ms for answer in main if answer.response_ms is not None]
    agreed = [answer.agrees for answer in answers if answer.is_check and answer.agrees is not None]
    evidence = {
        "too_few_answers": _too_few_answers(main, finished),
        "too_fast": _too_fast(times, rules),
        "median_too_fast": _median_too_fast(times, rules),
        "inconsistent": _inconsistent(agreed, rules),
        "one_sided": _one_sided(main, rules),
    }
    reasons = tuple(rule for rule, found in evidence.items() if found["outcome"] == "failed")
    pay = _pay(finished, times, rules)
    return RaterJudgment(
        may_be_used=not reasons,
        should_be_paid=pay["outcome"] == "passed",
        reasons=reasons,
        evidence=evidence | {"pay": pay},
        n_answers=len(answers),
        checks_agreed=sum(agreed),
        checks_answered=len(agreed),
        median_response_ms=round(statistics.median(times)) if times else None,
    )


def chance_of_passing(n_checks: int, agreement: float, rules: RuleSet) -> float:
    """How likely a rater who agrees with himself with probability `agreement` passes the consistency rule.

    0.5 is a random clicker: 17.2 % reach 7 of 10, 5.5 % reach 8, 1.1 % reach 9.
    """
    if n_checks == 0 or rules.min_consistency == 0:
        return 1.0
    least = next(k for k in range(1, n_checks + 1) if k / n_checks >= rules.min_consistency)
    return float(bdtrc(least - 1, n_checks, agreement))


def _too_few_answers(main: Sequence[RaterAnswer], finished: bool) -> dict[str, Any]:
    return {"outcome": _outcome(finished and bool(main)), "main_answers": len(main), "finished": finished}


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


def _median_too_fast(times: Sequence[int], rules: RuleSet) -> dict[str, Any]:
    if not times:
        return {"outcome": "unknown", "known_times": 0}
    median = statistics.median(times)
    return {
        "outcome": _outcome(median >= rules.min_median_response_ms),
        "median_ms": median,
        "known_times": len(times),
        "limit_ms": rules.min_median_response_ms,
    }


def _inconsistent(agreed: Sequence[bool], rules: RuleSet) -> dict[str, Any]:
    if not agreed:
        return {"outcome": "unknown", "answered": 0}
    k, n = sum(agreed), len(agreed)
    return {
        "outcome": _outcome(k / n >= rules.min_consistency),
        "agreed": k,
        "answered": n,
        "interval": [round(end, 4) for end in proportion_interval(k, n)],
        "limit_share": rules.min_consistency,
    }


def _one_sided(main: Sequence[RaterAnswer], rules: RuleSet) -> dict[str, Any]:
    n, left = len(main), sum(answer.side == "left" for answer in main)
    if n < MIN_ANSWERS_FOR_SIDES:
        return {"outcome": "unknown", "left": left, "answered": n}
    return {
        "outcome": _outcome(max(left, n - left) / n <= rules.max_one_side_share),
        "left": left,
        "answered": n,
        "p_by_chance": float(f"{min(1.0, 2 * bdtr(min(left, n - left), n, 0.5)):.3g}"),
        "limit_share": rules.max_one_side_share,
    }


def _pay(finished: bool, times: Sequence[int], rules: RuleSet) -> dict[str, Any]:
    looked = not times or statistics.median(times) >= rules.min_response_ms
    why = [] if finished else ["too_few_answers"]
    why += [] if looked else ["faster_than_a_hand"]
    return {"outcome": _outcome(not why), "reasons": why}


def _outcome(holds: bool) -> Outcome:
    return "passed" if holds else "failed"
