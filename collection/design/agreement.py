"""How far raters agree with each other on the same pairs.

Krippendorff's alpha is 1 - D_o / D_e: the disagreement seen within pairs over the one expected of
answers put together at random; 1 is full agreement, 0 is what chance gives, below 0 is worse. The
pair is the unit, its two items in a fixed order, and the answer one of three points in a row: one
item, a tie, the other (interval level; without ties the same as nominal). The krippendorff package
computes it.

Tastes may differ, so a low alpha is a finding and no fault of the raters; a rater's agreement with
himself is what tells attention.

Sources: K. Krippendorff, Content Analysis, 3rd ed. (2013), chapter 12; A. F. Hayes and
K. Krippendorff, Communication Methods and Measures 1 (2007).
"""

from dataclasses import dataclass

import krippendorff
import numpy as np
from scipy import sparse

from collection.design.choices import PART_OF_A, Choices, Floats, bootstrap_weights, pair_counts
from variants.progress import Report, silent

Interval = tuple[float, float]

RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    alpha: float | None
    """None where no pair has two answers, or where all of these answers are the same."""
    alpha_interval: Interval | None
    """95 %, pairs drawn again; None for fewer than 2 pairs. Raters drawn twice would agree with themselves."""
    share: float | None
    """Part of all couples of answers to one pair that are the same; a tie is the same as a tie only."""
    share_interval: Interval | None
    n_pairs: int
    """Pairs with two answers or more."""
    n_answers: int
    """Answers to them."""
    n_repeats: int
    """Further answers of a rater to a pair already answered: they are left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RaterAgreement:
    """Of every two raters: (R, R), the diagonal empty."""

    raters: tuple[str, ...]
    agreed: Floats
    """Pairs to which both gave the same answer."""
    common: Floats
    """Pairs that both answered."""

    @property
    def with_others(self) -> Floats:
        """(R,) part of the couples of answers with all others that are the same; NaN where there is none."""
        common = self.common.sum(axis=1)
        unknown = np.full(len(common), np.nan)
        return np.asarray(np.divide(self.agreed.sum(axis=1), common, out=unknown, where=common > 0))


def measure_agreement(
    choices: Choices, *, seed: int, resamples: int = RESAMPLES, report: Report = silent
) -> Agreement:
    """Agreement over all pairs with at least two answers; the same two items in two scenes are two pairs.

    Args:
        choices: any answers; pairs with one answer say nothing and do not count.
        seed: of the resamples for the intervals.
        resamples: how many.
        report: told of each resample.
    """
    first = _first_answers(choices)
    counts = _answer_counts(first)
    counts = counts[counts.sum(axis=1) > 1]
    weights = (
        bootstrap_weights(len(counts), resamples, seed) if len(counts) > 1 else np.zeros((0, len(counts)))
    )
    same, couples = _couples(counts)
    known = []
    for done, drawn in enumerate(weights.astype(np.intp), start=1):
        alpha = _alpha(np.repeat(counts, drawn, axis=0))
        known += [] if alpha is None else [alpha]
        report(done, len(weights), "agreement")
    return Agreement(
        alpha=_alpha(counts),
        alpha_interval=_middle(np.array(known)),
        share=float(same.sum() / couples.sum()) if len(counts) else None,
        share_interval=_middle((weights @ same) / (weights @ couples)),
        n_pairs=len(counts),
        n_answers=int(counts.sum()),
        n_repeats=len(choices) - len(first),
    )


def agreement_between_raters(choices: Choices) -> RaterAgreement:
    """Count for every two raters on how many pairs they agree; a rater's first answer to a pair counts."""
    first = _first_answers(choices)
    counts = pair_counts(first, apart_by_scene=True)
    said = [
        sparse.csr_array(
            (np.ones(np.count_nonzero(rows)), (first.rater[rows], counts.pair[rows])), shape=counts.n.shape
        )
        for rows in (counts.i_won == part for part in PART_OF_A.values())
    ]
    agreed, common = sum(s @ s.T for s in said).toarray(), (counts.n @ counts.n.T).toarray()
    np.fill_diagonal(agreed, 0)
    np.fill_diagonal(common, 0)
    return RaterAgreement(raters=choices.raters, agreed=agreed, common=common)


def _first_answers(choices: Choices) -> Choices:
    """Without a rater's further answers to the same pair."""
    pair = pair_counts(choices, apart_by_scene=True).pair
    _, rows = np.unique(np.stack([choices.rater, pair]), axis=1, return_index=True)
    return choices.select(np.sort(rows))


def _answer_counts(choices: Choices) -> Floats:
    """(P, 3) answers for j, ties, and answers for i of each pair."""
    counts = pair_counts(choices, apart_by_scene=True)
    answer = np.rint(2 * counts.i_won).astype(np.intp)
    return (
        np.bincount(counts.pair * 3 + answer, minlength=3 * len(counts.i)).reshape(-1, 3).astype(np.float64)
    )


def _couples(counts: Floats) -> tuple[Floats, Floats]:
    """(P,) couples of answers that are the same, and all of them, each couple in both orders."""
    n = counts.sum(axis=1)
    return (counts * (counts - 1)).sum(axis=1), n * (n - 1)


def _alpha(counts: Floats) -> float | None:
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="interval"))


def _middle(resampled: Floats) -> Interval | None:
    """The middle 95 % of what is known of the resamples."""
    if not len(resampled):
        return None
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)
