import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variants.pairing import choose_pairs


def line(*positions):
    """Differences between renditions that lie on a line."""
    places = np.array(positions, dtype=float)
    return np.abs(places[:, None] - places[None, :])


def choose(delta_e, low=2.0, high=25.0, at_most=60, seed=0, start=0):
    return choose_pairs(
        delta_e,
        min_delta_e=low,
        max_delta_e=high,
        at_most=at_most,
        rng=np.random.default_rng(seed),
        start=start,
    )


def groups(pairs):
    found: list[set[int]] = []
    for pair in pairs:
        touching = [group for group in found if group & set(pair)]
        found = [group for group in found if not group & set(pair)] + [set(pair).union(*touching)]
    return found


@given(st.integers(2, 14), st.integers(1, 40), st.integers(0, 10_000))
def test_pairs_are_new_in_the_window_and_connected(n, at_most, seed):
    rng = np.random.default_rng(seed)
    delta_e = line(*rng.uniform(0, 40, n))
    pairs = choose(delta_e, at_most=at_most, seed=seed)
    assert len(set(pairs)) == len(pairs) <= at_most
    assert all(i < j and 2 <= delta_e[i, j] <= 25 for i, j in pairs)
    assert len(groups(pairs)) <= 1
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
