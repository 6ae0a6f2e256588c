import dataclasses
import json

import numpy as np
import pytest

from collection.design.protocol import RuleSet
from collection.design.rules import RaterAnswer, judge_rater
from evaluation.simulation.raters import (
    CARELESS,
    CROWDS,
    Crowd,
    Kind,
    SimulatedRater,
    benchmark_recipes,
    chance_of_left,
    choose,
    crowd_looks,
    simulate_rater,
)

CLEAR, RULES = CROWDS["clear"], RuleSet()


def rater_of(kind, seed=0):
    return dataclasses.replace(simulate_rater(0, seed=seed), kind=kind)


def answers(rater, n=80, gap=3.0, seed=0):
    """Choices between an image at the ideal and one `gap` away, the better one on either side by turns."""
    rng = np.random.default_rng(seed)
    sides = [("left", 0.0, gap), ("right", gap, 0.0)] * (n // 2)
    return [
        (side, choose(rater, left, right, rng, progress=k / n)) for k, (side, left, right) in enumerate(sides)
    ]


def agreement(rater, **options):
    return np.mean([side == choice.side for side, choice in answers(rater, **options)])


def test_a_rater_survives_json():
    rater = simulate_rater(5, seed=3, crowd=CROWDS["careless"])
    assert SimulatedRater.from_json(json.loads(json.dumps(rater.to_json()))) == rater


def test_json_of_something_else_is_an_error():
    with pytest.raises(ValueError, match="not a simulated rater's taste"):
        SimulatedRater.from_json({"kind": "attentive"})


def test_a_rater_does_not_hang_on_how_many_there_are():
    assert simulate_rater(7, seed=1) == simulate_rater(7, seed=1)
    assert simulate_rater(7, seed=1) != simulate_rater(7, seed=2)


def test_the_nearer_image_is_chosen_as_often_as_the_logistic_says():
    rater = dataclasses.replace(simulate_rater(0, seed=0), temperature=1.0, lapse=0.0)
    assert agreement(rater, n=4000, gap=1.0) == pytest.approx(1 / (1 + np.exp(-1)), abs=0.02)  # 0.731
    assert agreement(rater, n=1000, gap=8.0) > 0.99


def test_swapping_the_sides_flips_the_choice():
    rater = dataclasses.replace(simulate_rater(0, seed=0), lapse=0.0)
    left = [choose(rater, 1.0, 2.0, np.random.default_rng(k)).side for k in range(400)]
    right = [choose(rater, 2.0, 1.0, np.random.default_rng(k)).side for k in range(400)]
    assert np.mean(np.array(left) == "left") == pytest.approx(np.mean(np.array(right) == "right"), abs=0.08)


@pytest.mark.parametrize("kind", list(Kind))
def test_the_left_side_is_taken_as_often_as_its_chance_says(kind):
    rater = rater_of(kind)
    rng = np.random.default_rng(0)
    sides = [choose(rater, 4.0, 4.6, rng, progress=0.3).side for _ in range(4000)]
    chance = chance_of_left(rater, 4.0, 4.6, progress=0.3)
    assert sides.count("left") / 4000 == pytest.approx(chance, abs=0.03)


def test_a_clicker_and_a_fast_one_choose_by_chance():
    assert agreement(rater_of(Kind.CLICKER), n=2000) == pytest.approx(0.5, abs=0.04)
    assert agreement(rater_of(Kind.TOO_FAST), n=2000) == pytest.approx(0.5, abs=0.04)


def test_a_one_sided_rater_presses_one_side():
    chosen = [choice.side for _, choice in answers(rater_of(Kind.ONE_SIDED), n=1000)]
    assert max(chosen.count("left"), chosen.count("right")) > 940


def test_a_sleepy_rater_begins_well_and_ends_at_random():
    rater = rater_of(Kind.SLEEPY)
    right = [[side == choice.side for side, choice in answers(rater, seed=seed)] for seed in range(20)]
    assert np.mean(right, axis=0)[:20].mean() > 0.85
    assert np.mean(right, axis=0)[-20:].mean() < 0.65


def test_two_images_alike_are_a_tie_where_ties_are_allowed():
    rater, rng = dataclasses.replace(simulate_rater(0, seed=0), lapse=0.0), np.random.default_rng(0)
    gaps = {
        gap: choose(rater, 5.0, 5.0 + gap, rng, allow_tie=True).side for gap in (-1.1, -0.9, 0.0, 0.9, 1.1)
    }
    assert [gap for gap, side in gaps.items() if side == "tie"] == [-0.9, 0.0, 0.9]
    assert choose(rater, 5.0, 5.0, rng).side != "tie"


@pytest.mark.parametrize("kind", [Kind.CLICKER, Kind.ONE_SIDED, Kind.TOO_FAST])
def test_who_does_not_look_says_no_tie_and_does_not_as_practice_asks(kind):
    rater, rng = rater_of(kind), np.random.default_rng(0)
    sides = [choose(rater, 5.0, 5.0, rng, allow_tie=True).side for _ in range(100)]
    assert "tie" not in sides
    other = "right" if rater.favourite_side == "left" else "left"
    followed = [choose(rater, 5.0, 5.0, rng, instructed_side=other).side == other for _ in range(100)]
    assert sum(followed) < 70


def test_who_looks_does_as_practice_asks_and_everything_else_stays():
    rater = dataclasses.replace(simulate_rater(0, seed=0), lapse=0.0)
    for k in range(50):
        plain, told = (
            choose(rater, 0.0, 9.0, np.random.default_rng(k), instructed_side=side) for side in ("", "right")
        )
        assert told == dataclasses.replace(plain, side="right")


def test_hard_pairs_take_longer():
    rater, rng = simulate_rater(0, seed=0), np.random.default_rng(0)
    hard = np.median([choose(rater, 5.0, 5.0, rng).response_ms for _ in range(400)])
    easy = np.median([choose(rater, 0.0, 10.0, rng).response_ms for _ in range(400)])
    assert hard > 1.5 * easy
    assert easy > 500


@pytest.mark.parametrize(
    ("kind", "rule"), [(Kind.ONE_SIDED, "one_sided"), (Kind.TOO_FAST, "too_fast"), (Kind.ATTENTIVE, None)]
)
def test_the_rules_see_what_a_rater_does(kind, rule):
    main = [RaterAnswer(side=c.side, response_ms=c.response_ms) for _, c in answers(rater_of(kind))]
    found = judge_rater(main, RULES).reasons
    assert (rule in found) if rule else not found


def test_careless_raters_stand_evenly_and_come_in_all_kinds():
    kinds = [simulate_rater(i, seed=0, crowd=Crowd(careless=0.1)).kind for i in range(80)]
    careless = [kind for kind in kinds if kind != Kind.ATTENTIVE]
    assert len(careless) == 8
    assert {*careless} == {*CARELESS}
    assert sum(kind != Kind.ATTENTIVE for kind in kinds[:40]) == 4


def test_eyes_and_screens_fail_as_often_as_the_crowd_says():
    crowd = Crowd(color_blind=0.2, dim_screen=0.5)
    raters = [simulate_rater(i, seed=0, crowd=crowd) for i in range(600)]
    assert np.mean([rater.color_blind for rater in raters]) == pytest.approx(0.2, abs=0.05)
    assert np.mean([rater.dim_screen for rater in raters]) == pytest.approx(0.5, abs=0.06)
    assert not any(r.color_blind or r.dim_screen for r in (simulate_rater(i, seed=0) for i in range(50)))


def test_rival_looks_are_far_apart():
    one, two = (np.array([*look.base.values()]) for look in crowd_looks(0))
    assert np.linalg.norm(one) == pytest.approx(np.linalg.norm(two))
    assert np.linalg.norm(one - two) > 1.5 * np.linalg.norm(one)


def test_groups_beyond_the_looks_choose_by_category():
    crowd = Crowd(n_looks=2, n_groups=3)
    chooser = simulate_rater(2, seed=0, crowd=crowd)
    looks = chooser.taste.looks
    wanted = {category: chooser.taste.look(category).strengths(category) for category in "abcdefgh"}
    first = [category for category, strengths in wanted.items() if strengths == looks[0].strengths(category)]
    assert 0 < len(first) < len(wanted)


def test_benchmark_recipes_begin_neutral_and_are_near_the_looks():
    recipes = benchmark_recipes(12, 0, category="people", scene="astronaut")
    assert len(recipes) == 12
    assert recipes[0].is_neutral
    assert not any(recipe.is_neutral for recipe in recipes[1:])
    assert recipes == benchmark_recipes(12, 0, category="people", scene="astronaut")
    assert recipes != benchmark_recipes(12, 0, category="people", scene="chelsea")


@pytest.mark.parametrize(("arguments", "message"), [((1, 0), "n is 1"), ((5, 0), "near is 2")])
def test_impossible_benchmarks_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        benchmark_recipes(*arguments, near=2 if arguments[0] == 5 else 0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_groups", 0),
        ("look_strength", -1),
        ("temperature", 0),
        ("lapse", 2),
        ("careless", -0.1),
        ("dim_screen", 2),
    ],
)
def test_impossible_crowds_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name}"):
        Crowd(**{name: value})
