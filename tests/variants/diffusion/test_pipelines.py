"""Real pipelines with random weights: what they draw is noise, how they are loaded and asked is what is seen here."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.variants import pictures
from variants.diffusion.machine import DiffusionError, Machine, Stopped
from variants.diffusion.pipelines import EDITORS, GENERATORS, load_pipeline
from variants.sources.generated import EditRecipe, PictureRecipe, Sampling
from variants.tone.images import from_8_bit

CPU = Machine(device="cpu")
PHOTO = from_8_bit(pictures.levels(60, 90))
SMALL = 96 * 64 / 2**20
"""Megapixels."""


def order(model, seed=0, **fields):
    return Sampling(model=model, seed=seed, steps=2, **fields)


def edit(model, instruction="warm the light", seed=0, megapixels=SMALL):
    return EditRecipe(sampling=order(model, seed), instruction=instruction, megapixels=megapixels)


def picture(model, prompt="a lake", seed=0, size=(96, 64)):
    return PictureRecipe(sampling=order(model, seed), prompt=prompt, size=size)


@pytest.mark.parametrize("name", ["kontext", "pix2pix"])
def test_an_editor_gives_the_photos_shape_and_the_same_again(tiny, name):
    model = tiny(name)
    first, again = (load_pipeline(order(model), EDITORS, CPU).edit(PHOTO, [edit(model)])[0] for _ in range(2))
    assert first.shape == (64, 96, 3)
    assert 0 <= first.min() < first.max() <= 1
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ["kontext", "pix2pix"])
def test_seed_instruction_and_photo_decide_what_comes_out(tiny, name):
    model = tiny(name)
    editor = load_pipeline(order(model), EDITORS, CPU)
    first = editor.edit(PHOTO, [edit(model)])[0]
    others = [
        editor.edit(PHOTO, [edit(model, seed=1)])[0],
        editor.edit(PHOTO, [edit(model, "cool it")])[0],
        editor.edit(1 - PHOTO, [edit(model)])[0],
    ]
    assert all(np.abs(other - first).max() > 1e-5 for other in others)


@pytest.mark.parametrize("name", ["kontext", "pix2pix"])
def test_a_batch_makes_what_one_at_a_time_makes(tiny, name):
    model = tiny(name)
    editor = load_pipeline(order(model), EDITORS, replace(CPU, batch=3))
    assert editor.at_once == 3
    recipes = [edit(model), edit(model, "cool it", seed=5)]
    together = editor.edit(PHOTO, recipes)
    for made, recipe in zip(together, recipes, strict=True):
        assert np.abs(made - editor.edit(PHOTO, [recipe])[0]).max() < 0.5 / 255


@pytest.mark.slow
def test_qwen_edits_at_one_megapixel_whatever_the_photo(tiny):
    model = tiny("qwen_edit")
    editor = load_pipeline(order(model), EDITORS, replace(CPU, batch=4))
    assert editor.at_once == 1
    recipe = EditRecipe(sampling=replace(order(model), steps=1, guidance=1.0), instruction="warm the light")
    assert editor.edit(PHOTO, [recipe])[0].shape == (768, 1152, 3)
    assert editor.working_size(PHOTO, recipe) == (1248, 832)
    with pytest.raises(DiffusionError, match="works at 1 megapixels and at no other size"):
        editor.edit(PHOTO, [edit(model)])


@pytest.mark.parametrize(("name", "size"), [("flux", (96, 64)), ("qwen", (128, 256))])
def test_a_generator_makes_pictures_of_the_size_asked_for(tiny, name, size):
    model = tiny(name)
    generator = load_pipeline(order(model), GENERATORS, CPU)
    recipes = [picture(model, size=size), picture(model, "a street", size=size)]
    first, other = generator.picture(recipes)
    assert first.shape == other.shape == (size[1], size[0], 3)
    assert np.abs(first - other).max() > 1e-5
    assert np.array_equal(first, generator.picture(recipes)[0])


def test_what_an_order_leaves_open_is_filled_in(tiny):
    editor = load_pipeline(order(tiny("kontext")), EDITORS, CPU)
    recipe = EditRecipe(sampling=Sampling(model=tiny("kontext"), seed=4), instruction="warm it")
    assert editor.settled_edit(recipe).to_json()["diffusion_edit"] | {"model": ""} == {
        "model": "",
        "revision": "",
        "seed": 4,
        "steps": 28,
        "guidance": 2.5,
        "megapixels": 1.0,
        "instruction": "warm it",
    }


def test_an_edit_can_be_stopped_at_its_next_step(tiny):
    editor = load_pipeline(order(tiny("kontext")), EDITORS, CPU)
    asked = []
    with pytest.raises(Stopped):
        editor.edit(PHOTO, [edit(tiny("kontext"))], lambda: not asked.append(None))
    assert len(asked) == 1


def test_a_model_of_another_kind_is_named(tiny):
    with pytest.raises(
        DiffusionError, match="is a FluxPipeline; what can be used here is FluxKontextPipeline, Qwen"
    ):
        load_pipeline(order(tiny("flux")), EDITORS, CPU)
    with pytest.raises(
        DiffusionError, match="is a FluxKontextPipeline; what can be used here is FluxPipeline"
    ):
        load_pipeline(order(tiny("kontext")), GENERATORS, CPU)


def test_a_size_that_a_generator_cannot_make_is_refused(tiny):
    generator = load_pipeline(order(tiny("flux")), GENERATORS, CPU)
    with pytest.raises(DiffusionError, match="makes sides in multiples of 16 pixels; 100×64 is not one"):
        generator.picture([picture("m", size=(100, 64))])


@pytest.fixture
def broken(tiny, tmp_path):
    """A copy of a model, to be spoilt."""
    return Path(shutil.copytree(tiny("kontext"), tmp_path / "model"))


def test_missing_weights_are_named(broken):
    (broken / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(DiffusionError, match=r"cannot be loaded: .*diffusion_pytorch_model") as caught:
        load_pipeline(order(str(broken)), EDITORS, CPU)
    assert "\n" not in str(caught.value)
    assert "get them by copying its folder here whole" in str(caught.value)


def test_damaged_weights_are_named(broken):
    path = broken / "vae" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DiffusionError, match="model cannot be loaded: "):
        load_pipeline(order(str(broken)), EDITORS, CPU)


def test_a_damaged_configuration_is_named(broken, caplog):
    """The libraries say it with errors of many kinds."""
    path = broken / "transformer" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_attention_heads": "two"}))
    with pytest.raises(DiffusionError, match="model cannot be loaded: TypeError: ") as caught:
        load_pipeline(order(str(broken)), EDITORS, CPU)
    assert "\n" not in str(caught.value)
    assert "Traceback" in caplog.text


def test_an_index_that_is_no_json_is_named(broken):
    (broken / "model_index.json").write_text("{")
    with pytest.raises(DiffusionError, match=r"model_index.json cannot be read"):
        load_pipeline(order(str(broken)), EDITORS, CPU)


def test_out_of_memory_says_what_takes_less(tiny):
    """A picture of 256 million megapixels: no allocator has that."""
    generator = load_pipeline(order(tiny("flux")), GENERATORS, replace(CPU, batch=2))
    huge = picture(tiny("flux"))
    object.__setattr__(huge, "size", (2**24, 2**24))  # the recipe itself refuses it
    with pytest.raises(
        DiffusionError, match=r"out of memory with .* in float32 on cpu\. What helps: "
    ) as caught:
        generator.picture([huge])
    helps = str(caught.value).partition("What helps: ")[2].split(", ", 2)
    assert helps == ["DIFFUSION_BATCH=1", "DIFFUSION_DTYPE=bfloat16", "fewer pixels (--megapixels, --size)"]
    assert generator.picture([picture(tiny("flux"))])[0].shape == (64, 96, 3), (
        "the next one is made all the same"
    )


def test_numbers_beyond_the_type_are_no_picture(tiny):
    generator = load_pipeline(order(tiny("flux")), GENERATORS, CPU)
    generator.pipe.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    with warnings.catch_warnings(), pytest.raises(DiffusionError, match="set DIFFUSION_DTYPE=bfloat16"):
        generator.picture([picture(tiny("flux"))])


def test_half_precision_runs(tiny):
    machine = Machine(device="cpu", dtype="bfloat16")
    editor = load_pipeline(order(tiny("kontext")), EDITORS, machine)
    assert str(editor.pipe.transformer.dtype) == "torch.bfloat16"
    assert editor.edit(PHOTO, [edit(tiny("kontext"))])[0].dtype == np.float32


def test_the_index_on_disk_decides_the_class(tiny):
    index = json.loads((Path(tiny("pix2pix")) / "model_index.json").read_text())
    loaded = load_pipeline(order(tiny("pix2pix")), EDITORS, CPU)
    assert type(loaded.pipe).__name__ == index["_class_name"] == "StableDiffusionInstructPix2PixPipeline"
