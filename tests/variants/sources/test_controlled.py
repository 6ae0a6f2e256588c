import numpy as np
import pytest

from variants.sources.controlled import (
    RANGES,
    controlled_recipes,
    designed_recipes,
    grid_recipes,
    lut_recipes,
    sampled_recipes,
    single_recipes,
)
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


def test_a_grid_has_every_combination_once():
    recipes = grid_recipes(3, {"exposure": (-1, 1), "tint": (-0.3, 0.3)})
    steps = {recipe.steps for recipe in recipes}
    assert len(recipes) == len(steps) == 8  # nine less the neutral one
    assert (("exposure", -1.0), ("tint", 0.3)) in steps
    assert (("exposure", 1.0),) in steps


def test_one_at_a_time_a_grid_is_a_cross():
    recipes = designed_recipes("grid", 4, 0, concepts=["exposure", "shadow"], one_at_a_time=True)
    assert recipes[0] == NEUTRAL
    assert len(recipes) == 1 + 2 * 4
    assert {len(recipe.steps) for recipe in recipes[1:]} == {1}
    strengths = [s for recipe in recipes for name, s in recipe.steps if name == "exposure"]
    np.testing.assert_allclose(strengths, np.linspace(*RANGES["exposure"], 4), atol=1e-3)


def test_samples_one_at_a_time_take_the_concepts_in_turn_and_cover_their_ranges():
    recipes = designed_recipes("sobol", 32, 5, concepts=["contrast", "saturation"], one_at_a_time=True)[1:]
    assert [recipe.steps[0][0] for recipe in recipes[:4]] == ["contrast", "saturation"] * 2
    low, high = RANGES["saturation"]
    strengths = sorted(s for recipe in recipes for name, s in recipe.steps if name == "saturation")
    cells = np.floor((np.array(strengths) - low) / (high - low) * 16)
    assert sorted(set(cells)) == list(range(16))


def test_designs_are_decided_by_their_seed():
    one, same, other = (designed_recipes("sobol", 9, seed) for seed in (1, 1, 2))
    assert one == same != other
    assert len(set(one)) == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"design": "grid", "n": 4}, r"has 16,384 recipes; at most 1,000 are taken\. Name fewer concepts"),
        ({"design": "grid", "n": 1}, "levels is 1"),
        ({"design": "cube", "n": 4}, "design is 'cube'"),
        ({"design": "grid", "n": 3, "concepts": ["sharpnes"]}, "'sharpnes' is no concept with a range"),
    ],
)
def test_impossible_designs_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        designed_recipes(seed=0, **options)


def test_a_lut_collection_is_a_recipe_for_each():
    keys = ["0" * 64, "1" * 64]
    assert [recipe.lut for recipe in lut_recipes(keys)] == keys
