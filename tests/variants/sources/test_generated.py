import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from variants.sources.generated import (
    ASPECTS,
    MAX_INSTRUCTION,
    EditRecipe,
    PictureRecipe,
    Sampling,
    Writing,
    clean_instruction,
    instructed_recipes,
    working_size,
    written_recipes,
)

SAMPLING = Sampling(model="owner/name", revision="abc", seed=3, steps=20, guidance=2.5)


@pytest.mark.parametrize(
    "recipe",
    [
        EditRecipe(sampling=SAMPLING, instruction="warm the light", megapixels=0.5),
        EditRecipe(sampling=SAMPLING, writer=Writing(model="owner/writer", question="what?", seed=4)),
        PictureRecipe(sampling=SAMPLING, prompt="a lake at dawn", size=(640, 480)),
    ],
)
def test_a_recipe_comes_back_from_its_json(recipe):
    data = json.loads(json.dumps(recipe.to_json()))
    assert type(recipe).from_json(data) == recipe
    assert type(recipe).from_json(data).key == recipe.key


def test_a_recipe_tells_all_that_makes_it_again():
    data = EditRecipe(sampling=SAMPLING, instruction="warm the light").to_json()["diffusion_edit"]
    assert data == {
        "model": "owner/name",
        "revision": "abc",
        "seed": 3,
        "steps": 20,
        "guidance": 2.5,
        "megapixels": None,
        "instruction": "warm the light",
    }


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EditRecipe(sampling=SAMPLING, instruction="  "), "the instruction is empty"),
        (lambda: EditRecipe(sampling=SAMPLING, instruction="x", megapixels=0), "megapixels is 0"),
        (lambda: PictureRecipe(sampling=SAMPLING, prompt="\n"), "the prompt is empty"),
        (lambda: PictureRecipe(sampling=SAMPLING, prompt="x", size=(32, 640)), "size is 32×640"),
        (lambda: Sampling(model=" "), "model is empty"),
        (lambda: Sampling(model="m", seed=-1), "seed is -1"),
        (lambda: Sampling(model="m", steps=0), "steps is 0"),
        (lambda: Sampling(model="m", guidance=float("nan")), "guidance is nan"),
        (lambda: Writing(model="", question="?"), "the writer's model is empty"),
    ],
)
def test_what_cannot_be_carried_out_is_no_recipe(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_instructions_are_taken_in_turn_with_seeds_of_their_own():
    recipes = instructed_recipes(3, SAMPLING, ["warm", "cool"])
    assert [(r.instruction, r.sampling.seed) for r in recipes] == [("warm", 3), ("cool", 4), ("warm", 5)]
    assert instructed_recipes(3, SAMPLING, []) == []


def test_each_photos_edits_are_asked_for_by_other_aspects():
    recipes = written_recipes(len(ASPECTS), SAMPLING, "owner/writer")
    assert len({recipe.writer.question for recipe in recipes}) == len(ASPECTS)
    assert len({recipe.key for recipe in recipes}) == len(ASPECTS)
    assert all(recipe.instruction == "" for recipe in recipes)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("Warm the light.", "Warm the light."),
        ('  "Warm the\n\n light."  ', "Warm the light."),
        ("**Instruction:** Warm the light.", "Warm the light."),
        ("1. Lift the shadows.", "Lift the shadows."),
        ("Warm * the light.", "Warm the light."),
        ("Retouching instruction: lift the shadows", "lift the shadows"),
        ("Make it warmer. " * 30, ("Make it warmer. " * 18).strip()),
        ("warm " * 100, ("warm " * 60).strip()),
    ],
)
def test_an_answer_becomes_one_plain_line(answer, wanted):
    assert clean_instruction(answer) == wanted


@pytest.mark.parametrize("answer", ["", " \n ", "...", '""', "12345"])
def test_an_answer_without_words_is_no_instruction(answer):
    with pytest.raises(ValueError, match="the model wrote no instruction"):
        clean_instruction(answer)


@given(st.text(max_size=1000))
def test_whatever_is_answered_is_one_bounded_line_or_refused(answer):
    try:
        text = clean_instruction(answer)
    except ValueError:
        return
    assert 1 <= len(text) <= MAX_INSTRUCTION
    assert text.isprintable()
    assert text == text.strip()
    assert "  " not in text


@given(
    st.tuples(st.integers(100, 8000), st.integers(100, 8000)),
    st.floats(0.1, 4),
    st.sampled_from([8, 16, 32]),
)
def test_a_working_size_has_the_photos_proportions(size, megapixels, multiple):
    wide, high = working_size(size, megapixels, multiple)
    assert (wide % multiple, high % multiple) == (0, 0)
    scale = (megapixels * 2**20 / (size[0] * size[1])) ** 0.5
    assert abs(wide - size[0] * scale) <= max(multiple / 2, multiple - size[0] * scale) + 1e-6
    assert abs(high - size[1] * scale) <= max(multiple / 2, multiple - size[1] * scale) + 1e-6


def test_a_square_photo_is_edited_at_the_size_that_models_are_trained_at():
    assert working_size((576, 576), 1.0, 16) == (1024, 1024)
    assert working_size((768, 512), 1.0, 32) == (1248, 832)
