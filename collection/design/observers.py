"""Which raters judge unlike all others.

Each rater's answers are held against the scales that all others' answers give, scene by scene: the
mean base-10 logarithm of the binomial probability of what the rater answered to each pair. The score is
how far that lies below the first quartile of all raters, in interquartile ranges. Above 1.5 a rater
should be looked at: an outlier may be careless, or have a taste of their own, and the score cannot
tell which. It belongs to studies that ask for one truth (quality, likeness); where tastes are what is
asked for, it is no reason to leave answers out.

The scales are Thurstone's with a normal prior of 2 JOD on each utility, since without one of the
raters others' answers often have no finite scale. Where pwcmp takes another prior, its scores are
almost the same: on its example 4.47 and 3.45 for the two outliers, here 4.24 and 3.41.

Source: M. Perez-Ortiz and R. K. Mantiuk, arXiv:1712.03686 (2017); pw_outlier_analysis.m of pwcmp,
which divides by the number of pairs since December 2024.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, log_ndtr

from collection.design.choices import Choices, Floats, NotComputable, pair_counts
from collection.design.scales import JOD, fit_utilities

PRIOR_SD = 2.0
"""JOD. From 1 to 10 the two outliers of pwcmp's example have scores of 3.3 to 4.4, and the third 0.9 at most."""
OUTLIER = 1.5
"""Customary, as for the whiskers of a box plot; there is no objective threshold."""
FEWEST_RATERS = 5
"""With fewer there is no sense in quartiles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutlierScores:
    raters: tuple[str, ...]
    log10_likelihood: Floats
    """(R,) mean over the pairs that the rater answered and others too; NaN where there is none."""
    score: Floats
    """(R,) interquartile ranges below the first quartile, 0 for all above it; NaN where it is not known."""
    n_pairs: Floats
    """(R,) pairs in the mean."""

    @property
    def outliers(self) -> tuple[str, ...]:
        """Raters with a score above 1.5."""
        return tuple(self.raters[k] for k in np.flatnonzero(self.score > OUTLIER).tolist())


def score_outliers(choices: Choices, *, prior_sd: float = PRIOR_SD) -> OutlierScores:
    """Score every rater.

    Args:
        choices: any answers; scales are made scene by scene.
        prior_sd: of the normal prior on each utility, in JOD.

    Raises:
        NotComputable: fewer than 5 raters have a pair that others answered, or all of them are equally likely.
    """
    at = {name: k for k, name in enumerate(choices.raters)}
    total, n_pairs = np.zeros(len(at)), np.zeros(len(at))
    for _, scene in choices.by_scene():
        likelihood, n = _likelihood_by_others(scene, prior_sd)
        rows = [at[name] for name in scene.raters]
        total[rows] += likelihood
        n_pairs[rows] += n
    known = n_pairs > 0
    if np.count_nonzero(known) < FEWEST_RATERS:
        raise NotComputable(
            f"an outlier score needs {FEWEST_RATERS} raters with pairs that others answered too; "
            f"there are {np.count_nonzero(known)}"
        )
    mean = np.divide(total, n_pairs, out=np.full(len(at), np.nan), where=known)
    # MATLAB's quartiles, as in pwcmp.
    first, third = np.quantile(mean[known], [0.25, 0.75], method="hazen")
    if third == first:
        raise NotComputable(
            "an outlier score needs raters who differ: their likelihoods have no interquartile range"
        )
    return OutlierScores(
        raters=choices.raters,
        log10_likelihood=mean,
        score=np.where(known, np.maximum(0, first - mean) / (third - first), np.nan),
        n_pairs=n_pairs,
    )


def _likelihood_by_others(scene: Choices, prior_sd: float) -> tuple[Floats, Floats]:
    """(R,) sum over pairs of the log10 likelihood of each rater's answers, and how many pairs that is."""
    counts = pair_counts(scene, apart_by_scene=False)
    wins, n = counts.wins.toarray(), counts.n.toarray()  # (R, P)
    others_wins, others_n = wins.sum(axis=0) - wins, n.sum(axis=0) - n
    utility = fit_utilities(
        counts.i, counts.j, others_wins, others_n, len(scene.items), model="thurstone", prior_sd=prior_sd
    )  # (R, N)
    z = (utility[:, counts.i] - utility[:, counts.j]) / JOD
    # With gamma functions for factorials, ties being halves.
    ways = gammaln(n + 1) - gammaln(wins + 1) - gammaln(n - wins + 1)
    log10 = (ways + wins * log_ndtr(z) + (n - wins) * log_ndtr(-z)) / np.log(10)
    counted = (n > 0) & (others_n > 0)
    return np.where(counted, log10, 0).sum(axis=1), counted.sum(axis=1).astype(np.float64)
