"""Has something broken? The pass rate of the sessions that finished last, held against those before.

Or was it broken from the start? Then there is no better time before: a level that few raters reach.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from collection.design.intervals import proportion_interval

N_LAST = 20
ALPHA = 0.001
"""Of each look, and there is one with every session: once for all rules together, once shared by the rules one by one."""
LEAST_VALID = 0.5
"""A study that keeps fewer of its raters pays for more answers than it can use: rules, photos or pages need a look."""
CHANCE, SOME_TASTE = 0.5, 0.7
"""Agreement with oneself of random clickers, and of raters who hardly have a taste (0.594) or are unsure (0.696), simulated."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    rule: str
    """The rule that more raters fail than before; empty for the share that passes all."""
    passed: int
    """Of the last `n`."""
    n: int
    passed_before: int
    n_before: int
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelAlarm:
    what: Literal["valid", "consistency"]
    k: int
    n: int
    interval: tuple[float, float]
    """Of the share, 95 %, exact."""


def level_alarms(*, valid: int, ended: int, agreed: int, checked: int) -> list[LevelAlarm]:
    """Say where a share is too low, however it was before; each only once its interval is narrow enough.

    Valid raters: the interval lies below LEAST_VALID. Consistency: it reaches down to CHANCE and lies
    below SOME_TASTE.

    Args:
        valid: raters who pass all rules.
        ended: judged raters whose session is over and was not abandoned.
        agreed: checks that agree with the first answer, of all raters together.
        checked: checks that say something.
    """
    few = LevelAlarm(what="valid", k=valid, n=ended, interval=proportion_interval(valid, ended))
    chance = LevelAlarm(
        what="consistency", k=agreed, n=checked, interval=proportion_interval(agreed, checked)
    )
    alarms = [few] if few.interval[1] < LEAST_VALID else []
    low, high = chance.interval
    return alarms + ([chance] if low <= CHANCE and high < SOME_TASTE else [])


def pass_rate_alarms(failed: Sequence[Collection[str]], rules: Collection[str]) -> list[Alarm]:
    """Test whether fewer of the last N_LAST raters pass than of those before.

    One-sided, exact (Fisher): with the margins given, the passes among the last are
    hypergeometric. One test asks about all rules together at ALPHA, one about each rule at
    ALPHA / number of rules (Bonferroni). With fewer than N_LAST raters before there is no test.

    Args:
        failed: of each rater who finished, the rules that they failed, in the order of finishing.
        rules: names of the rules that can be failed.

    Returns:
        All rules together first, then the rules by their p.
    """
    if len(failed) < 2 * N_LAST:
        return []
    together = _test("", [not names for names in failed])
    each = sorted((_test(rule, [rule not in names for names in failed]) for rule in rules), key=lambda a: a.p)
    alarms = [together] if together.p < ALPHA else []
    return alarms + [alarm for alarm in each if alarm.p < ALPHA / len(rules)]


def chance_of_so_few(k: int, n: int, k_all: int, n_all: int) -> float:
    """Give P(X <= k) for the passes X among n of n_all drawn without order, k_all of which passed."""
    ways = sum(math.comb(k_all, i) * math.comb(n_all - k_all, n - i) for i in range(k + 1))
    return ways / math.comb(n_all, n)


def _test(rule: str, passed: Sequence[bool]) -> Alarm:
    last, before = passed[-N_LAST:], passed[:-N_LAST]
    return Alarm(
        rule=rule,
        passed=sum(last),
        n=len(last),
        passed_before=sum(before),
        n_before=len(before),
        p=chance_of_so_few(sum(last), len(last), sum(passed), len(passed)),
    )
