import dataclasses
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from collection.design.intervals import proportion_interval
from collection.design.planner import (
    StudyPlan,
    answers_for_half_width,
    answers_for_power,
    contest_half_width,
    contest_power,
    design_effect,
    half_width,
    pair_half_width,
    pair_power,
    power,
    raters_for_contest_half_width,
    raters_for_contest_power,
    raters_for_pair_half_width,
    raters_for_pair_power,
    simulate_plan,
)

PUBLISHED = StudyPlan(raters=858, questions=80, pairs=7972)


def test_the_published_study_has_seven_judgments_a_pair():
    """858 raters, of whom 767 valid, 80 questions, 7,972 pairs: about 60,000 valid judgments, 7.5 a pair."""
    assert PUBLISHED.judgments == pytest.approx(61_090, rel=1e-3)
    assert PUBLISHED.judgments_per_pair == pytest.approx(7.66, abs=0.01)
    assert 0.33 < pair_half_width(PUBLISHED) < 0.36  # 4 of 8 is 0.16 to 0.84, 4 of 7 is 0.18 to 0.90


def test_cost_is_pay_and_fee_for_all_who_finish():
    plan = StudyPlan(
        raters=100, pay_per_hour=12, session_minutes=15, panel_fee=0.25, fixed_cost=50, valid_share=0.5
    )
    assert plan.cost_of_rater == pytest.approx(3.75)
    assert plan.cost == pytest.approx(425)


def test_three_recipes_share_the_questions_between_three_contests():
    plan = StudyPlan(raters=10, questions=30, recipes=3, valid_share=1, rater_correlation=0.5)
    assert (plan.contests, plan.answers_per_contest) == (3, 10)
    # Ten answers with ρ = 0.5 weigh as much as 10 / 5.5.
    assert plan.independent_per_contest == pytest.approx(10 * 10 / 5.5)


def test_with_correlation_one_a_rater_is_one_answer():
    assert design_effect(80, 1) == 80
    assert design_effect(0.4, 1) == 1  # fewer than one answer each: nothing to be alike


@pytest.mark.parametrize(("n", "preference"), [(10, 0.9), (50, 0.6), (194, 0.6), (5, 0.99), (0, 0.7)])
def test_power_is_the_chance_that_the_exact_test_rejects(n, preference):
    """Summed over all outcomes by scipy's own test."""
    k = np.arange(n + 1)
    chance = np.array([math.comb(n, x) * preference**x * (1 - preference) ** (n - x) for x in k])
    rejects = [n > 0 and binomtest(int(x), n, 0.5).pvalue <= 0.05 for x in k]
    assert power(n, preference) == pytest.approx(chance[rejects].sum(), abs=1e-9)


def test_six_answers_are_the_fewest_that_can_show_anything():
    """2 / 2**6 is 0.031, 2 / 2**5 is 0.063."""
    assert power(5, 1.0) == 0
    assert power(6, 1.0) == 1
    assert answers_for_power(0.8, 1.0) == 6


@settings(max_examples=40)
@given(st.floats(0.05, 0.95), st.floats(0.55, 1))
def test_from_the_answers_wanted_on_the_power_stays(wanted, preference):
    n = answers_for_power(wanted, preference)
    assert power(n - 1, preference) < wanted
    assert all(power(n + more, preference) >= wanted for more in range(0, 60, 7))


@settings(max_examples=40)
@given(st.floats(0.01, 0.45), st.floats(0.5, 0.95))
def test_the_answers_for_a_width_are_the_fewest(wanted, share):
    n = answers_for_half_width(wanted, share)
    assert half_width(n, share) <= wanted
    assert n == 1 or half_width(n - 1, share) > wanted


def test_the_width_at_a_whole_count_is_that_of_the_interval_that_pages_show():
    low, high = proportion_interval(8, 10)
    assert half_width(10, 0.8) == pytest.approx((high - low) / 2)


plans = st.builds(
    StudyPlan,
    raters=st.just(1),
    questions=st.integers(1, 200),
    pairs=st.integers(1, 20),
    recipes=st.integers(2, 6),
    valid_share=st.floats(0.3, 1),
    preference=st.floats(0.55, 0.95),
    rater_correlation=st.floats(0, 1),
)


@settings(max_examples=60)
@given(plans, st.floats(0.05, 0.4))
def test_the_raters_for_a_width_are_the_fewest(plan, wanted):
    for needed, reached, answers in (
        (raters_for_pair_half_width, pair_half_width, lambda plan: plan.judgments_per_pair),
        (raters_for_contest_half_width, contest_half_width, lambda plan: plan.independent_per_contest),
    ):
        n = needed(plan, wanted)
        assert reached(dataclasses.replace(plan, raters=n)) <= wanted + 1e-9
        fewer = n - 1 - math.ceil(1 / answers(plan))  # one answer less, or more than one
        assert fewer < 1 or reached(dataclasses.replace(plan, raters=fewer)) > wanted


@settings(max_examples=60)
@given(plans, st.floats(0.2, 0.95))
@example(StudyPlan(raters=1, questions=1, valid_share=1 - 2**-53, preference=0.75, rater_correlation=0), 0.5)
def test_the_raters_for_a_power_reach_it(plan, wanted):
    for needed, reached in ((raters_for_pair_power, pair_power), (raters_for_contest_power, contest_power)):
        n = needed(plan, wanted)
        assert reached(dataclasses.replace(plan, raters=n)) >= wanted
        assert reached(dataclasses.replace(plan, raters=n + 3)) >= wanted


@pytest.mark.parametrize(
    ("raters", "questions", "correlation", "preference"),
    [(30, 20, 0.1, 0.6), (20, 40, 0.05, 0.6), (60, 10, 0.2, 0.65)],
)
def test_the_power_of_a_contest_is_what_simulation_gives(raters, questions, correlation, preference):
    """A study sees the preference if its share is two standard errors over 50 %, raters being drawn; 4,000 simulated."""
    plan = StudyPlan(
        raters=raters,
        questions=questions,
        valid_share=1,
        preference=preference,
        rater_correlation=correlation,
    )
    seen = simulate_plan(plan, studies=4000, seed=0).contest_seen / 4000
    # The exact test is a little more careful than the normal one.
    assert contest_power(plan) == pytest.approx(seen, abs=0.05)


def test_the_width_of_a_contest_holds_what_simulated_studies_give():
    """Of 4,000 shares 95 % lie within the half width of the truth; the width without the design effect holds 62 %."""
    plan = StudyPlan(raters=40, questions=40, valid_share=1, preference=0.6, rater_correlation=0.1)
    found = simulate_plan(plan, studies=4000, seed=1)
    assert 0.94 < found.contest_within / 4000 < 0.985
    assert half_width(1600, 0.6) < 0.5 * contest_half_width(plan)


@pytest.mark.parametrize(("raters", "pairs"), [(40, 1), (858, 79)])
def test_the_power_of_a_pair_is_what_simulation_gives(raters, pairs):
    """Within four standard errors of 4,000 simulated studies."""
    plan = StudyPlan(raters=raters, questions=20, pairs=pairs, preference=0.57, rater_correlation=0)
    seen = simulate_plan(plan, studies=4000, seed=2).pair_seen / 4000
    assert pair_power(plan) == pytest.approx(seen, abs=4 * math.sqrt(0.25 / 4000))


def test_raters_who_are_all_of_one_mind_count_once():
    """With ρ = 1 a contest has as many independent answers as raters: 30 of them see 60 % one time in six or so."""
    plan = StudyPlan(raters=30, questions=80, valid_share=1, rater_correlation=1)
    found = simulate_plan(plan, studies=4000, seed=3)
    assert plan.independent_per_contest == pytest.approx(30)
    assert 0.1 < found.contest_seen / 4000 < 0.3


@pytest.mark.parametrize(("n", "share"), [(20, 0.5), (100, 0.6), (400, 0.9)])
def test_the_width_at_the_expected_count_is_the_mean_width(n, share):
    counts = np.random.default_rng(2).binomial(n, share, 2000)
    ends = np.array([proportion_interval(int(k), n) for k in counts])
    assert half_width(n, share) == pytest.approx((ends[:, 1] - ends[:, 0]).mean() / 2, rel=0.03)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("raters", 0),
        ("questions", 1.5),
        ("recipes", 1),
        ("valid_share", 0),
        ("preference", 0.5),
        ("rater_correlation", 2),
        ("pay_per_hour", -1),
        ("panel_fee", float("inf")),
        ("session_minutes", float("nan")),
    ],
)
def test_an_impossible_setting_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        StudyPlan(**{"raters": 10, name: value})


@pytest.mark.parametrize("wanted", [0, 0.5, -1])
def test_a_width_that_nothing_or_anything_has_is_refused(wanted):
    with pytest.raises(ValueError, match="half width is"):
        answers_for_half_width(wanted, 0.5)


@pytest.mark.parametrize("raters", [100_001, 10**9, 10**20])
def test_more_raters_than_the_exact_test_can_count_are_refused(raters):
    with pytest.raises(ValueError, match=f"raters is {raters}; it must be a whole number from 1 to 100,000"):
        StudyPlan(raters=raters)
    assert pair_power(StudyPlan(raters=100_000, questions=1000)) == pytest.approx(1)


def test_what_ten_million_answers_cannot_show_is_refused():
    with pytest.raises(ValueError, match="10,000,000 answers"):
        answers_for_power(0.8, 0.5001)
    with pytest.raises(ValueError, match="10,000,000 answers"):
        answers_for_half_width(1e-5, 0.5)
