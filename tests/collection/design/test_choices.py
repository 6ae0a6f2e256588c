import numpy as np
import pytest

from collection.design.choices import Choices, pair_counts

ANSWERS = Choices.from_labels(
    ["ann", "ann", "bob", "bob"],
    ["red", "red", "blue", "green"],
    ["blue", "green", "red", "blue"],
    ["a", "tie", "a", "b"],
    ["sea", "sea", "sea", "hill"],
)


def test_labels_become_positions_in_sorted_names():
    assert ANSWERS.items == ("blue", "green", "red")
    assert ANSWERS.a.tolist() == [2, 2, 0, 1]
    assert ANSWERS.b.tolist() == [0, 1, 2, 0]
    assert ANSWERS.a_won.tolist() == [1, 0.5, 1, 0]
    assert (ANSWERS.raters, ANSWERS.scenes) == (("ann", "bob"), ("hill", "sea"))
    assert (len(ANSWERS), ANSWERS.n_ties) == (4, 1)


def test_a_pair_is_the_same_whichever_item_is_called_a():
    """Ann takes red before blue, Bob blue before red; a tie is half a win."""
    counts = pair_counts(ANSWERS, apart_by_scene=False)
    assert list(zip(counts.i.tolist(), counts.j.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert counts.wins.toarray().tolist() == [[0, 0, 0.5], [1, 1, 0]]
    assert counts.n.toarray().tolist() == [[0, 1, 1], [1, 1, 0]]
    assert counts.i_won.tolist() == [0, 0.5, 1, 1]


def test_the_same_items_in_two_scenes_are_two_pairs():
    two = Choices.from_labels(["ann", "ann"], ["x", "x"], ["y", "y"], ["a", "b"], ["sea", "hill"])
    assert len(pair_counts(two, apart_by_scene=True).i) == 2
    assert len(pair_counts(two, apart_by_scene=False).i) == 1


def test_by_scene_leaves_only_what_is_in_the_scene():
    parts = dict(ANSWERS.by_scene())
    assert list(parts) == ["hill", "sea"]
    assert (parts["hill"].raters, parts["hill"].items) == (("bob",), ("blue", "green"))
    assert parts["hill"].a.tolist() == [1]
    assert len(parts["sea"]) == 3


def test_among_takes_pairs_of_which_both_are_wanted():
    assert len(ANSWERS.among(["red", "blue"])) == 2
    assert ANSWERS.among(["red", "blue"]).items == ("blue", "red")


def test_no_answers_are_choices_too():
    nothing = Choices.from_labels([], [], [], [])
    assert len(nothing) == 0
    assert list(nothing.by_scene()) == []
    assert len(pair_counts(nothing, apart_by_scene=True).i) == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((["ann"], ["x"], ["y"], ["left"]), "choice of answer 0 is 'left'; it must be a, b or tie"),
        ((["ann"], ["x"], ["x"], ["a"]), "answer 0 compares 'x' with itself"),
        ((["ann"], ["x", "z"], ["y"], ["a"]), "different lengths"),
    ],
)
def test_bad_columns_are_errors_that_name_the_row(columns, said):
    with pytest.raises(ValueError, match=said):
        Choices.from_labels(*columns)


def test_selecting_by_rows_or_by_a_mask_is_the_same():
    mask = np.array([True, False, False, True])
    one, two = ANSWERS.select(mask), ANSWERS.select(np.flatnonzero(mask))
    assert (one.items, one.a.tolist()) == (two.items, two.a.tolist()) == (("blue", "green", "red"), [2, 1])
