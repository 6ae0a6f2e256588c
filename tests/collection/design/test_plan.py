import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collection.design.plan import Candidate, plan_session, require_enough_pairs
from collection.design.protocol import Protocol


def candidates(per_scene, exposures=None):
    """Pairs 0, 1, … with images 2k and 2k+1; `per_scene[s]` of them are of scene s."""
    scenes = [scene for scene, n in enumerate(per_scene) for _ in range(n)]
    exposures = exposures or [0] * len(scenes)
    return [Candidate(k, scene, 2 * k, 2 * k + 1, exposures[k]) for k, scene in enumerate(scenes)]


def plan(pairs, seed=0, **settings):
    return plan_session(pairs, Protocol(**settings), np.random.default_rng(seed))


def of_kind(questions, kind):
    return [q for q in questions if q.kind == kind]


def gaps(questions, scene_of):
    """Numbers of questions between two of one scene, next to each other in time."""
    last, found = {}, []
    for q in questions:
        scene = scene_of[q.pair]
        if scene in last:
            found.append(q.index - last[scene] - 1)
        last[scene] = q.index
    return found


@st.composite
def studies(draw):
    per_scene = draw(st.lists(st.integers(1, 12), min_size=1, max_size=15))
    n_main = draw(st.integers(1, sum(per_scene)))
    pairs = candidates(
        per_scene,
        draw(st.lists(st.integers(0, 5), min_size=sum(per_scene), max_size=sum(per_scene))),
    )
    protocol = Protocol(
        n_practice=draw(st.integers(0, 6)),
        n_main=n_main,
        n_checks=draw(st.integers(0, n_main)),
        check_lag=draw(st.integers(1, 40)),
        scene_gap=draw(st.integers(0, 5)),
    )
    return pairs, protocol, draw(st.integers(0, 2**32))


@given(studies())
@settings(deadline=None, max_examples=200)
def test_a_plan_keeps_its_promises(study):
    pairs, protocol, seed = study
    questions = plan_session(pairs, protocol, np.random.default_rng(seed))
    images = {c.pair: (c.image_a, c.image_b) for c in pairs}
    practice, main, checks = (of_kind(questions, kind) for kind in ("practice", "main", "check"))

    assert [q.index for q in questions] == list(range(protocol.n_questions))
    assert questions[: protocol.n_practice] == practice
    assert (len(main), len(checks)) == (protocol.n_main, protocol.n_checks)
    assert all({q.left, q.right} == set(images[q.pair]) for q in questions)

    # No pair twice as a main question, and never one with more exposures than one left out.
    assert len({q.pair for q in main}) == protocol.n_main
    exposures = {c.pair: c.exposures for c in pairs}
    asked = {q.pair for q in main}
    left_out = [exposures[c.pair] for c in pairs if c.pair not in asked]
    assert max(exposures[p] for p in asked) <= min(left_out, default=5)

    # image_a is on the left in half of the main questions.
    a_left = sum(q.left == images[q.pair][0] for q in main)
    assert abs(2 * a_left - protocol.n_main) == protocol.n_main % 2

    # A check shows another main question's pair, mirrored, at the lag or the largest one there can be.
    assert len({q.repeats for q in checks}) == len(checks)
    for check in checks:
        first = questions[check.repeats]
        assert first.kind == "main"
        assert (first.pair, first.left, first.right) == (check.pair, check.right, check.left)
        assert check.index - first.index >= min(protocol.check_lag, protocol.n_main)

    # Practice shows other pairs where there are enough of them.
    if len(pairs) - protocol.n_main >= protocol.n_practice:
        assert not {q.pair for q in practice} & asked
        assert len({q.pair for q in practice}) == protocol.n_practice


@given(studies())
@settings(deadline=None, max_examples=200)
def test_the_scene_gap_holds_wherever_an_order_with_it_exists(study):
    pairs, protocol, seed = study
    questions = plan_session(pairs, protocol, np.random.default_rng(seed))
    scene_of = {c.pair: c.scene for c in pairs}
    main = of_kind(questions, "main")
    counts = Counter(scene_of[q.pair] for q in main)
    most = max(counts.values())
    n_with_most = sum(n == most for n in counts.values())
    # The most frequent scenes need (most - 1) rounds of gap + 1 slots, and one more slot each.
    if (most - 1) * (protocol.scene_gap + 1) + n_with_most <= protocol.n_main:
        last = {}
        for place, q in enumerate(main):
            scene = scene_of[q.pair]
            assert place - last.get(scene, -99) > protocol.scene_gap
            last[scene] = place


@given(st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_the_gap_counts_checks_and_practice_too_with_eight_scenes(seed):
    pairs = candidates([60] * 8)
    questions = plan(pairs, seed)
    assert min(gaps(questions, {c.pair: c.scene for c in pairs})) >= 2


@given(studies())
@settings(deadline=None, max_examples=30)
def test_the_same_seed_gives_the_same_plan(study):
    pairs, protocol, seed = study
    first, second = (plan_session(pairs, protocol, np.random.default_rng(seed)) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_plan():
    pairs = candidates([60] * 8)
    assert plan(pairs, seed=1) != plan(pairs, seed=2)


def test_checks_are_spread_over_the_session():
    """80 main and 10 checks: one check in each of ten equal stretches of the last 75 questions."""
    checks = of_kind(plan(candidates([60] * 8), n_practice=0), "check")
    for k, check in enumerate(checks):
        assert int(15 + 7.5 * k) <= check.index < int(15 + 7.5 * (k + 1))


def test_coverage_stays_even_over_sessions():
    """50 sessions of 20 among 130 pairs are 1,000 exposures: each pair has 7 or 8."""
    exposures = [0] * 130
    for seed in range(50):
        for q in plan(candidates([13] * 10, exposures), seed, n_main=20, n_checks=4):
            exposures[q.pair] += q.kind == "main"
    assert sum(exposures) == 1000
    assert set(exposures) == {7, 8}


def test_the_propensity_is_the_chance_to_be_chosen():
    """Two pairs without exposures come for sure; two places remain for eight pairs with one."""
    pairs = candidates([10], [0, 0, *[1] * 8])
    questions = of_kind(plan(pairs, n_main=4, n_checks=0), "main")
    assert {q.pair: q.propensity for q in questions if q.pair < 2} == {0: 1.0, 1: 1.0}
    assert [q.propensity for q in questions if q.pair >= 2] == [0.25, 0.25]


def test_ties_are_broken_evenly():
    """Each of 20 pairs is among 5 chosen in a quarter of 2,000 plans: 500, standard deviation 19."""
    counts = Counter(
        q.pair
        for seed in range(2000)
        for q in plan(candidates([4] * 5), seed, n_practice=0, n_main=5, n_checks=0)
    )
    assert len(counts) == 20
    assert all(abs(n - 500) < 5 * 19.4 for n in counts.values())


def test_one_pair_is_enough_for_one_question():
    questions = plan(candidates([1]), n_main=1, n_checks=1, n_practice=2)
    assert [q.kind for q in questions] == ["practice", "practice", "main", "check"]


def test_too_few_pairs_are_an_error_with_the_numbers():
    with pytest.raises(ValueError, match=r"80 different pairs \(n_main\) and the study has 79"):
        plan(candidates([79]))
    require_enough_pairs(80, Protocol())


def test_ninety_questions_from_8000_pairs_are_planned_quickly():
    """A few tens of milliseconds; the bound leaves room for a busy machine."""
    pairs = candidates([7] * 1142)
    times = []
    for seed in range(5):
        start = time.perf_counter()
        plan(pairs, seed)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1, times
