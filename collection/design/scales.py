"""Scales of items from choices between two: Bradley-Terry in log odds, Thurstone's Case V in JOD.

P(i before j) = F(u_i - u_j). Bradley-Terry takes the logistic function for F; Thurstone's Case V
the normal one, with a unit in which 1 is 75 % of the answers: a just objectionable difference (JOD).
A tie is half a win for either item. Utilities of one scale have mean 0; only differences mean
anything, and only between items that comparisons connect.

Maximum likelihood, nothing added: an item that won every comparison has no finite utility, and two
groups of items without a comparison between them have no common scale. Both are reported
(`comparison_components`), never smoothed over. Whoever wants such items on a scale all the same
says how: `prior_sd` is a normal prior on each utility and stands in the result.

Both models are fitted by Newton's method, many sets of counts at once: intervals take hundreds of
resamples. choix, which fits one set at a time by the logistic model, gives the same numbers.

Sources: R. A. Bradley and M. E. Terry, Biometrika 39 (1952); L. L. Thurstone, Psychological Review
34 (1927); L. R. Ford, American Mathematical Monthly 64 (1957) for when a scale exists;
M. Perez-Ortiz and R. K. Mantiuk, arXiv:1712.03686 (2017) for JOD.
"""

from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.special import chdtrc, expit, log_ndtr, ndtr, ndtri, stdtrit

from collection.design.choices import (
    Choices,
    Floats,
    Ints,
    NotComputable,
    PairCounts,
    bootstrap_weights,
    pair_counts,
)

Model = Literal["bradley_terry", "thurstone"]
Method = Literal["raters", "information"]

JOD = float(1 / ndtri(0.75))
"""Standard deviation of the difference of two utilities, 1.4826: then 1 JOD is Φ(1 / 1.4826) = 75 %."""
MAX_STEPS = 100
CLOSE = 1e-9
"""Newton's method ends when no utility moves by more."""
LONGEST_STEP = 3.0
"""No utility moves by more in one step; a first step from far away could otherwise overshoot."""
MOST_ITEMS = 500
"""Of one scale: time grows with their cube, and 1,000 resamples of 500 items take minutes."""
ROOM = 4_000_000
"""So many numbers are worked on at once at most: 32 MB."""
UNSCALED_SHARE = 0.025
"""Of the resamples may have no scale; with more of them an end of the 95 % interval may lie at infinity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """Items that comparisons connect."""

    items: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    """Parted so that no item of a later group ever won, or tied, against one of an earlier group: in one
    group all have a common scale, between two groups the distance is infinite."""

    def why_no_scale(self, prior_sd: float | None = None) -> str:
        """Empty where the component has a scale, with such a prior or by maximum likelihood."""
        if len(self.items) > MOST_ITEMS:
            return f"{len(self.items)} items are more than one scale takes ({MOST_ITEMS}); name items by kind"
        if len(self.groups) == 1 or prior_sd is not None:
            return ""
        ahead, behind = self.groups[0], [item for group in self.groups[1:] for item in group]
        return (
            f"{_names(ahead)} never lost against {_names(behind)}, so the distance between them is infinite. "
            "Collect more answers, or set a prior (prior_sd)"
        )


class NoScale(NotComputable):
    """The answers have no common finite scale; the message says why and what mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoodnessOfFit:
    """Pearson's chi-squared of the shares that each pair's answers and the scale give it."""

    chi2: float
    df: int
    """Pairs compared, less items, plus 1. 0 where the scale fits any answers."""
    p: float | None
    """None without degrees of freedom. It takes answers as independent, and wants expected counts of 5 or more."""
    smallest_expected: float
    """The smallest count that the scale expects for either item of a pair."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    model: Model
    prior_sd: float | None
    """Standard deviation of the prior on each utility; None for maximum likelihood."""
    items: tuple[str, ...]
    utility: Floats
    """(N,) with mean 0: log odds for bradley_terry, JOD for thurstone."""
    covariance: Floats
    """(N, N), the inverse of the expected information: as if all answers were independent."""
    n_answers: int
    n_ties: int
    n_raters: int
    fit: GoodnessOfFit


@dataclass(frozen=True, kw_only=True, slots=True)
class Scales:
    """Every component of a comparison graph: those on a scale, and those that have none."""

    scales: tuple[Scale, ...]
    """The one with the most items first."""
    unscaled: tuple[Component, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleIntervals:
    """95 % intervals of a scale's utilities, and the ranks that each item may have."""

    method: Method
    low: Floats
    high: Floats
    """(N,) of each utility by itself."""
    rank_low: Ints
    rank_high: Ints
    """(N,) best and worst rank, from 1. The set of one item holds its true rank in at least 95 % of the studies."""
    resamples: int
    unscaled: int
    """Resamples that had no scale and are left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Link:
    probability: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    """Derivative of the log odds by the difference of utilities, dp / (p (1 - p))."""
    bend: Callable[[Floats], Floats]
    """Derivative of the slope."""


def _normal_slope(difference: Floats) -> Floats:
    z = difference / JOD
    log_density = -(z**2 + np.log(2 * np.pi)) / 2
    # In logarithms: far out, where p or 1 - p is 0 in floating point, the quotient is still right.
    return np.asarray(np.exp(log_density - log_ndtr(z) - log_ndtr(-z)) / JOD)


def _normal_bend(difference: Floats) -> Floats:
    """From ln slope = ln φ - ln p - ln (1 - p)."""
    z, slope = difference / JOD, _normal_slope(difference)
    return np.asarray(slope * (slope * (ndtr(z) - ndtr(-z)) - z / JOD))


LINKS: dict[Model, _Link] = {
    "bradley_terry": _Link(probability=expit, slope=np.ones_like, bend=np.zeros_like),
    "thurstone": _Link(
        probability=lambda difference: np.asarray(ndtr(difference / JOD)),
        slope=_normal_slope,
        bend=_normal_bend,
    ),
}


def comparison_components(choices: Choices) -> tuple[Component, ...]:
    """The parts into which comparisons connect the items, largest first, and whether each has a scale."""
    wins = _wins(pair_counts(choices, apart_by_scene=False), len(choices.items))
    _, part = connected_components(wins, directed=False)
    _, group = connected_components(wins, directed=True, connection="strong")
    better = TopologicalSorter({int(g): set[int]() for g in np.unique(group)})
    for winner, loser in zip(*wins.nonzero(), strict=True):
        if group[winner] != group[loser]:
            better.add(int(group[loser]), int(group[winner]))
    ordered = [np.flatnonzero(group == g) for g in better.static_order()]
    components = [
        Component(
            items=_labels(choices, np.flatnonzero(part == p)),
            groups=tuple(_labels(choices, members) for members in ordered if part[members[0]] == p),
        )
        for p in np.unique(part)
    ]
    return tuple(sorted(components, key=lambda component: -len(component.items)))


def fit_scale(choices: Choices, *, model: Model, prior_sd: float | None = None) -> Scale:
    """The one scale of all items.

    Args:
        choices: of at least one pair.
        model: bradley_terry or thurstone.
        prior_sd: of a normal prior with mean 0 on each utility, in the scale's unit; None for none.

    Raises:
        NoScale: the items fall apart, or, without a prior, some never lost against others.
    """
    if prior_sd is not None and not prior_sd > 0:
        raise ValueError(f"prior_sd is {prior_sd}; it must be above 0, or None for maximum likelihood")
    if not len(choices):
        raise NoScale("there are no answers to make a scale of")
    components = comparison_components(choices)
    if len(components) > 1:
        parts = "; ".join(_names(component.items) for component in components)
        raise NoScale(
            f"the items fall apart into {len(components)} groups without a comparison between them: {parts}. "
            "Compare items of different groups, or scale each group by itself"
        )
    if why := components[0].why_no_scale(prior_sd):
        raise NoScale(why)
    return _fit(choices, model, prior_sd)


def fit_scales(choices: Choices, *, model: Model, prior_sd: float | None = None) -> Scales:
    """A scale of each component that has one, by `fit_scale`; the other components beside them."""
    scales, unscaled = [], []
    for component in comparison_components(choices) if len(choices) else ():
        if component.why_no_scale(prior_sd):
            unscaled.append(component)
        else:
            scales.append(fit_scale(choices.among(component.items), model=model, prior_sd=prior_sd))
    return Scales(scales=tuple(scales), unscaled=tuple(unscaled))


def scale_intervals(
    choices: Choices, scale: Scale, *, seed: int, method: Method = "raters", resamples: int = 1000
) -> ScaleIntervals | None:
    """Intervals of a scale's utilities and ranks.

    `raters` draws raters again with all their answers: answers of one rater are not independent where
    tastes differ, so this is the one for a claim about people. `information` draws from the normal
    distribution with the scale's covariance: right where every answer is independent, too narrow where
    few raters gave many. An interval is the utility plus and minus so many standard deviations of the
    draws as Student's t with R - 1 degrees of freedom says for R raters (A. C. Cameron, J. B. Gelbach and
    D. L. Miller, Review of Economics and Statistics 2008), the normal distribution for `information`.

    Ranks: one item is surely behind another where the difference lies beyond the 95 % quantile of the
    largest standardised deviation over all its differences, so the set of one item holds at once for
    all comparisons with the others (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 2024).

    Args:
        choices: those that `scale` was fitted to.
        scale: from `fit_scale` or `fit_scales`, of all items in `choices`.
        seed: of the resamples.
        method: what is drawn again.
        resamples: how many.

    Returns:
        None where there are fewer than 2 raters to draw from, or too many resamples (2.5 %) without a scale.
    """
    if choices.items != scale.items:
        raise ValueError("the scale is of other items than the answers")
    if method == "information":
        rng = np.random.default_rng(seed)
        draws = rng.multivariate_normal(scale.utility, scale.covariance, size=resamples, method="eigh")
    elif len(choices.raters) < 2:
        return None
    else:
        draws = _rater_draws(choices, scale, resamples, seed)
    unscaled = resamples - len(draws)
    if unscaled > UNSCALED_SHARE * resamples:
        return None
    reach = _reach(method, len(choices.raters)) * draws.std(axis=0)
    rank_low, rank_high = _rank_sets(scale.utility, draws)
    return ScaleIntervals(
        method=method,
        low=scale.utility - reach,
        high=scale.utility + reach,
        rank_low=rank_low,
        rank_high=rank_high,
        resamples=resamples,
        unscaled=unscaled,
    )


def fit_utilities(
    i: Ints,
    j: Ints,
    wins: Floats,
    n: Floats,
    n_items: int,
    *,
    model: Model,
    prior_sd: float | None = None,
    offset: Floats | float = 0.0,
) -> Floats:
    """Utilities of many sets of counts over the same pairs, by Newton's method.

    Args:
        i: (P,) first item of each pair; no two pairs are the same.
        j: (P,) the other one.
        wins: (B, P) answers for i, a tie being half of one.
        n: (B, P) answers.
        n_items: N.
        model: bradley_terry or thurstone.
        prior_sd: of a normal prior on each utility. Without one every set must have a scale.
        offset: (P,) added to u_i - u_j; utilities are then deviations from those that it stands for.

    Returns:
        (B, N), each row with mean 0.

    Raises:
        NoScale: the utilities of a set grow without end.
    """
    at_once = max(1, ROOM // max(n_items**2, len(i)))
    parts = [
        _newton(i, j, wins[k : k + at_once], n[k : k + at_once], n_items, LINKS[model], prior_sd, offset)
        for k in range(0, len(wins), at_once)
    ]
    return np.concatenate(parts) if parts else np.zeros((0, n_items))


def _fit(choices: Choices, model: Model, prior_sd: float | None) -> Scale:
    counts, n_items = pair_counts(choices, apart_by_scene=False), len(choices.items)
    wins, n = _total(counts.wins), _total(counts.n)
    utility = fit_utilities(counts.i, counts.j, wins[None], n[None], n_items, model=model, prior_sd=prior_sd)[
        0
    ]
    difference = utility[counts.i] - utility[counts.j]
    weight = _expected_information(difference, n, LINKS[model])
    information = _information(counts.i, counts.j, weight[None], n_items, prior_sd)
    centre = np.eye(n_items) - 1 / n_items
    return Scale(
        model=model,
        prior_sd=prior_sd,
        items=choices.items,
        utility=utility,
        covariance=centre @ np.linalg.inv(information[0]) @ centre,
        n_answers=len(choices),
        n_ties=choices.n_ties,
        n_raters=len(choices.raters),
        fit=_goodness_of_fit(
            LINKS[model].probability(difference), LINKS[model].probability(-difference), wins, n, n_items
        ),
    )


def _goodness_of_fit(
    expected: Floats, unexpected: Floats, wins: Floats, n: Floats, n_items: int
) -> GoodnessOfFit:
    """`unexpected` is 1 - expected, but exact where expected is near 1."""
    chi2 = float(((wins - n * expected) ** 2 / (n * expected * unexpected)).sum())
    df = len(n) - (n_items - 1)
    return GoodnessOfFit(
        chi2=chi2,
        df=df,
        p=float(chdtrc(df, chi2)) if df else None,
        smallest_expected=float((n * np.minimum(expected, unexpected)).min()),
    )


def _newton(
    i: Ints,
    j: Ints,
    wins: Floats,
    n: Floats,
    n_items: int,
    link: _Link,
    prior_sd: float | None,
    offset: Floats | float,
) -> Floats:
    u = np.zeros((len(wins), n_items))
    pairs = np.arange(len(i))
    signs = sparse.csr_array((np.ones(len(i)), (pairs, i)), shape=(len(i), n_items)) - sparse.csr_array(
        (np.ones(len(i)), (pairs, j)), shape=(len(i), n_items)
    )  # (P, N): 1 for i, -1 for j
    precision = 0.0 if prior_sd is None else prior_sd**-2
    for _ in range(MAX_STEPS):
        difference = u[:, i] - u[:, j] + offset  # (B, P)
        # wins - n p, but exact where p is near 0 or 1: utilities that grow without end never look settled.
        residual = wins * link.probability(-difference) - (n - wins) * link.probability(difference)
        score = (residual * link.slope(difference)) @ signs - precision * u  # (B, N)
        # What was seen, not what is expected: with the latter the normal model can go to and fro for ever.
        weight = _expected_information(difference, n, link) - residual * link.bend(difference)
        information = _information(i, j, weight, n_items, prior_sd)
        try:
            step = np.linalg.solve(information, score[..., None])[..., 0]
        except np.linalg.LinAlgError:
            break  # far out there is no information left
        longest = np.abs(step).max(axis=1, initial=0.0)
        u = u + step * np.minimum(1, LONGEST_STEP / np.maximum(longest, LONGEST_STEP))[:, None]
        if longest.max(initial=0.0) < CLOSE:
            return np.asarray(u - u.mean(axis=1, keepdims=True))
    raise NoScale(
        "the utilities grow without end: some items never lost against others. "
        "Collect more answers, or set a prior (prior_sd)"
    )


def _expected_information(difference: Floats, n: Floats, link: _Link) -> Floats:
    """Of each pair, on the difference of its utilities."""
    p, q = link.probability(difference), link.probability(-difference)
    return np.asarray(n * p * q * link.slope(difference) ** 2)


def _information(i: Ints, j: Ints, weight: Floats, n_items: int, prior_sd: float | None) -> Floats:
    """(B, N, N) from (B, P), made invertible along the direction in which all utilities move alike."""
    laplacian = np.zeros((len(weight), n_items, n_items))
    laplacian[:, i, j] = laplacian[:, j, i] = -weight
    each = np.arange(n_items)
    laplacian[:, each, each] = -laplacian.sum(axis=2) + (0.0 if prior_sd is None else prior_sd**-2)
    return laplacian + 1 / n_items


def _rater_draws(choices: Choices, scale: Scale, resamples: int, seed: int) -> Floats:
    """(B', N) utilities of the resamples that have a scale."""
    counts, n_items = pair_counts(choices, apart_by_scene=False), len(choices.items)
    weights = bootstrap_weights(len(choices.raters), resamples, seed)
    wins, n = weights @ counts.wins, weights @ counts.n
    if scale.prior_sd is None:
        at_once = max(1, ROOM // n_items**2)
        scaled = np.concatenate(
            [
                _have_scale(counts.i, counts.j, wins[k : k + at_once], n[k : k + at_once], n_items)
                for k in range(0, resamples, at_once)
            ]
        )
        wins, n = wins[scaled], n[scaled]
    return fit_utilities(counts.i, counts.j, wins, n, n_items, model=scale.model, prior_sd=scale.prior_sd)


def _reach(method: Method, n_raters: int) -> float:
    """Standard deviations of the draws to either end of a 95 % interval."""
    if method == "information":
        return float(ndtri(0.975))
    # Draws of R raters scatter as if divided by R, and not by R - 1.
    return float(stdtrit(n_raters - 1, 0.975) * (n_raters / (n_raters - 1)) ** 0.5)


def _have_scale(i: Ints, j: Ints, wins: Floats, n: Floats, n_items: int) -> npt.NDArray[np.bool_]:
    """(B,) whether wins or ties lead from the first item to all others, and from all others to the first."""
    ahead = np.zeros((len(wins), n_items, n_items), dtype=np.float32)
    ahead[:, i, j], ahead[:, j, i] = wins > 0, wins < n
    return _reach_all(ahead) & _reach_all(ahead.transpose(0, 2, 1))


def _reach_all(edges: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(B,) whether item 0 reaches all others along the edges (B, N, N)."""
    reached = np.zeros(edges.shape[:2], dtype=bool)
    reached[:, 0] = True
    while True:
        further = reached | ((reached[:, None].astype(np.float32) @ edges)[:, 0] > 0)
        if (further == reached).all():
            return np.asarray(reached.all(axis=1))
        reached = further


def _rank_sets(utility: Floats, draws: Floats) -> tuple[Ints, Ints]:
    n_items = len(utility)
    best, worst = np.ones(n_items, dtype=np.intp), np.full(n_items, n_items, dtype=np.intp)
    for item in range(n_items):
        others = np.arange(n_items) != item
        ahead = utility[others] - utility[item]
        deviation = draws[:, others] - draws[:, [item]] - ahead  # (B, N - 1)
        spread = deviation.std(axis=0)
        # Without spread there is nothing to draw again, and nothing is sure.
        known = spread > 0
        if known.any():
            largest = (np.abs(deviation[:, known]) / spread[known]).max(axis=1)
            sure = np.abs(ahead[known]) > np.quantile(largest, 0.95) * spread[known]
            best[item] += np.count_nonzero(sure & (ahead[known] > 0))
            worst[item] -= np.count_nonzero(sure & (ahead[known] < 0))
    return best, worst


def _wins(counts: PairCounts, n_items: int) -> sparse.csr_array:
    return _win_graph(counts.i, counts.j, _total(counts.wins), _total(counts.n), n_items)


def _win_graph(i: Ints, j: Ints, wins: Floats, n: Floats, n_items: int) -> sparse.csr_array:
    """(N, N): an edge from each item to those that it won or tied against."""
    won, lost = wins > 0, wins < n
    edges = (np.concatenate([i[won], j[lost]]), np.concatenate([j[won], i[lost]]))
    return sparse.csr_array((np.ones(len(edges[0])), edges), shape=(n_items, n_items))


def _total(counts: sparse.csr_array) -> Floats:
    return np.asarray(counts.sum(axis=0), dtype=np.float64)


def _labels(choices: Choices, positions: npt.NDArray[np.intp]) -> tuple[str, ...]:
    return tuple(choices.items[k] for k in positions.tolist())


def _names(items: tuple[str, ...] | list[str]) -> str:
    shown = ", ".join(items[:5])
    return shown + (f" and {len(items) - 5} more" if len(items) > 5 else "")
