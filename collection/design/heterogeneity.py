"""Do people differ, or is it noise? One taste for all, against one for each rater.

Under the first, all raters choose by the same Bradley-Terry scale. Under the second, each has
deviations of their own from it, normally distributed over the items. The statistic is twice the
gain in (penalised) log likelihood, summed over the raters:

    2 Σ_r max_d [ℓ_r(u + d) - |d|² / (2 s²) - ℓ_r(u)].

With a few answers for each of many parameters its distribution is nowhere near chi-squared, so
the p-value comes from permutations: if all have one taste, it does not matter which of the raters who
answered a question gave which of the answers, and they are exchanged within each question. That
is exact whether the scale fits or not.

Raters differ in more than taste: whoever clicks at random differs from those who look, so the test is
for answers that are valid. Items must come back over the questions of a rater, as recipes do;
renditions of one scene each do not.

Sources: D. Böhning and B. G. Lindsay, Annals of the Institute of Statistical Mathematics 40 (1988)
for the steps; B. Phipson and G. K. Smyth, Statistical Applications in Genetics and Molecular
Biology 9 (2010) for the p-value.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit

from collection.design.choices import Choices, Floats, Ints, NotComputable, pair_counts
from collection.design.scales import fit_utilities
from variants.progress import Report, silent

COMMON_SD = 3.0
"""Log odds: a weak prior on the common scale, so that it exists. It changes the power, never the p-value's truth."""
MOST_NUMBERS = 50_000_000
"""Raters times items squared, at most: 400 MB."""
MAX_STEPS = 100
CLOSE = 0.01
"""Log odds: steps end when no deviation moves by more. What the gain lacks then is of the square of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heterogeneity:
    statistic: float
    by_chance: float
    """Mean of the statistic over the permutations."""
    p: float
    """Of a statistic as large by chance, from 1 / (permutations + 1) on."""
    permutations: int
    n_raters: int
    n_exchangeable: int
    """Answers to questions that raters answered differently: only they can be exchanged to any effect."""


def one_taste_test(
    choices: Choices, *, seed: int, permutations: int = 199, own_sd: float = 1.0, report: Report = silent
) -> Heterogeneity:
    """Test that all raters have one taste.

    Args:
        choices: valid answers; a question is a pair of items of a scene.
        seed: of the permutations.
        permutations: how many.
        own_sd: s, the usual size of a rater's deviations in log odds.
        report: told of each permutation.

    Raises:
        NotComputable: no question was answered in two ways, or there are too many items for so many raters.
    """
    counts = pair_counts(choices, apart_by_scene=True)
    n_raters, n_items = len(choices.raters), len(choices.items)
    if n_raters * n_items**2 > MOST_NUMBERS:
        raise NotComputable(
            f"{n_items} items are too many for {n_raters} raters; name items by their recipe or kind of recipe"
        )
    exchangeable = _answered_in_two_ways(counts.pair, counts.i_won)
    if not exchangeable.any():
        raise NotComputable("no question was answered in two ways, so raters cannot be told apart")
    i, j = counts.i[counts.pair], counts.j[counts.pair]
    common = _common_scale(choices)
    offset = common[i] - common[j]
    own = _OwnTastes(choices.rater, i, j, offset, n_raters, n_items, own_sd)
    statistic = own.gain(counts.i_won)
    rng = np.random.default_rng(seed)
    by_pair = np.argsort(counts.pair, kind="stable")
    drawn = np.empty(permutations)
    exchanged = np.empty_like(counts.i_won)
    for k in range(permutations):
        exchanged[by_pair] = counts.i_won[np.lexsort((rng.random(len(choices)), counts.pair))]
        drawn[k] = own.gain(exchanged)
        report(k + 1, permutations, "one taste or many")
    # Equal but for rounding is as large.
    as_large = int(np.count_nonzero(drawn >= statistic - 1e-6 * abs(statistic)))
    return Heterogeneity(
        statistic=statistic,
        by_chance=float(drawn.mean()),
        p=(1 + as_large) / (1 + permutations),
        permutations=permutations,
        n_raters=n_raters,
        n_exchangeable=int(np.count_nonzero(exchangeable)),
    )


class _OwnTastes:
    """Fits each rater's deviations from the common scale, for any answers to the same questions."""

    def __init__(
        self, rater: Ints, i: Ints, j: Ints, offset: Floats, n_raters: int, n_items: int, own_sd: float
    ) -> None:
        self._offset, self._precision = offset, own_sd**-2
        self._at_i, self._at_j = rater * n_items + i, rater * n_items + j
        self._shape = (n_raters, n_items)
        self._inverse = np.linalg.inv(self._bound(rater, i, j))  # (R, N, N)

    def gain(self, i_won: Floats) -> float:
        """Twice the gain in penalised log likelihood; `i_won` (n,) is 1, 0 or 0.5 for each answer."""
        own = np.zeros(self._shape)
        for _ in range(MAX_STEPS):
            flat = own.ravel()
            residual = i_won - expit(self._offset + flat[self._at_i] - flat[self._at_j])
            score = self._scatter(self._at_i, residual) - self._scatter(self._at_j, residual)
            step = (self._inverse @ (score - self._precision * own)[..., None])[..., 0]
            own = own + step
            if np.abs(step).max() < CLOSE:
                break
        flat = own.ravel()
        with_own = _log_likelihood(self._offset + flat[self._at_i] - flat[self._at_j], i_won)
        penalty = self._precision * float((own**2).sum()) / 2
        return 2 * (with_own - penalty - _log_likelihood(self._offset, i_won))

    def _bound(self, rater: Ints, i: Ints, j: Ints) -> Floats:
        """(R, N, N) what the information of any deviations cannot exceed, so that no step goes too far."""
        n_raters, n_items = self._shape
        places = np.concatenate([(rater * n_items + i) * n_items + j, (rater * n_items + j) * n_items + i])
        pairs = np.bincount(places, minlength=n_raters * n_items**2).reshape(n_raters, n_items, n_items)
        bound = np.asarray(-pairs / 4, dtype=np.float64)
        each = np.arange(n_items)
        bound[:, each, each] = pairs.sum(axis=2) / 4 + self._precision
        return bound

    def _scatter(self, places: Ints, values: Floats) -> Floats:
        sums = np.bincount(places, values, minlength=self._shape[0] * self._shape[1])
        return np.asarray(sums.reshape(self._shape), dtype=np.float64)


def _common_scale(choices: Choices) -> Floats:
    """(N,) of all raters together."""
    counts = pair_counts(choices, apart_by_scene=False)
    wins, n = counts.wins.sum(axis=0)[None], counts.n.sum(axis=0)[None]
    common: Floats = fit_utilities(
        counts.i, counts.j, wins, n, len(choices.items), model="bradley_terry", prior_sd=COMMON_SD
    )[0]
    return common


def _answered_in_two_ways(pair: Ints, i_won: Floats) -> npt.NDArray[np.bool_]:
    """(n,) whether another answer to the same question is different."""
    n, total, squares = np.bincount(pair), np.bincount(pair, i_won), np.bincount(pair, i_won**2)
    return np.asarray(n * squares - total**2 > 0)[pair]


def _log_likelihood(difference: Floats, i_won: Floats) -> float:
    return float((i_won * log_expit(difference) + (1 - i_won) * log_expit(-difference)).sum())
