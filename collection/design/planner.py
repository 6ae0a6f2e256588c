"""How many raters a study needs, what it then can show, and what it costs.

Two levels. A *pair* of renditions gets one answer from each of some raters, so its answers are
independent. A *contest* between two recipes (ours against theirs) gets several answers from each
rater, and those are alike where tastes differ: m answers of one rater with correlation ρ count as
m / (1 + (m - 1) ρ) independent ones (design effect; L. Kish, Survey Sampling, 1965).

Widths are those of the exact interval of a share (`intervals.proportion_interval`) at its expected
count; power is that of the exact two-sided binomial test against 50 %. Both are formulas; the tests
hold them against simulation.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, bdtrc, ndtri

from collection.design.choices import Ints
from collection.design.intervals import proportion_interval
from collection.design.protocol import check

MOST_ANSWERS = 10_000_000
"""More are not searched for: with so many a share of 50.05 % is seen."""
LIMITS = {"raters": (1, 100_000), "questions": (1, 1000), "pairs": (1, 1_000_000), "recipes": (2, 1000)}
"""Of whole numbers; the exact tests are computed for as many answers as these give."""
MOST = {"session_minutes": 600, "pay_per_hour": 10_000, "panel_fee": 10, "fixed_cost": 1e9}
"""Of numbers from 0 on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyPlan:
    raters: int
    """Who finish a session. All of them are paid: a failed consistency costs the use of answers, never the pay."""
    questions: int = 80
    """Main questions of each rater; checks add nothing to the judgments."""
    pairs: int = 1
    """Pairs of renditions, asked equally often."""
    recipes: int = 2
    """Recipes that meet each other equally often; 2 for a contest of one against the other."""
    valid_share: float = 0.89
    """Part of the raters whose answers may be used: 767 of 858 in the published study."""
    preference: float = 0.6
    """The part of answers for the better side that is to be seen."""
    rater_correlation: float = 0.05
    """ρ between two answers of one rater in one contest: 0 if all have one taste, 1 if all always prefer one side."""
    session_minutes: float = 15.0
    pay_per_hour: float = 0.0
    panel_fee: float = 0.0
    """Part of the pay that the panel takes on top."""
    fixed_cost: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
            check(whole, name, value, f"a whole number from {low} to {high:,}")
        check(0 < self.valid_share <= 1, "valid_share", self.valid_share, "above 0 and at most 1")
        check(0.5 < self.preference <= 1, "preference", self.preference, "above 0.5 and at most 1")
        check(0 <= self.rater_correlation <= 1, "rater_correlation", self.rater_correlation, "from 0 to 1")
        for name, most in MOST.items():
            value = getattr(self, name)
            check(0 <= value <= most, name, value, f"a number from 0 to {most:,.0f}")

    @property
    def judgments(self) -> float:
        """Valid main answers expected."""
        return self.raters * self.valid_share * self.questions

    @property
    def judgments_per_pair(self) -> float:
        return self.judgments / self.pairs

    @property
    def contests(self) -> int:
        return self.recipes * (self.recipes - 1) // 2

    @property
    def answers_per_contest(self) -> float:
        """Of one rater."""
        return self.questions / self.contests

    @property
    def independent_per_contest(self) -> float:
        """So many independent answers all raters' answers to one contest are worth."""
        each = self.answers_per_contest
        return self.raters * self.valid_share * each / design_effect(each, self.rater_correlation)

    @property
    def cost(self) -> float:
        return self.fixed_cost + self.raters * self.cost_of_rater

    @property
    def cost_of_rater(self) -> float:
        return self.pay_per_hour * self.session_minutes / 60 * (1 + self.panel_fee)


def pair_half_width(plan: StudyPlan) -> float:
    """Half the 95 % interval of a pair's share of answers for one side, at 50 %, where it is widest."""
    return half_width(plan.judgments_per_pair, 0.5)


def contest_half_width(plan: StudyPlan) -> float:
    """Half the 95 % interval of one recipe's win rate against another, at the plan's preference."""
    return half_width(plan.independent_per_contest, plan.preference)


def pair_power(plan: StudyPlan) -> float:
    """Probability to see the plan's preference in one pair (two-sided test at 5 %)."""
    return power(int(_whole(plan.judgments_per_pair)), plan.preference)


def contest_power(plan: StudyPlan) -> float:
    """Probability to see that one recipe wins against another, where it does by the plan's preference."""
    return power(int(_whole(plan.independent_per_contest)), plan.preference)


def raters_for_pair_half_width(plan: StudyPlan, wanted: float) -> int:
    """Raters with whom `pair_half_width` is at most `wanted`; the plan's own number is not looked at."""
    return math.ceil(_whole(answers_for_half_width(wanted, 0.5) * plan.pairs / _valid_answers(plan)))


def raters_for_contest_half_width(plan: StudyPlan, wanted: float) -> int:
    """Raters with whom `contest_half_width` is at most `wanted`."""
    return _raters_for_contest(plan, answers_for_half_width(wanted, plan.preference))


def raters_for_pair_power(plan: StudyPlan, wanted: float) -> int:
    """Raters with whom `pair_power` is at least `wanted`, with any larger number too."""
    return math.ceil(_whole(answers_for_power(wanted, plan.preference) * plan.pairs / _valid_answers(plan)))


def raters_for_contest_power(plan: StudyPlan, wanted: float) -> int:
    """Raters with whom `contest_power` is at least `wanted`, with any larger number too."""
    return _raters_for_contest(plan, answers_for_power(wanted, plan.preference))


@dataclass(frozen=True, kw_only=True, slots=True)
class Simulated:
    """How studies of a plan came out: simulated answers of simulated raters, whose true share is known."""

    studies: int
    pair_seen: int
    """Studies in which one pair's answers differ from 50 % by the exact two-sided test at 5 %."""
    contest_seen: int
    """Studies in which a contest's share lies two standard errors from 50 %, with the plan's design effect."""
    contest_within: int
    """Studies in which that share lies within `contest_half_width` of the truth."""


def simulate_plan(plan: StudyPlan, *, studies: int, seed: int) -> Simulated:
    """Answer a plan's questions so many times; what the formulas say is held against it.

    Raters' own shares for the better side follow a Beta distribution with mean `preference` and
    correlation `rater_correlation` between two answers of one rater.
    """
    rng = np.random.default_rng(seed)
    n_pair = int(plan.judgments_per_pair)
    of_pair = rng.binomial(n_pair, plan.preference, studies)
    fewest = int(_critical(np.array([n_pair]), 0.05)[0])
    pair_seen = (of_pair >= fewest) | (of_pair <= n_pair - fewest)
    share = _contest_shares(plan, studies, rng)
    standard_error = 0.5 / math.sqrt(plan.independent_per_contest)
    return Simulated(
        studies=studies,
        pair_seen=int(np.count_nonzero(pair_seen & (fewest <= n_pair))),
        contest_seen=int(np.count_nonzero(np.abs(share - 0.5) > 1.96 * standard_error)),
        contest_within=int(np.count_nonzero(np.abs(share - plan.preference) <= contest_half_width(plan))),
    )


def _contest_shares(plan: StudyPlan, studies: int, rng: np.random.Generator) -> np.ndarray:
    """(studies,) share of the answers to one contest that are for the better side."""
    each = max(1, round(plan.answers_per_contest))
    raters = max(1, round(plan.raters * plan.valid_share * plan.answers_per_contest / each))
    if plan.rater_correlation == 0:
        return np.asarray(rng.binomial(raters * each, plan.preference, studies) / (raters * each))
    if plan.rater_correlation == 1:
        return np.asarray(rng.binomial(raters, plan.preference, studies) / raters)
    spread = 1 / plan.rater_correlation - 1
    shares = np.empty(studies)
    for k in range(studies):  # one study at a time: all of them at once may not fit
        own = rng.beta(plan.preference * spread, (1 - plan.preference) * spread, raters)
        shares[k] = rng.binomial(each, own).sum() / (raters * each)
    return shares


def design_effect(answers: float, correlation: float) -> float:
    """By how much `answers` of one rater with such a correlation weigh less than independent ones."""
    return 1 + max(0.0, answers - 1) * correlation


def half_width(n: float, share: float, *, confidence: float = 0.95) -> float:
    """Half the exact interval of a share that n answers give, at the expected count n · share."""
    low, high = proportion_interval(share * n, n, confidence=confidence)
    return (high - low) / 2


def answers_for_half_width(wanted: float, share: float) -> int:
    """The fewest answers with which `half_width` is at most `wanted`."""
    check(0 < wanted < 0.5, "half width", wanted, "above 0 and below 0.5")
    low, high = 0, 1
    while half_width(high, share) > wanted:
        check(high < MOST_ANSWERS, "half width", wanted, f"one that {MOST_ANSWERS:,} answers reach")
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if half_width(middle, share) > wanted else (low, middle)
    return high


def power(n: int, preference: float, *, alpha: float = 0.05) -> float:
    """Probability that n answers tell a share of `preference` from 50 %, by the exact two-sided binomial test."""
    return float(_powers(np.array([n]), preference, alpha)[0])


def answers_for_power(wanted: float, preference: float, *, alpha: float = 0.05) -> int:
    """The fewest answers from which on the power is `wanted` or more.

    The power of an exact test goes up in a saw's teeth: with one answer more it may fall.
    """
    check(0 < wanted < 1, "power", wanted, "above 0 and below 1")
    check(0.5 < preference <= 1, "preference", preference, "above 0.5 and at most 1")
    spread = ndtri(1 - alpha / 2) + max(0.0, float(ndtri(wanted)))
    # The normal approximation and as much again: the teeth are small beyond it.
    most = 50 + int(2 * (spread / (2 * preference - 1)) ** 2)
    check(most <= MOST_ANSWERS, "preference", preference, f"one that {MOST_ANSWERS:,} answers can show")
    n = np.arange(most + 1)
    below = np.flatnonzero(_powers(n, preference, alpha) < wanted)
    return int(below[-1]) + 1


def _powers(n: Ints, preference: float, alpha: float) -> np.ndarray:
    fewest = _critical(n, alpha)
    above = np.where(fewest <= n, bdtrc(fewest - 1.0, n, preference), 0.0)
    return np.asarray(above + np.where(fewest <= n, bdtr(n - fewest + 0.0, n, preference), 0.0))


def _critical(n: Ints, alpha: float) -> Ints:
    """The smallest count of n that is significantly above half, n + 1 where there is none, by bisection."""
    low, high = n // 2, n + 1  # never significant; always (or not there)
    while (high - low > 1).any():
        middle = (low + high) // 2
        significant = 2 * bdtrc(middle - 1.0, n, 0.5) <= alpha
        low, high = np.where(significant, low, middle), np.where(significant, middle, high)
    return np.asarray(high)


def _valid_answers(plan: StudyPlan) -> float:
    return plan.valid_share * plan.questions


def _raters_for_contest(plan: StudyPlan, independent: int) -> int:
    each = plan.answers_per_contest
    effect = design_effect(each, plan.rater_correlation)
    return math.ceil(_whole(independent * effect / (plan.valid_share * each)))


def _whole(number: float) -> float:
    """Rounded where it misses a whole number by floating point alone."""
    return round(number) if abs(number - round(number)) < 1e-9 * max(1.0, number) else number
