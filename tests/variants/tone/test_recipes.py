import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from variants.tone.concepts import CONCEPTS, adjust_contrast, adjust_exposure
from variants.tone.looks import LOOKS, look_lut
from variants.tone.luts import apply
from variants.tone.recipes import NEUTRAL, Recipe, RecipeError, apply_recipe

STEPS = st.sampled_from(list(CONCEPTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.floats(CONCEPTS[name].low, CONCEPTS[name].high))
)
RECIPES = st.builds(
    Recipe,
    steps=st.lists(STEPS, max_size=5).map(tuple),
    look=st.sampled_from(["", *LOOKS]),
    look_strength=st.just(1.0),
)


def step(concept="exposure", strength=0.5, **more):
    return {"concept": concept, "strength": strength, **more}


@given(RECIPES)
def test_it_comes_back_from_json_the_same(recipe):
    back = Recipe.from_json(json.loads(json.dumps(recipe.to_json())))
    assert back == recipe
    assert back.key == recipe.key


def test_the_neutral_recipe_has_no_steps():
    assert NEUTRAL.to_json() == {"steps": []}
    assert NEUTRAL.is_neutral
    assert Recipe.from_json({"steps": []}) == NEUTRAL


def test_keys_tell_recipes_apart_and_whole_numbers_not():
    one, other = Recipe(steps=(("exposure", 1.0),)), Recipe(steps=(("exposure", 0.5),))
    assert one.key != other.key != NEUTRAL.key
    assert one.key == Recipe(steps=(("exposure", 1),)).key
    assert (
        Recipe(steps=(("exposure", 1), ("tint", 0.5))).key
        != Recipe(steps=(("tint", 0.5), ("exposure", 1))).key
    )
    assert len(one.key) == 64


def test_a_key_stays_the_same_between_versions():
    """Rows in databases hold it; it is the sha256 of this text."""
    import hashlib

    text = (
        '{"look": {"name": "golden", "strength": 1.0}, "steps": [{"concept": "exposure", "strength": 0.5}]}'
    )
    recipe = Recipe(steps=(("exposure", 0.5),), look="golden")
    assert recipe.key == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "the recipe is None"),
        ([], "the recipe is"),
        ({}, "the recipe lacks the field 'steps'"),
        ({"steps": {}}, "steps is {}; it must be a list"),
        ({"step": []}, "the recipe has no field 'step'; did you mean 'steps'"),
        ({"steps": [], "lok": {}}, "no field 'lok'; did you mean 'look'"),
        ({"steps": ["exposure"]}, r"steps\[0\] is 'exposure'; it must be an object"),
        ({"steps": [step(), step("exposur")]}, r"steps\[1\].concept is 'exposur'.*did you mean 'exposure'"),
        ({"steps": [step(None)]}, r"steps\[0\].concept is None"),
        ({"steps": [step([])]}, r"steps\[0\].concept is \[\]"),
        (
            {"steps": [step(strength="much")]},
            r"steps\[0\].strength is 'much'.*from -2 to 2 \(exposure: stops\)",
        ),
        ({"steps": [step(strength=True)]}, r"steps\[0\].strength is True"),
        ({"steps": [step(strength=math.nan)]}, r"steps\[0\].strength is nan"),
        ({"steps": [step(strength=2.5)]}, r"steps\[0\].strength is 2.5"),
        ({"steps": [step("contrast", -1.01)]}, r"steps\[0\].strength is -1.01; .* from -1 to 1"),
        ({"steps": [{"concept": "exposure"}]}, r"steps\[0\] lacks the field 'strength'"),
        ({"steps": [step(stregth=1)]}, r"steps\[0\] has no field 'stregth'; did you mean 'strength'"),
        ({"steps": [], "look": "golden"}, "look is 'golden'; it must be an object"),
        ({"steps": [], "look": {"name": "goldn"}}, "look.name is 'goldn'.*did you mean 'golden'"),
        ({"steps": [], "look": {"name": ""}}, "look.name is empty"),
        ({"steps": [], "look": {"name": "golden", "strength": 2}}, "look.strength is 2"),
        ({"steps": [step()] * 51}, "at most 50"),
    ],
)
def test_errors_name_the_step_and_the_field(data, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_json(data)


def test_neutral_gives_the_photo_back(rng):
    image = rng.random((4, 5, 3), dtype=np.float32)
    assert np.array_equal(apply_recipe(image, NEUTRAL), image)


def test_steps_are_applied_in_order_and_the_look_last(rng):
    image = rng.random((4, 5, 3))
    recipe = Recipe(steps=(("exposure", 0.7), ("contrast", 0.5)), look="golden")
    wanted = apply(adjust_contrast(adjust_exposure(image, 0.7), 0.5), look_lut("golden"))
    np.testing.assert_allclose(apply_recipe(image, recipe), wanted)


def test_half_a_look_is_half_the_way(rng):
    image = rng.random((4, 5, 3))
    whole, half = (apply_recipe(image, Recipe(look="teal_shadow", look_strength=s)) for s in (1.0, 0.5))
    np.testing.assert_allclose(half, (image + whole) / 2)


@given(RECIPES, st.integers(0, 2**32 - 1))
def test_every_recipe_gives_an_image(recipe, seed):
    image = np.random.default_rng(seed).random((4, 3, 3), dtype=np.float32)
    result = apply_recipe(image, recipe)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
