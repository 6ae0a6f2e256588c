"""Bradley-Terry scales with intervals: seconds beside choix, and how often the intervals hold the truth.

30 items, 160,000 answers of 2,000 simulated raters, raters drawn again 100 times: ours fits all resamples at once,
choix one after the other from the same counts. Then intervals and rank sets over simulated studies of 5 items and
25 answers a rater, where raters have one taste, and where each has deviations of their own from it.
"""

import argparse
import itertools
import sys
from pathlib import Path

import choix
import numpy as np
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from collection.design.choices import Choices, bootstrap_weights, pair_counts
from collection.design.scales import fit_scale, fit_utilities, scale_intervals

RESAMPLES = 100
TRUTH = np.array([-0.6, -0.5, 0.0, 0.3, 0.8])


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.scales", description=__doc__)
    parser.add_argument("--studies", type=int, default=200, help="simulated ones for each line of the table")
    options = parser.parse_args()
    print("| raters | own tastes, SD in log odds | drawn again | intervals that hold | rank sets that hold |")
    print("| --- | --- | --- | --- | --- |")
    for n_raters, own_sd, method in itertools.product((10, 20, 40), (0.0, 1.0), ("raters", "information")):
        held, ranks_held = coverage(n_raters, own_sd, method, options.studies)
        print(
            f"| {n_raters} | {own_sd:g} | {method} | {100 * held:.1f} % | {100 * ranks_held:.1f} % |",
            flush=True,
        )
    print_rows([beside_choix()])


def beside_choix():
    answers = simulated(np.linspace(-1.5, 1.5, 30), 2000, 80, 0.0, seed=0)
    counts = pair_counts(answers, apart_by_scene=False)
    weights = bootstrap_weights(2000, RESAMPLES, 0)
    wins, n = weights @ counts.wins, weights @ counts.n
    dense = np.zeros((RESAMPLES, 30, 30))
    dense[:, counts.i, counts.j], dense[:, counts.j, counts.i] = wins, n - wins

    def ours():
        return fit_utilities(counts.i, counts.j, wins, n, 30, model="bradley_terry")

    def theirs():
        return np.array([choix.ilsr_pairwise_dense(matrix, tol=1e-10, max_iter=1000) for matrix in dense])

    np.testing.assert_allclose(ours(), theirs(), atol=1e-6)
    seconds = interleaved({"ours": ours, "choix": theirs}, rounds=5)
    return row(
        f"Bradley-Terry, 30 items, {RESAMPLES} resamples",
        ours=seconds["ours"],
        peer=seconds["choix"],
        peer_name="choix",
        goal=0.5,
        better="lower",
        unit="s",
    )


def coverage(n_raters, own_sd, method, n_studies):
    """Part of the intervals, and of the rank sets, that hold what endless raters would give."""
    endless = endless_scale(own_sd)
    ranks = np.argsort(np.argsort(-TRUTH)) + 1
    held, ranks_held = [], []
    for seed in range(n_studies):
        answers = simulated(TRUTH, n_raters, 25, own_sd, seed)
        scale = fit_scale(answers, model="bradley_terry")
        found = scale_intervals(answers, scale, seed=seed, method=method, resamples=300)
        held.append((found.low <= endless) & (endless <= found.high))
        ranks_held.append((found.rank_low <= ranks) & (ranks <= found.rank_high))
    return np.mean(held), np.mean(ranks_held)


def endless_scale(own_sd):
    """Each pair's share of answers averaged over raters' own tastes: flatter than the common taste."""
    i, j = np.array(list(itertools.combinations(range(len(TRUTH)), 2))).T
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    difference = (TRUTH[i] - TRUTH[j])[:, None] + np.sqrt(2) * own_sd * nodes
    share = (expit(difference) * weights).sum(axis=1) / weights.sum()
    return fit_utilities(i, j, share[None], np.ones((1, len(i))), len(TRUTH), model="bradley_terry")[0]


def simulated(truth, n_raters, each, own_sd, seed):
    """Raters (simulated) who choose by the truth and deviations of their own; pairs at random."""
    rng = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(len(truth)), 2)))
    rater = np.repeat(np.arange(n_raters), each)
    a, b = pairs[rng.integers(len(pairs), size=n_raters * each)].T
    own = truth + rng.normal(0, own_sd, (n_raters, len(truth)))
    return Choices(
        rater=rater,
        a=a,
        b=b,
        a_won=(rng.random(len(rater)) < expit(own[rater, a] - own[rater, b])).astype(float),
        scene=np.zeros_like(rater),
        raters=tuple(f"{k:04}" for k in range(n_raters)),
        items=tuple(f"{k:02}" for k in range(len(truth))),
        scenes=("",),
    )


if __name__ == "__main__":
    main()
