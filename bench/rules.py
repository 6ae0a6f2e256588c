"""Whom the rules catch: simulated careless raters found, simulated honest ones lost, with 95 % intervals.

Sessions are planned by the site's planner, answered by simulated raters whose tastes are measured on real
renditions, and judged by the site's rules. Beside the consistency rule stands its closed form: the binomial
chance at the raters' mean agreement with themselves, which is known here. Prints the tables of
docs/statistics.md. Simulated raters prove nothing about people.
"""

import argparse
import dataclasses
import itertools
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from collection.design.intervals import proportion_interval
from collection.design.plan import PAIR, plan_session
from collection.design.protocol import Protocol, RuleSet
from collection.design.rules import RaterAnswer, chance_of_passing, judge_rater
from evaluation.simulation.answers import Distances, SceneView, thumbnail
from evaluation.simulation.photos import package_photos
from evaluation.simulation.raters import (
    Crowd,
    Kind,
    benchmark_recipes,
    chance_of_left,
    choose,
    crowd_looks,
    simulate_rater,
)
from variants.tone.recipes import apply_recipe

REALISTIC = Crowd(n_looks=3, n_groups=6, individual=0.0, temperature=2.0, lapse=0.03)
"""Without tastes of their own, raters of a group share what is measured: thousands can answer."""
HONEST = {
    "honest, clear tastes": dataclasses.replace(REALISTIC, temperature=0.5, lapse=0.01),
    "honest, realistic": REALISTIC,
    "honest, unsure": dataclasses.replace(REALISTIC, temperature=4.0, lapse=0.05),
    "honest, hardly a taste": dataclasses.replace(REALISTIC, temperature=8.0, lapse=0.05),
}
CARELESS = {
    "random": Kind.CLICKER,
    "one side": Kind.ONE_SIDED,
    "too fast": Kind.TOO_FAST,
    "asleep half-way": Kind.SLEEPY,
}
N_PLANS = 100
"""Raters take turns with so many planned sessions."""
CONSISTENCY_ONLY = RuleSet(
    version="consistency only", min_response_ms=0, min_median_response_ms=0, max_one_side_share=1.0
)


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--raters", type=int, default=1000, help="simulated raters of each kind")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    renditions = measured_renditions(options.seed)
    by_checks = {
        n_checks: answered(renditions, n_checks, options.raters, options.seed) for n_checks in (10, 20, 30)
    }
    print_default_rules(by_checks[10])
    print_thresholds(by_checks)


def print_default_rules(kinds):
    print(f"\n{len(next(iter(kinds.values())))} simulated raters of each kind, 80 main questions, 10 checks.")
    print("\n| simulated raters | agree with themselves | left out | paid | by which rule |")
    print("| --- | --- | --- | --- | --- |")
    for kind, raters in kinds.items():
        judged = [judge_rater(answers, RuleSet()) for answers, _ in raters]
        left_out, paid = (
            sum(map(test, judged)) for test in (lambda j: not j.may_be_used, lambda j: j.should_be_paid)
        )
        reasons = Counter(reason for judgment in judged for reason in judgment.reasons)
        by = ", ".join(f"{name} {share(n, len(raters))}" for name, n in reasons.most_common()) or "none"
        print(
            f"| {kind} | {agreement(raters):.3f} | {with_interval(left_out, len(raters))} "
            f"| {share(paid, len(raters))} | {by} |"
        )


def print_thresholds(by_checks):
    print("\nThe consistency rule alone: part that fails it, in brackets by the closed form.")
    shown = ["random", "asleep half-way", *HONEST]
    print(f"\n| checks | least agreement | {' | '.join(shown)} |")
    print("| --- | --- |" + " --- |" * len(shown))
    for (n_checks, kinds), least in itertools.product(by_checks.items(), (0.6, 0.7, 0.8, 0.9)):
        rules = dataclasses.replace(CONSISTENCY_ONLY, min_consistency=least)
        cells = []
        for kind in shown:
            failed = sum(not judge_rater(answers, rules).may_be_used for answers, _ in kinds[kind])
            chance = 1 - chance_of_passing(n_checks, agreement(kinds[kind]), rules)
            cells.append(f"{with_interval(failed, len(kinds[kind]))} ({100 * chance:.1f})")
        print(f"| {n_checks} | {least} | {' | '.join(cells)} |")


def agreement(raters):
    """Mean probability that a check is answered as the question it repeats."""
    return float(np.mean([chance for _, chances in raters for chance in chances]))


def with_interval(k, n):
    low, high = proportion_interval(k, n)
    return f"{share(k, n)} [{100 * low:.1f}, {100 * high:.1f}]"


def share(k, n):
    return f"{100 * k / n:.1f} %"


def measured_renditions(seed):
    """Scene → its category and renditions, as raters of any noise level see them."""
    views = {}
    for photo in package_photos(64):
        pixels = thumbnail(photo.pixels)
        recipes = benchmark_recipes(12, seed, category=photo.category, scene=photo.name, crowd=REALISTIC)
        images = {str(k): apply_recipe(pixels, recipe) for k, recipe in enumerate(recipes)}
        views[photo.name] = SceneView(category=photo.category, neutral=pixels, renditions=images)
    return Distances(views), list(views)


def answered(renditions, n_checks, n_raters, seed):
    """Kind → for each rater the answers, and the chance of each check to agree."""
    distances, scenes = renditions
    pairs = all_pairs(len(scenes))
    rng = np.random.default_rng([seed, n_checks])
    protocol = Protocol(phases=("main",), n_checks=n_checks)
    plans = [plan_session(pairs, protocol, rng) for _ in range(N_PLANS)]
    kinds = {kind: (crowd, Kind.ATTENTIVE) for kind, crowd in HONEST.items()}
    kinds |= {name: (REALISTIC, kind) for name, kind in CARELESS.items()}
    found = {}
    for name, (crowd, kind) in kinds.items():
        # The same looks for all crowds: what is measured once serves all of them.
        assert crowd_looks(seed, crowd) == crowd_looks(seed, REALISTIC)
        raters = [
            dataclasses.replace(simulate_rater(index, seed=seed, crowd=crowd), kind=kind)
            for index in range(N_PLANS)
        ]
        seen = [distance_by_image(rater, distances, scenes) for rater in raters]
        found[name] = [
            session(raters[k % N_PLANS], seen[k % N_PLANS], plans[(k + k // N_PLANS) % N_PLANS], rng)
            for k in range(n_raters)
        ]
    return found


def all_pairs(n_scenes):
    """Every two of twelve renditions of each scene; an image's number is 12 times its scene's, and its own."""
    rows = [
        (scene, 12 * scene + a, 12 * scene + b)
        for scene in range(n_scenes)
        for a, b in itertools.combinations(range(12), 2)
    ]
    pairs = np.zeros(len(rows), dtype=PAIR)
    pairs["pair"] = np.arange(len(rows))
    pairs["scene"], pairs["image_a"], pairs["image_b"] = np.array(rows).T
    pairs["source_type"] = "D"
    return pairs


def distance_by_image(rater, distances, scenes):
    return {
        12 * number + int(key): distance
        for number, scene in enumerate(scenes)
        for key, distance in distances.of(rater, scene).items()
    }


def session(rater, distance, plan, rng):
    """One rater's answers to a planned session, and the chance of each check to agree."""
    chosen, chance_of_image, answers, agreements = {}, {}, [], []
    for position, question in enumerate(plan):
        progress = position / len(plan)
        left, right = distance[question.left], distance[question.right]
        choice = choose(rater, left, right, rng, progress=progress)
        image = question.left if choice.side == "left" else question.right
        p_left = chance_of_left(rater, left, right, progress=progress)
        is_check = question.repeats is not None
        if is_check:
            p_first_right = chance_of_image[question.repeats]  # its left is on the right now
            agreements.append(p_left * (1 - p_first_right) + (1 - p_left) * p_first_right)
        chosen[question.index], chance_of_image[question.index] = image, p_left
        answers.append(
            RaterAnswer(
                side=choice.side,
                response_ms=choice.response_ms,
                is_check=is_check,
                agrees=chosen[question.repeats] == image if is_check else None,
            )
        )
    return answers, agreements


if __name__ == "__main__":
    main()
