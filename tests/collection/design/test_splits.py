import pytest
from hypothesis import given
from hypothesis import strategies as st

from collection.design.splits import split_assign

names = st.sets(st.text(min_size=1, max_size=5), max_size=60)


@pytest.mark.parametrize(
    ("n", "share", "held_out"), [(521, 50 / 521, 50), (10, 0.25, 2), (8, 0.25, 2), (2, 0.01, 1), (2, 0.9, 1)]
)
def test_the_share_is_held_out(n, share, held_out):
    splits = split_assign({}, [f"rater-{i}" for i in range(n)], share=share, seed=7)
    assert list(splits.values()).count("validation") == held_out
    assert len(splits) == n


def test_one_alone_and_a_share_of_none_hold_nobody_out():
    assert split_assign({}, ["alice"], share=0.5, seed=0) == {"alice": "train"}
    assert set(split_assign({}, ["alice", "bob"], share=0, seed=0).values()) == {"train"}


def test_another_seed_holds_out_others():
    raters = [f"rater-{i}" for i in range(100)]
    one, two = (split_assign({}, raters, share=0.2, seed=seed) for seed in (1, 2))
    assert one != two


@given(names, names, st.floats(0, 0.9), st.integers(0, 2**63 - 1))
def test_nobody_moves_when_more_join(first, later, share, seed):
    before = split_assign({}, first, share=share, seed=seed)
    added = split_assign(before, first | later, share=share, seed=seed)
    assert set(added) == later - first
    everybody = before | added
    held_out = list(everybody.values()).count("validation")
    if share > 0 and len(everybody) > 1 and len(first) < 2:
        assert held_out >= 1
    assert held_out <= max(1, round(share * len(everybody)))


@given(st.lists(st.text(min_size=1, max_size=5), max_size=30, unique=True), st.randoms())
def test_the_order_they_come_in_does_not_matter(raters, random):
    shuffled = random.sample(raters, len(raters))
    assert split_assign({}, raters, share=0.3, seed=3) == split_assign({}, shuffled, share=0.3, seed=3)
