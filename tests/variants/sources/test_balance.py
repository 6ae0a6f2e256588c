import pytest

from variants.sources.balance import balance


def test_even_categories_are_as_diverse_as_their_number():
    found = balance({"food": 5, "people": 5, "night": 5, "": 2})
    assert found.effective == pytest.approx(3)
    assert (found.without, found.rare) == (2, [])


def test_a_lopsided_collection_counts_for_less_and_names_what_is_rare():
    """exp(-(0.9 ln 0.9 + 0.1 ln 0.1)) = 1.384; an even share is a half, and 0.1 is below half of that."""
    found = balance({"food": 1, "people": 9})
    assert found.effective == pytest.approx(1.384, abs=0.001)
    assert found.rare == ["food"]
    assert list(found.counts) == ["people", "food"]


@pytest.mark.parametrize(("counts", "lines"), [({}, []), ({"": 3}, ["no category is given for 3 scenes"])])
def test_without_categories_there_is_little_to_say(counts, lines):
    found = balance(counts)
    assert (found.lines, found.effective) == (lines, 0)
