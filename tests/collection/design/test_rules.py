import dataclasses
import json
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collection.design.protocol import SCREENINGS, RuleSet
from collection.design.rules import CLOCKS_APART_MS, RaterAnswer, chance_of_passing, judge_rater, side_chance

RULES = RuleSet()


def main_answers(n=80, *, left=None, response_ms=1500, fast=0):
    """`n` main answers, half of them on the left unless told; `fast` of them take 100 ms."""
    left = n // 2 if left is None else left
    return [
        RaterAnswer(side="left" if i < left else "right", response_ms=100 if i < fast else response_ms)
        for i in range(n)
    ]


def checks(agreed, n=10):
    return [RaterAnswer(side="left", response_ms=1500, is_check=True, agrees=i < agreed) for i in range(n)]


def test_an_honest_rater_is_used_and_paid():
    found = judge_rater(main_answers() + checks(9), RULES)
    assert found.may_be_used
    assert found.should_be_paid
    assert found.reasons == ()
    assert found.n_answers == 90
    assert (found.checks_agreed, found.checks_answered, found.consistency) == (9, 10, 0.9)
    assert found.median_response_ms == 1500


@pytest.mark.parametrize(
    ("least", "chance"), [(0.7, 0.171875), (0.8, 0.0546875), (0.9, 0.0107421875), (1.0, 1 / 1024)]
)
def test_a_random_clicker_passes_ten_checks_as_often_as_the_binomial_says(least, chance):
    """176, 56, 11 and 1 of the 1024 ways in which ten coins fall."""
    assert chance_of_passing(10, 0.5, RuleSet(min_consistency=least)) == pytest.approx(chance)


@pytest.mark.parametrize(("least", "chance"), [(0.7, 0.879), (0.8, 0.678), (0.9, 0.376)])
def test_a_rater_who_agrees_with_himself_at_80_percent(least, chance):
    assert chance_of_passing(10, 0.8, RuleSet(min_consistency=least)) == pytest.approx(chance, abs=5e-4)


def test_without_checks_or_threshold_everybody_passes():
    assert chance_of_passing(0, 0.5, RULES) == 1
    assert chance_of_passing(10, 0.5, RuleSet(min_consistency=0)) == 1


@pytest.mark.parametrize(("agreed", "used"), [(6, False), (7, True)])
def test_seven_of_ten_is_enough_and_six_is_not(agreed, used):
    found = judge_rater(main_answers() + checks(agreed), RULES)
    assert found.may_be_used is used
    assert found.reasons == (() if used else ("inconsistent",))


def test_a_failed_consistency_never_costs_the_pay():
    found = judge_rater(main_answers() + checks(0), RULES)
    assert not found.may_be_used
    assert found.should_be_paid


def test_consistency_comes_with_its_interval():
    """8 of 10 means anything from 0.44 to 0.98."""
    evidence = judge_rater(main_answers() + checks(8), RULES).evidence["inconsistent"]
    assert (evidence["agreed"], evidence["answered"]) == (8, 10)
    assert evidence["interval"] == pytest.approx([0.4439, 0.9748], abs=1e-4)


def test_no_check_answered_is_unknown_and_not_failed():
    found = judge_rater(main_answers(), RULES)
    assert found.evidence["inconsistent"]["outcome"] == "unknown"
    assert found.consistency is None
    assert found.may_be_used


def test_a_check_without_its_first_answer_does_not_count():
    lost = [RaterAnswer(side="left", response_ms=900, is_check=True, agrees=None)] * 4
    found = judge_rater(main_answers() + checks(6, 6) + lost, RULES)
    assert (found.checks_agreed, found.checks_answered) == (6, 6)


@pytest.mark.parametrize(("fast", "used"), [(8, True), (9, False)])
def test_a_tenth_of_the_answers_may_be_fast(fast, used):
    """8 of 80 is 0.1, the limit itself; 9 is above it."""
    found = judge_rater(main_answers(fast=fast) + checks(10), RULES)
    assert found.may_be_used is used
    assert found.reasons == (() if used else ("too_fast",))
    assert found.evidence["too_fast"]["fast"] == fast


@pytest.mark.parametrize(("ms", "reasons"), [(500, ()), (499, ("median_too_fast",))])
def test_the_median_may_be_the_limit_itself(ms, reasons):
    assert judge_rater(main_answers(response_ms=ms) + checks(10), RULES).reasons == reasons


def test_an_answer_at_the_floor_is_not_fast():
    rules = RuleSet(min_median_response_ms=0)
    assert judge_rater(main_answers(response_ms=300), rules).reasons == ()
    assert judge_rater(main_answers(response_ms=299), rules).reasons == ("too_fast",)


def test_unknown_times_are_not_fast():
    found = judge_rater(main_answers(response_ms=None) + checks(10), RULES)
    assert found.may_be_used
    assert found.should_be_paid
    assert found.median_response_ms is None
    assert found.evidence["too_fast"]["outcome"] == found.evidence["median_too_fast"]["outcome"] == "unknown"


def test_shares_are_of_the_known_times():
    """Two fast ones of ten known are a fifth, whatever the 70 unknown ones were."""
    found = judge_rater(main_answers(10, fast=2) + main_answers(70, response_ms=None), RULES)
    assert found.evidence["too_fast"] == {
        "outcome": "failed",
        "fast": 2,
        "known_times": 10,
        "limit_ms": 300,
        "limit_share": 0.1,
    }


def test_fast_checks_say_nothing_of_the_main_answers():
    quick = [dataclasses.replace(check, response_ms=50) for check in checks(10)]
    assert judge_rater(main_answers() + quick, RULES).may_be_used


@pytest.mark.parametrize(("left", "used"), [(64, True), (65, False), (16, True), (15, False)])
def test_sixty_four_of_eighty_on_one_side_are_let_pass(left, used):
    found = judge_rater(main_answers(left=left) + checks(10), RULES)
    assert found.may_be_used is used
    assert found.should_be_paid


def test_the_chance_of_52_of_80_on_one_side_is_below_one_percent():
    evidence = judge_rater(main_answers(left=52), RULES).evidence["one_sided"]
    assert evidence["p_by_chance"] == pytest.approx(0.00967, rel=0.01)


def test_ties_are_on_no_side():
    """Nine of ten answers with a side are on the left, whatever 70 ties say."""
    ties = [RaterAnswer(side="tie", response_ms=1500)] * 70
    found = judge_rater(main_answers(10, left=9) + ties, RULES)
    assert (found.evidence["one_sided"]["left"], found.evidence["one_sided"]["answered"]) == (9, 10)
    assert found.reasons == ("one_sided",)
    assert found.n_answers == 80


def test_nine_answers_with_a_side_say_nothing_whatever_the_ties():
    ties = [RaterAnswer(side="tie", response_ms=1500)] * 70
    found = judge_rater(main_answers(9, left=9) + ties, RULES)
    assert found.evidence["one_sided"]["outcome"] == "unknown"
    assert found.may_be_used


def test_five_answers_say_nothing_of_sides():
    found = judge_rater(main_answers(5, left=5), RULES)
    assert found.evidence["one_sided"]["outcome"] == "unknown"
    assert found.may_be_used


def test_who_did_not_finish_is_neither_used_nor_paid():
    found = judge_rater(main_answers(30), RULES, finished=False)
    assert found.reasons == ("too_few_answers",)
    assert not found.should_be_paid
    assert found.evidence["pay"]["reasons"] == ["too_few_answers"]


def test_nobody_is_judged_without_answers():
    found = judge_rater([], RULES, finished=False)
    assert found.reasons == ("too_few_answers",)
    assert found.n_answers == 0


@pytest.mark.parametrize(("ms", "paid"), [(300, True), (299, False)])
def test_clicks_faster_than_a_hand_are_not_paid(ms, paid):
    found = judge_rater(main_answers(response_ms=ms) + checks(10), RULES)
    assert found.should_be_paid is paid
    assert found.evidence["pay"]["reasons"] == ([] if paid else ["faster_than_a_hand"])


@pytest.mark.parametrize(("floor", "fast", "paid"), [(60_000, 40, True), (0, 41, False), (60_000, 41, False)])
def test_no_rule_for_use_moves_the_pay(floor, fast, paid):
    """Half of 80 answers in 100 ms are let pass and one more is not; the evidence says by what."""
    rules = RuleSet(min_response_ms=floor, min_median_response_ms=floor)
    pay = judge_rater(main_answers(fast=fast), rules).evidence["pay"]
    assert pay == {
        "outcome": "passed" if paid else "failed",
        "reasons": [] if paid else ["faster_than_a_hand"],
        "fast": fast,
        "main_answers": 80,
        "limit_ms": 300,
    }


def test_unknown_times_never_cost_the_pay():
    """Ten fast answers are all that is known, and they are not the half of 80."""
    assert judge_rater(main_answers(10, fast=10) + main_answers(70, response_ms=None), RULES).should_be_paid


def with_elapsed(given, late, n):
    """`n` of the answers claim `late` milliseconds more than passed on the server; the others half of what passed."""
    return [
        dataclasses.replace(a, elapsed_ms=a.response_ms - late if i < n else 2 * a.response_ms)
        for i, a in enumerate(given)
    ]


@pytest.mark.parametrize(("impossible", "used"), [(4, True), (5, False)])
def test_a_twentieth_of_the_times_may_be_impossible(impossible, used):
    """4 of 80 is 0.05, the limit itself; 5 is above it."""
    found = judge_rater(with_elapsed(main_answers(), 1000, impossible) + checks(10), RULES)
    assert found.reasons == (() if used else ("impossible_times",))
    assert found.evidence["impossible_times"]["impossible"] == impossible
    assert found.should_be_paid


def test_clocks_may_be_a_little_apart():
    at_limit = with_elapsed(main_answers(), CLOCKS_APART_MS, 80)
    beyond = with_elapsed(main_answers(), CLOCKS_APART_MS + 1, 80)
    assert judge_rater(at_limit, RULES).reasons == ()
    assert judge_rater(beyond, RULES).reasons == ("impossible_times",)


def test_only_times_known_to_both_clocks_are_compared():
    """One of ten known to both is impossible, which is a tenth, whatever 70 others were."""
    found = judge_rater(with_elapsed(main_answers(10), 1000, 1) + main_answers(70), RULES)
    assert (found.reasons, found.evidence["impossible_times"]["known_times"]) == (("impossible_times",), 10)
    unknown = judge_rater(main_answers(), RULES).evidence["impossible_times"]
    assert unknown == {"outcome": "unknown", "known_times": 0}


@pytest.mark.parametrize("screening", SCREENINGS)
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("outcome", ["passed", "failed", "unknown"])
def test_a_screening_costs_the_use_only_where_it_is_required_and_failed(screening, required, outcome):
    rules = RuleSet(**{f"require_{screening}": required})
    found = judge_rater(main_answers() + checks(9), rules, screenings={screening: outcome})
    assert found.reasons == ((screening,) if required and outcome == "failed" else ())
    assert found.evidence[screening] == {"outcome": outcome, "required": required}
    assert found.should_be_paid


def test_a_required_screening_that_was_never_shown_is_unknown():
    rules = RuleSet(require_color_vision=True, require_levels=True, require_practice=True)
    found = judge_rater(main_answers() + checks(9), rules)
    assert found.may_be_used
    assert {found.evidence[name]["outcome"] for name in SCREENINGS} == {"unknown"}


def test_who_was_screened_out_is_unfinished_for_a_reason_of_its_own():
    found = judge_rater([], RULES, finished=False, screened_out=True, screenings={"levels": "failed"})
    assert found.reasons == ("screened_out",)
    assert not found.should_be_paid
    assert found.evidence["pay"]["reasons"] == ["screened_out"]
    assert found.evidence["too_few_answers"]["outcome"] == "unknown"


def test_an_always_left_clicker_fails_by_sides_and_by_every_check():
    """A flipped check answered on the same side is the other image."""
    found = judge_rater(main_answers(left=80) + checks(0), RULES)
    assert found.reasons == ("inconsistent", "one_sided")


outcomes = st.sampled_from(["passed", "failed", "unknown"])
answers = st.lists(
    st.builds(
        RaterAnswer,
        side=st.sampled_from(["left", "right", "tie"]),
        response_ms=st.none() | st.integers(0, 100_000),
        elapsed_ms=st.none() | st.integers(0, 100_000),
        is_check=st.booleans(),
        agrees=st.none() | st.booleans(),
    ),
    max_size=120,
)
screenings = st.dictionaries(st.sampled_from(SCREENINGS), outcomes)
rule_sets = st.builds(
    RuleSet,
    min_response_ms=st.integers(0, 60_000),
    min_median_response_ms=st.integers(0, 60_000),
    require_color_vision=st.booleans(),
    require_levels=st.booleans(),
    require_practice=st.booleans(),
)


@given(answers, rule_sets, screenings, st.booleans())
def test_reasons_use_and_evidence_agree(given_answers, rules, seen, finished):
    found = judge_rater(given_answers, rules, finished=finished, screenings=seen)
    failed = {rule for rule, seen in found.evidence.items() if seen["outcome"] == "failed"} - {"pay"}
    spared = {name for name in SCREENINGS if not found.evidence[name]["required"]}
    assert set(found.reasons) == failed - spared
    assert found.may_be_used is (not found.reasons)
    assert json.loads(json.dumps(found.evidence)) == found.evidence


@given(answers, rule_sets, screenings, st.booleans())
def test_pay_hangs_on_nothing_but_the_end_and_what_a_hand_can_do(given_answers, rules, seen, finished):
    """Whatever the checks, sides, clocks and screenings say, and whatever the rules ask for."""
    found = judge_rater(given_answers, rules, finished=finished, screenings=seen)
    times = [a.response_ms for a in given_answers if not a.is_check and a.response_ms is not None]
    n_main = sum(not a.is_check for a in given_answers)
    assert found.should_be_paid is (finished and sum(time < 300 for time in times) <= n_main / 2)


@given(answers)
def test_mirrored_sides_change_no_verdict(given_answers):
    other = {"left": "right", "right": "left", "tie": "tie"}
    mirrored = [dataclasses.replace(answer, side=other[answer.side]) for answer in given_answers]
    one, two = judge_rater(given_answers, RULES), judge_rater(mirrored, RULES)
    assert (one.reasons, one.should_be_paid) == (two.reasons, two.should_be_paid)


def test_a_coin_is_hardly_ever_one_sided():
    """More than 80 % of 80 is 65 at least; the sum over all ways in which 80 coins fall, both sides."""
    ways = 2 * sum(comb(80, k) for k in range(65, 81))
    assert side_chance(65, 80) == pytest.approx(ways / 2**80, rel=5e-3) == pytest.approx(1.41e-8, rel=5e-3)
    assert "one_sided" in judge_rater(main_answers(left=65), RULES).reasons
    assert "one_sided" not in judge_rater(main_answers(left=64), RULES).reasons
