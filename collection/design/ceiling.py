"""How well any learner can predict answers that are noisy: the ceiling that a rater's own consistency sets.

Say a rater chooses one side of a question with probability p each time it is asked, and let
x = |2p - 1|. Asked twice, they agree with probability E[p² + (1 - p)²] = (1 + E[x²]) / 2, over the
questions. The best any learner can do on single answers is to name the likelier side, which is right
with probability E[max(p, 1 - p)] = (1 + E[x]) / 2. Since x is from 0 to 1, E[x²] ≤ E[x] ≤ √E[x²], so
with a self-agreement c

    c  ≤  ceiling  ≤  (1 + √(2c - 1)) / 2.

The upper end is reached where all questions are equally hard, the lower one where some are certain
and the others a coin's toss. It takes the two answers as independent given the question: who
remembers the first one agrees more with himself than his taste does.
"""

from dataclasses import dataclass

import numpy as np

from collection.design.choices import NotComputable, bootstrap_weights
from collection.design.intervals import proportion_interval

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    consistency: float
    """Part of the checks in which the first answer was given again."""
    consistency_interval: Interval
    """95 %."""
    low: float
    high: float
    """The ceiling lies between them, were the consistency exact."""
    high_interval: Interval
    """95 % of the upper end: what a learner exceeds is not to be believed above its upper end."""
    n_checks: int


def ceiling_between(consistency: float) -> Interval:
    """The lowest and highest that the best accuracy on single answers can be.

    Args:
        consistency: part of repeated answers that are the same, from 0 to 1. Below 0.5, which no rater
            without memory has, it counts as 0.5.
    """
    if not 0 <= consistency <= 1:
        raise ValueError(f"consistency is {consistency}; it must be from 0 to 1")
    above_chance = max(0.0, 2 * consistency - 1)
    return (1 + above_chance) / 2, (1 + above_chance**0.5) / 2


def rater_ceiling(agreed: int, checks: int) -> Ceiling:
    """Of one rater, with the exact interval of `agreed` of `checks`.

    Raises:
        NotComputable: without a check nothing is known.
    """
    if checks < 1:
        raise NotComputable("a ceiling needs at least one answered check")
    return _ceiling(agreed, checks, proportion_interval(agreed, checks))


def raters_ceiling(agreed: list[int], checks: list[int], *, seed: int, resamples: int = 2000) -> Ceiling:
    """Of all raters together, for a learner's accuracy over all their answers.

    Args:
        agreed: of each rater's checks, how many agree with the first answer.
        checks: how many each rater answered; those with none are left out.
        seed: of the bootstrap over raters.
        resamples: how many.

    Raises:
        NotComputable: fewer than 2 raters answered a check.
    """
    answered = [(k, n) for k, n in zip(agreed, checks, strict=True) if n]
    if len(answered) < 2:
        raise NotComputable(f"a ceiling needs 2 raters with an answered check; there are {len(answered)}")
    k, n = np.array(answered, dtype=np.float64).T
    weights = bootstrap_weights(len(answered), resamples, seed)
    low, high = np.quantile((weights @ k) / (weights @ n), [0.025, 0.975])
    return _ceiling(int(k.sum()), int(n.sum()), (float(low), float(high)))


def _ceiling(agreed: int, checks: int, interval: Interval) -> Ceiling:
    low, high = ceiling_between(agreed / checks)
    return Ceiling(
        consistency=agreed / checks,
        consistency_interval=interval,
        low=low,
        high=high,
        high_interval=(ceiling_between(interval[0])[1], ceiling_between(interval[1])[1]),
        n_checks=checks,
    )
