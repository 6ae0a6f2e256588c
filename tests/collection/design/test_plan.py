import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collection.design.plan import TooFewPairs, require_enough_pairs
from collection.design.protocol import Protocol
from tests.collection.design.plans import askable, of_kind, plan


def gaps(questions, scene_of):
    """Numbers of questions between two of one scene, next to each other in time."""
    last, found = {}, []
    for q in questions:
        scene = scene_of[q.pair]
        if scene in last:
            found.append(q.index - last[scene] - 1)
        last[scene] = q.index
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=30)
def test_the_gap_counts_checks_and_practice_too_with_eight_scenes(seed):
    pairs = askable([60] * 8)
    questions = plan(pairs, seed)
    assert min(gaps(questions, pairs["scene"])) >= 2


def test_another_seed_gives_another_plan():
    pairs = askable([60] * 8)
    assert plan(pairs, seed=1) != plan(pairs, seed=2)


def test_checks_are_spread_over_the_session():
    """80 main and 10 checks: one check in each of ten equal stretches of the last 75 questions."""
    checks = of_kind(plan(askable([60] * 8), n_practice=0), "check")
    for k, check in enumerate(checks):
        assert int(15 + 7.5 * k) <= check.index < int(15 + 7.5 * (k + 1))


def test_coverage_stays_even_over_sessions():
    """50 sessions of 20 among 130 pairs are 1,000 exposures: each pair has 7 or 8."""
    exposures = [0] * 130
    for seed in range(50):
        for q in plan(askable([13] * 10, exposures), seed, n_main=20, n_checks=4):
            exposures[q.pair] += q.kind == "main"
    assert sum(exposures) == 1000
    assert set(exposures) == {7, 8}


def test_the_propensity_is_the_chance_to_be_chosen():
    """Two pairs without exposures come for sure; two places remain for eight pairs with one."""
    pairs = askable([10], [0, 0, *[1] * 8])
    questions = of_kind(plan(pairs, n_main=4, n_checks=0), "main")
    assert {q.pair: q.propensity for q in questions if q.pair < 2} == {0: 1.0, 1: 1.0}
    assert [q.propensity for q in questions if q.pair >= 2] == [0.25, 0.25]


def test_ties_are_broken_evenly():
    """Each of 20 pairs is among 5 chosen in a quarter of 2,000 plans: 500, standard deviation 19."""
    counts = Counter(
        q.pair
        for seed in range(2000)
        for q in plan(askable([4] * 5), seed, n_practice=0, n_main=5, n_checks=0)
    )
    assert len(counts) == 20
    assert all(abs(n - 500) < 5 * 19.4 for n in counts.values())


def test_one_pair_is_enough_for_one_question():
    questions = plan(askable([1]), n_main=1, n_checks=1, n_practice=1)
    assert [q.kind for q in questions] == ["practice", "practice", "main", "check"]


def test_each_try_at_the_practice_has_a_side_of_its_own():
    """Two tries of three: the third and the sixth question ask for a side, each for either over the seeds."""
    asked = Counter()
    for seed in range(200):
        practice = of_kind(plan(askable([60] * 8), seed, n_practice=3, practice_tries=2), "practice")
        asked.update([tuple(q.instructed_side for q in practice)])
    assert {sides[:2] + sides[3:5] for sides in asked} == {("", "", "", "")}
    counts = Counter({(sides[2], sides[5]): n for sides, n in asked.items()})
    assert len(counts) == 4
    assert min(counts.values()) > 25


def test_without_its_phase_there_is_no_practice():
    questions = plan(askable([60] * 8), phases=("main",), n_practice=3)
    assert (questions[0].index, questions[0].kind) == (0, "main")


def test_quotas_choose_the_least_exposed_within_each_source_type():
    """Eight pairs of A with 5 exposures and eight of D with none: four of each are asked all the same."""
    pairs = askable([16], [5, 0], "AD")
    main = of_kind(plan(pairs, n_main=8, n_checks=0, source_quotas={"A": 0.5, "D": 0.5}), "main")
    assert Counter(pairs["source_type"][q.pair] for q in main) == {"A": 4, "D": 4}
    assert {q.propensity for q in main} == {0.5}


def test_what_is_left_over_goes_to_the_largest_remainders():
    """10 questions: 3.3, 3.3 and 3.4 of them are 3, 3 and 4; a type with a part of 0 has none."""
    protocol = Protocol(n_main=10, n_checks=0, source_quotas={"A": 0.33, "B": 0.33, "D": 0.34, "E": 0})
    assert protocol.main_by_source == {"A": 3, "B": 3, "D": 4}


def test_pairs_are_chosen_as_often_as_their_propensity_says():
    """Over 2,000 seeds, with quotas and unequal exposures: within five standard deviations of each pair's."""
    pairs = askable([12], [0, 1, 1, 1, 2, 1], "AB")
    chosen, propensity = Counter(), {}
    for seed in range(2000):
        quotas = {"A": 0.6, "B": 0.4}
        for q in plan(pairs, seed, phases=("main",), n_main=5, n_checks=0, source_quotas=quotas):
            chosen[q.pair] += 1
            assert propensity.setdefault(q.pair, q.propensity) == q.propensity
    # Of A three are asked: the two that have no exposures, and one of the two that have one. Of B two of six.
    assert [propensity.get(pair) for pair in range(0, 12, 2)] == [1, 0.5, None, 1, 0.5, None]
    assert [propensity[pair] for pair in range(1, 12, 2)] == pytest.approx([1 / 3] * 6)
    for pair, p in propensity.items():
        assert abs(chosen[pair] - 2000 * p) <= 5 * (2000 * p * (1 - p)) ** 0.5


def test_too_few_pairs_are_an_error_with_the_numbers():
    with pytest.raises(TooFewPairs, match=r"80 different pairs \(n_main\) and the study has 79"):
        plan(askable([79]))
    require_enough_pairs({"A": 30, "D": 50}, Protocol())


def test_too_few_pairs_of_a_source_type_are_an_error_and_not_filled_up():
    protocol = Protocol(source_quotas={"A": 0.5, "D": 0.5})
    with pytest.raises(
        TooFewPairs, match=r"40 different pairs of source type A .* has 39; .* lower their quota"
    ):
        require_enough_pairs({"A": 39, "D": 500}, protocol)
    require_enough_pairs({"A": 40, "D": 40}, protocol)


def test_ninety_questions_from_8000_pairs_are_planned_quickly():
    """In a few milliseconds; the bound leaves room for a busy machine."""
    pairs = askable([7] * 1192)[:8000]
    times = []
    for seed in range(5):
        start = time.perf_counter()
        plan(pairs, seed)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.03, times
