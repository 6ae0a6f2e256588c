"""Choices for tests: real ones from the shared data, counted ones, and simulated ones whose truth is known."""

import csv
import itertools

import numpy as np
from scipy.special import expit

from collection.design.choices import Choices

OPERATORS = ("ferwerda96", "hateren06", "irawan05", "mantiuk08", "pattanaik00", "ronan12", "tmo_camera")


def tone_mapping(shared_data):
    """1,213 choices between tone-mapped videos by 18 observers (Eilertsen et al. 2013)."""
    rows = table(shared_data / "preferences" / "ex3_tmo_cmp_data.csv")
    return Choices.from_labels(
        [row["observer"] for row in rows],
        [row["condition_A"] for row in rows],
        [row["condition_B"] for row in rows],
        ["a" if row["is_A_selected"] == "1" else "b" for row in rows],
        [row["scene"] for row in rows],
    )


def light_fields(shared_data):
    """26,580 choices between light fields by 29 observers (Adhikarla et al. 2017), with other names of columns."""
    rows = table(shared_data / "preferences" / "lf_quality_pwcmps.csv")
    return Choices.from_labels(
        [row["observer"] for row in rows],
        [f"{row['dist_type1']}_{row['dist_level1']}" for row in rows],
        [f"{row['dist_type2']}_{row['dist_level2']}" for row in rows],
        [{"1": "a", "2": "b"}[row["selected"]] for row in rows],
        [row["scene"] for row in rows],
    )


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def of_matrix(wins):
    """`wins[i][j]` answers that prefer item i to j; each answer is a rater of its own."""
    rows = [
        (f"item {i}", f"item {j}") for i, row in enumerate(wins) for j, n in enumerate(row) for _ in range(n)
    ]
    winners, losers = zip(*rows, strict=True)
    return Choices.from_labels([f"{k:05}" for k in range(len(rows))], winners, losers, ["a"] * len(rows))


def simulated(utility, *, n_raters, each, seed, own_sd=0.0, n_scenes=1, link=expit):
    """Raters (simulated) who choose by a scale, each with deviations of their own; pairs at random.

    `utility` (N,) is common; `own_sd` is the standard deviation of a rater's own part.
    """
    rng = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(len(utility)), 2)))
    rater = np.repeat(np.arange(n_raters), each)
    a, b = pairs[rng.integers(len(pairs), size=n_raters * each)].T
    own = np.asarray(utility) + rng.normal(0, own_sd, (n_raters, len(utility)))
    chose_a = rng.random(len(rater)) < link(own[rater, a] - own[rater, b])
    return Choices(
        rater=rater,
        a=a,
        b=b,
        a_won=chose_a.astype(float),
        scene=rng.integers(n_scenes, size=len(rater)),
        raters=tuple(f"{k:04}" for k in range(n_raters)),
        items=tuple(f"{k:02}" for k in range(len(utility))),
        scenes=tuple(f"{k:03}" for k in range(n_scenes)),
    )
