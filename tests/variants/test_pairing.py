import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variants.pairing import (
    MAX_COMPARED,
    NEUTRAL,
    choose_pairs,
    compared_groups,
    couples_to_compare,
    judgments_per_pair,
    pair_kind,
)


def line(*positions):
    """Differences between renditions that lie on a line."""
    places = np.array(positions, dtype=float)
    return np.abs(places[:, None] - places[None, :])


def choose(delta_e, low=2.0, high=25.0, at_most=60, seed=0, start=0, known=()):
    return choose_pairs(
        delta_e,
        min_delta_e=low,
        max_delta_e=high,
        at_most=at_most,
        rng=np.random.default_rng(seed),
        start=start,
        known=known,
    )


@given(st.integers(2, 14), st.integers(1, 40), st.integers(0, 10_000))
def test_pairs_are_new_in_the_window_and_connected(n, at_most, seed):
    rng = np.random.default_rng(seed)
    delta_e = line(*rng.uniform(0, 40, n))
    pairs = choose(delta_e, at_most=at_most, seed=seed)
    assert len(set(pairs)) == len(pairs) <= max(at_most, n - 1)
    assert all(i < j and 2 <= delta_e[i, j] <= 25 for i, j in pairs)
    assert len(compared_groups(pairs)) <= 1
    if ((delta_e[0] >= 2) & (delta_e[0] <= 25)).any():
        assert any(0 in pair for pair in pairs)


def test_all_pairs_are_taken_where_there_is_room():
    assert sorted(choose(line(0, 3, 6))) == [(0, 1), (0, 2), (1, 2)]


def test_the_window_includes_its_ends():
    assert choose(line(0, 2)) == [(0, 1)]
    assert choose(line(0, 25)) == [(0, 1)]
    assert choose(line(0, 1.99)) == choose(line(0, 25.01)) == []


def test_every_rendition_is_reached_before_any_pair_is_spent_on_spread():
    pairs = choose(line(*range(0, 30, 3)), at_most=9)
    assert {node for pair in pairs for node in pair} == set(range(10))


def test_spread_evens_out_how_often_each_is_compared():
    delta_e = np.full((10, 10), 10.0)
    counts = np.bincount(np.array(choose(delta_e, at_most=40)).ravel(), minlength=10)
    assert counts.max() - counts.min() <= 1


def test_what_the_window_cuts_off_is_left_out():
    """Two groups far apart: the start's is taken, and the larger one where the start has no partner."""
    two_groups = line(0, 5, 100, 105, 110)
    assert choose(two_groups) == [(0, 1)]
    alone = line(50, 100, 105, 110, 0, 5)
    assert {node for pair in choose(alone) for node in pair} == {1, 2, 3}
    assert {node for pair in choose(two_groups, start=None) for node in pair} == {2, 3, 4}


@pytest.mark.parametrize("n", [0, 1])
def test_less_than_two_renditions_have_no_pairs(n):
    assert choose(np.zeros((n, n)), start=None) == []


def test_the_seed_decides_and_decides_alike():
    delta_e = line(*np.arange(0, 24, 2))
    assert choose(delta_e, at_most=15, seed=1) == choose(delta_e, at_most=15, seed=1)
    assert choose(delta_e, at_most=15, seed=1) != choose(delta_e, at_most=15, seed=2)


def choose_kinds(kinds, at_most=60, quotas=None, seed=0):
    delta_e = np.full((len(kinds), len(kinds)), 10.0)
    return choose_pairs(
        delta_e, min_delta_e=2, max_delta_e=25, at_most=at_most, rng=np.random.default_rng(seed), kinds=kinds,
        quotas=quotas, start=kinds.index(NEUTRAL) if NEUTRAL in kinds else None,
    )  # fmt: skip


def counts(kinds, pairs):
    found: dict[str, int] = {}
    for i, j in pairs:
        kind = pair_kind(kinds[i], kinds[j])
        found[kind] = found.get(kind, 0) + 1
    return found


def test_only_renditions_of_one_kind_meet_and_the_neutral_one_joins_them():
    kinds = [NEUTRAL, "B", "B", "B", "D", "D", "D"]
    pairs = choose_kinds(kinds)
    assert all(kinds[i] == kinds[j] or NEUTRAL in (kinds[i], kinds[j]) for i, j in pairs)
    assert len(compared_groups(pairs)) == 1
    assert counts(kinds, pairs) == {"B": 6, "D": 6}


def test_without_a_neutral_one_the_larger_kind_is_asked_about():
    pairs = choose_kinds(["A", "A", "B", "B", "B"])
    assert {node for pair in pairs for node in pair} == {2, 3, 4}


@given(st.integers(40, 70), st.integers(0, 1000))
def test_quotas_share_out_what_a_scene_may_have(at_most, seed):
    kinds = [NEUTRAL] + ["B"] * 10 + ["D"] * 10
    pairs = choose_kinds(kinds, at_most, {"B": 0.25, "D": 0.75}, seed)
    found = counts(kinds, pairs)
    assert sum(found.values()) == at_most
    assert abs(found.get("B", 0) - 0.25 * at_most) < 1
    assert len(compared_groups(pairs)) == 1


def test_quotas_of_kinds_that_a_scene_has_not_are_no_loss():
    kinds = ["A"] * 5
    assert counts(kinds, choose_kinds(kinds, 8, {"A": 0.4, "D": 0.6})) == {"A": 8}
    assert choose_kinds(kinds, 8, {"D": 1.0}) == []


def test_what_a_kind_cannot_fill_stays_empty():
    kinds = [NEUTRAL, "B", "D", "D", "D", "D", "D"]
    assert counts(kinds, choose_kinds(kinds, 10, {"B": 0.5, "D": 0.5})) == {"B": 1, "D": 5}


def test_the_preview_of_the_published_dataset():
    """767 raters, 80 questions, 7,972 pairs (methods.md 1.1): 7.7 judgments a pair, standard error 0.18."""
    preview = judgments_per_pair(7972, 767, 80)
    assert (round(preview.mean, 1), preview.fewest, preview.most) == (7.7, 7, 8)
    assert round(preview.standard_error, 2) == 0.18
    with pytest.raises(ValueError, match="no pairs"):
        judgments_per_pair(0, 10, 80)


def test_few_renditions_are_all_compared():
    assert len(couples_to_compare(["D"] * 45, np.random.default_rng(0))) == 45 * 44 // 2


def test_what_may_not_meet_is_not_measured():
    couples = couples_to_compare([NEUTRAL, "B", "B", "D"], np.random.default_rng(0), 0)
    assert couples == [(0, 1), (0, 2), (0, 3), (1, 2)]


@pytest.mark.parametrize("start", [None, 7])
def test_many_renditions_are_compared_in_part_and_evenly(start):
    couples = couples_to_compare(["D"] * 400, np.random.default_rng(0), start)
    assert len(set(couples)) == len(couples) == MAX_COMPARED
    assert all(i < j for i, j in couples)
    assert len(compared_groups(couples)) == 1
    counts = np.bincount(np.array(couples).ravel(), minlength=400)
    assert counts.min() >= 2
    if start is not None:
        assert counts[start] >= 399


def test_couples_that_were_not_measured_do_not_meet():
    delta_e = np.full((4, 4), np.nan)
    delta_e[0, 1] = delta_e[1, 0] = delta_e[1, 2] = delta_e[2, 1] = 9
    assert sorted(choose(delta_e)) == [(0, 1), (1, 2)]


def test_groups_are_what_no_pair_joins():
    assert compared_groups([]) == []
    found = compared_groups([(1, 2), (3, 4), (5, 6), (2, 3)])
    assert sorted(map(sorted, found)) == [[1, 2, 3, 4], [5, 6]]


def test_the_cap_holds_over_runs():
    delta_e = np.full((12, 12), 10.0)
    first = choose(delta_e[:6, :6], at_most=12)
    second = choose(delta_e, at_most=20, seed=1, known=first)
    assert (len(first), len(second)) == (12, 8)
    assert not set(first) & set(second)
    assert len(compared_groups([*first, *second])) == 1
    assert choose(delta_e, at_most=20, seed=2, known=[*first, *second]) == []


def test_new_renditions_are_connected_above_the_cap_and_no_more():
    delta_e = np.full((12, 12), 10.0)
    first = choose(delta_e[:6, :6], at_most=12)
    second = choose(delta_e, at_most=12, known=first)
    assert len(second) == 6
    assert {node for pair in second for node in pair} >= set(range(6, 12))
    assert len(compared_groups([*first, *second])) == 1


def test_quotas_count_what_is_there():
    kinds = [NEUTRAL, *"BBBBB", *"DDDDD"]
    known = [(1, 2), (1, 3), (1, 4), (1, 5), (2, 3), (2, 4)]
    delta_e = np.full((11, 11), 10.0)
    new = choose_pairs(
        delta_e, min_delta_e=2, max_delta_e=25, at_most=16, rng=np.random.default_rng(0), kinds=kinds,
        quotas={"B": 0.5, "D": 0.5}, start=0, known=known,
    )  # fmt: skip
    assert counts(kinds, [*known, *new]) == {"B": 8, "D": 8}


def test_what_fell_apart_is_joined_by_as_few_pairs_as_it_takes():
    delta_e = np.full((9, 9), 10.0)
    known = [(0, 1), (1, 2), (3, 4), (4, 5), (6, 7)]
    new = choose(delta_e, at_most=1, known=known)
    assert len(new) == 3
    assert len(compared_groups([*known, *new])) == 1


def test_groups_out_of_the_start_s_reach_are_joined_among_each_other():
    delta_e = line(0, 5, 100, 105, 110, 115)
    known = [(0, 1), (2, 3), (4, 5)]
    new = choose(delta_e, at_most=1, known=known)
    assert len(new) == 1
    assert len(compared_groups([*known, *new])) == 2
