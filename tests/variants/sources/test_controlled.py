import numpy as np
import pytest

from variants.sources.controlled import RANGES, controlled_recipes, sampled_recipes, single_recipes
from variants.tone.concepts import CONCEPTS
from variants.tone.looks import LOOKS
from variants.tone.recipes import NEUTRAL, Recipe


@pytest.mark.parametrize("n", [1, 2, 3, 7, 18, 60])
def test_there_are_n_different_recipes_and_the_first_is_neutral(n):
    recipes = controlled_recipes(n, seed=1)
    assert len(recipes) == len({recipe.key for recipe in recipes}) == n
    assert recipes[0] == NEUTRAL


def test_the_seed_decides():
    assert controlled_recipes(18, seed=1) == controlled_recipes(18, seed=1)
    assert controlled_recipes(18, seed=1) != controlled_recipes(18, seed=2)


def test_all_three_kinds_are_there():
    recipes = controlled_recipes(18, seed=1)
    assert sum(len(recipe.steps) == 1 for recipe in recipes) == 6
    assert sum(bool(recipe.look) for recipe in recipes) == len(LOOKS) == 6
    assert sum(len(recipe.steps) == len(RANGES) for recipe in recipes) == 5


def test_own_recipes_come_first_and_count():
    own = [Recipe(steps=(("vignetting", 1.0),)), Recipe(look="golden")]
    recipes = controlled_recipes(6, seed=1, own=own)
    assert recipes[:3] == [NEUTRAL, *own]
    assert len(set(recipes)) == 6
    with pytest.raises(ValueError, match="more than n"):
        controlled_recipes(2, seed=1, own=own)


def test_none_are_refused():
    with pytest.raises(ValueError, match="n is 0"):
        controlled_recipes(0, seed=1)


def test_singles_go_both_ways_within_what_recipes_allow():
    assert len(single_recipes()) == 2 * len(RANGES)
    for name, (low, high) in RANGES.items():
        assert CONCEPTS[name].low <= low < 0 < high <= CONCEPTS[name].high


def test_samples_cover_both_sides_of_every_concept_evenly():
    recipes = sampled_recipes(64, np.random.default_rng(0))
    strengths = np.array([[strength for _, strength in recipe.steps] for recipe in recipes])
    assert (np.abs((strengths > 0).mean(0) - 0.5) < 0.1).all()
    ends = np.array(list(RANGES.values()))
    assert (strengths >= ends[:, 0]).all()
    assert (strengths <= ends[:, 1]).all()


def test_an_unknown_concept_is_refused():
    with pytest.raises(ValueError, match="'exposur' is no concept"):
        sampled_recipes(4, np.random.default_rng(0), {"exposur": (-1, 1)})


def test_every_concept_comes_by_itself_before_any_comes_twice():
    singles = [recipe.steps[0][0] for recipe in controlled_recipes(30, seed=5) if len(recipe.steps) == 1]
    assert sorted(singles[: len(RANGES)]) == sorted(RANGES)
    assert len(singles) > len(RANGES)


def test_strengths_are_plain_numbers():
    """They go into JSON columns and files."""
    recipes = controlled_recipes(18, seed=1)
    assert {type(strength) for recipe in recipes for _, strength in recipe.steps} == {float}
