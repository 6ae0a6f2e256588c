import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from variants.tone import lut_engine
from variants.tone.color import srgb_to_lab
from variants.tone.concepts import CONCEPTS, adjust_contrast, adjust_exposure
from variants.tone.difference import ciede2000
from variants.tone.looks import LOOKS, look_lut
from variants.tone.luts import Lut3D, apply
from variants.tone.recipes import NEUTRAL, Recipe, RecipeError, apply_recipe, bake_recipe

STEPS = st.sampled_from(list(CONCEPTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.floats(CONCEPTS[name].low, CONCEPTS[name].high))
)
RECIPES = st.builds(
    Recipe,
    steps=st.lists(STEPS, max_size=5).map(tuple),
    look=st.sampled_from(["", *LOOKS]),
    look_strength=st.just(1.0),
)


KEY = "f" * 64
COLOR_STEPS = st.sampled_from([name for name, concept in CONCEPTS.items() if concept.is_color_map]).flatmap(
    lambda name: st.tuples(st.just(name), st.floats(CONCEPTS[name].low, CONCEPTS[name].high))
)
SMOOTH = {
    "exposure": (-2, 1),
    "contrast": (-1, 1),
    "highlight": (-1, 1),
    "shadow": (-1, 1),
    "saturation": (-1, 0),
}
"""Concepts, and their strengths, that bend no colour at the edge of the gamut."""


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


def test_zero_has_one_key_whatever_its_sign():
    for recipes in (
        [Recipe(steps=(("exposure", zero),)) for zero in (0, 0.0, -0.0)],
        [Recipe(look="golden", look_strength=zero) for zero in (0, 0.0, -0.0)],
        [Recipe(lut=KEY, lut_strength=zero) for zero in (0, 0.0, -0.0)],
    ):
        assert len(set(recipes)) == len({recipe.key for recipe in recipes}) == 1


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
        ({"steps": [step(strength=-math.inf)]}, r"steps\[0\].strength is -inf"),
        ({"steps": [step(strength=10**400)]}, r"steps\[0\].strength is 10{39}; it must be a number"),
        ({"steps": [], "look": {"name": "golden", "strength": 10**400}}, "look.strength is 10{39}; it"),
        ({"steps": [step(strength=2.5)]}, r"steps\[0\].strength is 2.5"),
        ({"steps": [step("contrast", -1.01)]}, r"steps\[0\].strength is -1.01; .* from -1 to 1"),
        ({"steps": [{"concept": "exposure"}]}, r"steps\[0\] lacks the field 'strength'"),
        ({"steps": [step(stregth=1)]}, r"steps\[0\] has no field 'stregth'; did you mean 'strength'"),
        ({"steps": [], "look": "golden"}, "look is 'golden'; it must be an object"),
        ({"steps": [], "look": {"name": "goldn"}}, "look.name is 'goldn'.*did you mean 'golden'"),
        ({"steps": [], "look": {"name": ""}}, "look.name is empty"),
        ({"steps": [], "look": {"name": "golden", "strength": 2}}, "look.strength is 2"),
        ({"steps": [step()] * 51}, "at most 50"),
        ({"steps": [], "lut": KEY}, "lut is 'ffff.*; it must be an object"),
        ({"steps": [], "lut": {"sha256": KEY[:-1]}}, "lut.sha256 is 'fff.*must be 64 digits"),
        ({"steps": [], "lut": {"sha256": 7}}, "lut.sha256 is 7"),
        ({"steps": [], "lut": {"sha256": ""}}, "lut.sha256 is empty; leave lut out"),
        ({"steps": [], "lut": {"sha256": KEY, "strength": -0.1}}, "lut.strength is -0.1"),
        ({"steps": [], "lut": {"sha256": KEY}, "look": {"name": "golden"}}, "a look or a LUT, not both"),
        ({"steps": [], "undo": 1}, "undo is 1; it must be true or false"),
        (
            {"steps": [step(), step("sharpness", 0.5)], "undo": True},
            r"steps\[1\] \(sharpness 0.5\) cannot be undone: detail beyond",
        ),
        (
            {"steps": [step("saturation", -1)], "undo": True},
            r"\(saturation -1\).*: hardly any colour is left",
        ),
        ({"steps": [], "look": {"name": "golden"}, "undo": True}, "a table cannot be undone"),
        ({"steps": [], "lut": {"sha256": KEY}, "undo": True}, "a table cannot be undone"),
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


@pytest.fixture
def lut(rng):
    return Lut3D(table=rng.random((5, 5, 5, 3), dtype=np.float32) * np.float32(1.2) - np.float32(0.1))


def test_a_lut_comes_last_and_ends_at_black_and_white(lut, rng):
    image = rng.random((4, 5, 3))
    recipe = Recipe(steps=(("exposure", 0.7),), lut=lut.key, lut_strength=0.5)
    whole = np.clip(apply(adjust_exposure(image, 0.7), lut), 0, 1)
    wanted = (adjust_exposure(image, 0.7) + whole) / 2
    np.testing.assert_allclose(apply_recipe(image, recipe, {lut.key: lut}), wanted)
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe
    assert not recipe.is_neutral


def test_a_lut_that_is_not_at_hand_is_named(lut, rng):
    with pytest.raises(RecipeError, match=f"the LUT {lut.key} is not at hand"):
        apply_recipe(rng.random((4, 5, 3)), Recipe(lut=lut.key))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"steps": (("exposure", 0.5), ("sharpness", 1.0), ("tint", 0.3), ("vignetting", 1.0))},
        {"look": "golden"},
        {"lut": True},
        {"lut": True, "lut_strength": 0.3, "steps": (("contrast", 0.5),)},
    ],
)
def test_8_bits_float32_and_float64_and_torch_agree(fields, lut, rng):
    """On a photo of more pixels than are worked on at a time; 8 bits to the rounding at the end."""
    recipe = Recipe(**{**fields, "lut": lut.key if fields.get("lut") else ""})
    levels = rng.integers(0, 256, (300, 250, 3), dtype=np.uint8)
    wanted = apply_recipe(levels / 255, recipe, {lut.key: lut})
    found = apply_recipe((levels / 255).astype(np.float32), recipe, {lut.key: lut})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=0.02 / 255)
    by_torch = apply_recipe(torch.tensor(levels / 255), recipe, {lut.key: lut})
    np.testing.assert_allclose(by_torch.numpy(), wanted, atol=1e-9)
    found = apply_recipe(levels, recipe, {lut.key: lut})
    assert found.dtype == np.uint8
    assert np.abs(found - wanted * 255).max() < 0.51


@given(st.lists(STEPS, max_size=4), st.integers(0, 2**32 - 1))
def test_the_inverse_gives_the_photo_back_within_a_level(steps, seed):
    """Of dull colours in the middle, and strengths that leave them inside; what is clipped does not come back."""
    steps = tuple((name, strength / 4) for name, strength in steps if CONCEPTS[name].undo)
    rng = np.random.default_rng(seed)
    image = (rng.uniform(0.2, 0.7, (5, 4, 1)) + rng.uniform(-0.02, 0.02, (5, 4, 3))).astype(np.float32)
    recipe = Recipe(steps=steps)
    assert recipe.inverse().inverse() == recipe
    assert Recipe.from_json(recipe.inverse().to_json()) == recipe.inverse()
    found = apply_recipe(apply_recipe(image, recipe), recipe.inverse())
    assert np.abs(found - image).max() < 1 / 255


@settings(max_examples=40)
@given(
    st.sampled_from(list(SMOOTH)).flatmap(lambda name: st.tuples(st.just(name), st.floats(*SMOOTH[name]))),
    st.integers(0, 2**32 - 1),
)
def test_a_smooth_recipe_baked_is_the_recipe_itself(step, seed):
    """No colour is off by half a ΔE00 at 33³."""
    recipe = Recipe(steps=(step,))
    image = np.random.default_rng(seed).random((40, 50, 3), dtype=np.float32)
    assert baked_difference(image, recipe).max() < 0.5


@settings(max_examples=40)
@given(st.lists(COLOR_STEPS, max_size=4), st.sampled_from(["", *LOOKS]), st.integers(0, 2**32 - 1))
def test_any_colour_map_baked_is_the_recipe_itself_on_average(steps, look, seed):
    recipe = Recipe(steps=tuple((name, strength / 2) for name, strength in steps), look=look)
    image = np.random.default_rng(seed).random((40, 50, 3), dtype=np.float32)
    assert baked_difference(image, recipe).mean() < 0.5


def baked_difference(image, recipe):
    found = lut_engine.apply(image, bake_recipe(recipe, 33))
    return ciede2000(srgb_to_lab(found.astype(float)), srgb_to_lab(apply_recipe(image.astype(float), recipe)))


def test_a_baked_recipe_holds_its_lut(lut):
    baked = bake_recipe(Recipe(lut=lut.key), 9, {lut.key: lut}, title="mine")
    np.testing.assert_allclose(baked.table[::2, ::2, ::2], np.clip(lut.table, 0, 1), atol=1e-6)
    assert baked.title == "mine"


@pytest.mark.parametrize("name", ["sharpness", "vignetting"])
def test_what_no_lut_can_hold_is_refused(name):
    with pytest.raises(RecipeError, match=rf"steps\[1\] \({name}\) changes each place differently"):
        bake_recipe(Recipe(steps=(("exposure", 1), (name, 0.5))))


@given(RECIPES, st.integers(0, 2**32 - 1))
def test_every_recipe_gives_an_image(recipe, seed):
    image = np.random.default_rng(seed).random((4, 3, 3), dtype=np.float32)
    result = apply_recipe(image, recipe)
    assert result.dtype == np.float32
    assert result.min() >= 0
    assert result.max() <= 1
