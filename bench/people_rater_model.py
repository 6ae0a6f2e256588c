"""Real people: is a choice predicted better by the rater's own posterior than by one scale of all?

1,213 choices between tone-mapped videos by 18 observers (Eilertsen et al. 2013, of pwcmp's examples). There are no
pictures, so a video's tone is which of the 7 operators made it: the rater model (`collection/design/ideal_point.py`) on
one-hot tones, with one kind of content, around the Bradley-Terry scale of all; how far observers spread around it is found by
holding out a fifth of what is known. A fifth of each observer's choices is held out of all of this, five times over, the
whole four times. Beside it the scale of all alone, fitted to the same rest. Intervals, 95 %, are of observers drawn again.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import print_rows, row
from collection.design.choices import Choices, pair_counts
from collection.design.heterogeneity import one_taste_test
from collection.design.ideal_point import TasteModel
from collection.design.scales import fit_utilities
from evaluation.simulation.simpps import SHARED_DATA

FILE = SHARED_DATA / "preferences" / "ex3_tmo_cmp_data.csv"
FOLDS, REPEATS, DRAWS = 5, 4, 2000
SPREADS = (0.1, 0.2, 0.35, 0.5, 0.8)
"""Of raters around the scale of all, in log odds; which one holds is found within the choices that are known."""
OUTLIERS = ("bab", "M02")
"""The two observers that the data's authors name as outliers."""


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.people_rater_model", description=__doc__)
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args()
    rater, won, lost, names, items = read(options.file)
    print(f"{len(won)} choices of {len(names)} observers between {len(items)} operators")
    taste = one_taste(rater, won, lost, names, items)
    print(f"one taste for all: p = {taste.p:.3f} over {taste.permutations} permutations\n")
    scores = predicted(rater, won, lost, len(items))
    print("| predicted by | choices right | log likelihood a choice | less the one scale's, 95 % |")
    print("| --- | --- | --- | --- |")
    for name, (right, likelihood) in scores.items():
        gain = by_rater(likelihood - scores["one scale"][1], rater)
        low, high = interval(gain)
        print(
            f"| {name} | {100 * right.mean():.1f} % | {likelihood.mean():.4f} | {low:+.4f} to {high:+.4f} |"
        )
    right = by_rater(scores["own posterior"][0] - scores["one scale"][0], rater)
    low, high = interval(right)
    print(f"\nchoices right, own posterior less one scale: {100 * low:+.1f} to {100 * high:+.1f} points")
    usual = ~np.isin(np.array(names)[rater], OUTLIERS)
    gain = (scores["own posterior"][1] - scores["one scale"][1])[usual]
    low, high = interval(by_rater(gain, rater[usual]))
    print(f"without the two outliers, log likelihood a choice: {low:+.4f} to {high:+.4f}")
    print_rows(
        [
            row(
                "held-out choices predicted, real people",
                ours=float(scores["own posterior"][0].mean()),
                peer=float(scores["one scale"][0].mean()),
                peer_name="one scale",
                goal=1.0,
                better="higher",
                unit="",
            )
        ]
    )


def read(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted({r["observer"] for r in rows})
    items = sorted({r[side] for r in rows for side in ("condition_A", "condition_B")})
    at = {name: k for k, name in enumerate(items)}
    couples = [(at[r["condition_A"]], at[r["condition_B"]]) for r in rows]
    won = np.array([c[r["is_A_selected"] != "1"] for c, r in zip(couples, rows, strict=True)])
    lost = np.array([c[r["is_A_selected"] == "1"] for c, r in zip(couples, rows, strict=True)])
    return np.array([names.index(r["observer"]) for r in rows]), won, lost, names, items


def one_taste(rater, won, lost, names, items):
    return one_taste_test(choices(rater, won, lost, names, items), seed=1, permutations=99)


def choices(rater, won, lost, names, items):
    return Choices(
        rater=rater,
        a=won,
        b=lost,
        a_won=np.ones(len(won)),
        scene=np.zeros_like(rater),
        raters=tuple(names),
        items=tuple(items),
        scenes=("",),
    )


def predicted(rater, won, lost, n_items):
    """Name → (right, log likelihood), each (answers,): means over the repeats of held-out predictions."""
    found = {name: np.zeros((2, len(won))) for name in ("one scale", "own posterior")}
    rng = np.random.default_rng(1)
    for _ in range(REPEATS):
        fold = np.empty(len(won), int)
        for r in np.unique(rater):
            own = np.flatnonzero(rater == r)
            fold[own] = rng.permutation(np.arange(len(own)) % FOLDS)
        for held_out in range(FOLDS):
            chances = _chances(rater, won, lost, fold != held_out, n_items)
            for name, chance in chances.items():
                out = fold == held_out
                found[name][0, out] += ((chance > 0.5) + 0.5 * (chance == 0.5))[out] / REPEATS
                found[name][1, out] += np.log(chance[out]) / REPEATS
    return {name: tuple(values) for name, values in found.items()}


def _chances(rater, won, lost, known, n_items):
    """The chance of every choice by each way, learnt from those that are known."""
    one, _ = _by_one_scale(won, lost, known, n_items)
    inner = known & (np.random.default_rng(2).random(len(won)) < 0.8)
    within = known & ~inner
    gains = [np.log(_own(rater, won, lost, inner, n_items, sd)[within]).mean() for sd in SPREADS]
    best = SPREADS[int(np.argmax(gains))]
    return {"one scale": one, "own posterior": _own(rater, won, lost, known, n_items, best)}


def _own(rater, won, lost, known, n_items, sd):
    """By each rater's posterior: the scale of all, and deviations from it of this size in log odds."""
    _, scale = _by_one_scale(won, lost, known, n_items)
    # Of one-hot tones with a metric of 1 the difference of utilities is twice that of the ideal points.
    model = TasteModel(
        metric=np.ones(n_items), mean=scale / 2, covariance=np.eye(n_items) * sd**2 / 4, lapse=0.0
    )
    tones = np.eye(n_items)
    every = model.answers(tones[won], tones[lost], np.ones((len(won), 1)))
    own = np.empty(len(won))
    for r in np.unique(rater):
        own[rater == r] = model.taste(every[known & (rater == r)]).predict(every[rater == r])
    return own


def _by_one_scale(won, lost, known, n_items):
    names = tuple(f"{k}" for k in range(n_items))
    counts = pair_counts(
        choices(np.zeros(known.sum(), int), won[known], lost[known], ("all",), names), apart_by_scene=False
    )
    utilities = fit_utilities(
        counts.i, counts.j, counts.wins.sum(0)[None], counts.n.sum(0)[None], n_items, model="bradley_terry"
    )[0]
    return 1 / (1 + np.exp(utilities[lost] - utilities[won])), utilities


def by_rater(values, rater):
    """Sums and numbers, so that raters with many choices count as much as they gave."""
    return np.bincount(rater, values), np.bincount(rater)


def interval(sums):
    total, n = (part[sums[1] > 0] for part in sums)
    drawn = np.random.default_rng(0).integers(len(n), size=(DRAWS, len(n)))
    return np.percentile(total[drawn].sum(1) / n[drawn].sum(1), [2.5, 97.5])


if __name__ == "__main__":
    main()
