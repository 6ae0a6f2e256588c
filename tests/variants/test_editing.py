"""From orders to renditions of source C, with real models of random weights."""

import numpy as np
import pytest

from tests.variants.factories import make_scene
from variants import editing
from variants.editing import judged
from variants.jobs import JobCancelled
from variants.models import Rendition
from variants.rendering import pairs_build, renditions_render
from variants.services import renditions_plan, scene_import
from variants.sources import drift
from variants.sources.cameras import CAMERAS, develop
from variants.sources.generated import EditRecipe, Sampling, instructed_recipes, written_recipes
from variants.sources.packaged import PHOTOS
from variants.tone.images import decode_image, fit_long_side, read_photo
from variants.tone.recipes import NEUTRAL

SMALL = 96 * 64 / 2**20


@pytest.fixture
def site(db, media, settings):
    settings.DIFFUSION = {"device": "cpu", "dtype": "auto", "offload": "none", "batch": 1}


@pytest.fixture
def lenient(monkeypatch):
    """What random weights draw is noise, which the guard throws out: here it may stay."""
    monkeypatch.setattr(drift, "MIN_LIKENESS", -1.0)


def edits(model, n=2, instructions=("warm the light", "cool it"), **fields):
    sampling = Sampling(model=model, seed=3, steps=1, **fields)
    return instructed_recipes(n, sampling, instructions, SMALL)


def written(editor, writer, n=2):
    return written_recipes(n, Sampling(model=editor, seed=3, steps=1), writer, megapixels=SMALL)


def render(scenes, recipes):
    job = renditions_plan(scenes, recipes, long_side=72, encoding="png")
    job.run(renditions_render)
    return job


def content(rendition):
    with rendition.image.open("rb") as file:
        return file.read()


def edited(scene):
    return list(scene.renditions.filter(source_type="C"))


@pytest.mark.usefixtures("site", "lenient")
def test_edits_are_renditions_that_pair_with_the_photo_and_each_other(tmp_path, tiny):
    scene = make_scene(tmp_path)
    job = render([scene], [NEUTRAL, *edits(tiny("kontext"))])
    assert (job.state, job.done) == ("done", 3)
    rows = edited(scene)
    assert [row.recipe["diffusion_edit"]["instruction"] for row in rows] == ["warm the light", "cool it"]
    assert {(row.state, row.width, row.height) for row in rows} == {("rendered", 72, 54)}
    assert all(set(row.measures) == {"made_at", "likeness", "mean_likeness", "least_at"} for row in rows)
    assert rows[0].recipe["diffusion_edit"]["guidance"] == 2.5, "what the order left open stands there now"
    pairs = pairs_build([scene], min_delta_e=0, max_delta_e=200, max_per_scene=9, seed=1)
    assert len(pairs) == 3
    assert {pair.source_type for pair in pairs} == {"C"}


@pytest.mark.usefixtures("site")
def test_what_shows_something_else_is_thrown_out_and_can_be_looked_at(tiny):
    scene = scene_import(PHOTOS[1].path).scene
    job = render([scene], [NEUTRAL, *edits(tiny("kontext"))])
    assert (job.state, job.stage) == ("done", "rendered; 2 of 3 thrown out")
    for row in edited(scene):
        assert row.state == "rejected"
        assert row.error.startswith("its content is not the photo's: likeness of edges")
        assert row.measures["likeness"] < drift.MIN_LIKENESS
        assert decode_image(content(row)).shape == (48, 72, 3)
    assert render([scene], [NEUTRAL, *edits(tiny("kontext"))]).total == 0, "it is not made again"


@pytest.mark.usefixtures("site", "lenient")
def test_the_same_order_gives_the_same_bytes(tmp_path, tiny):
    scene = make_scene(tmp_path)
    render([scene], edits(tiny("pix2pix")))
    before = [row.sha256 for row in edited(scene)]
    scene.renditions.all().delete()
    render([scene], edits(tiny("pix2pix")))
    assert [row.sha256 for row in edited(scene)] == before
    assert len(set(before)) == 2


@pytest.mark.usefixtures("site", "lenient")
def test_written_instructions_are_stored_with_their_renditions(tmp_path, tiny):
    scene = make_scene(tmp_path)
    job = render([scene], written(tiny("kontext"), tiny("llava")))
    assert (job.state, job.done) == ("done", 2)
    for row in edited(scene):
        recipe = EditRecipe.from_json(row.recipe)
        assert recipe.writer.model == tiny("llava")
        assert recipe.instruction.split()
        assert row.state == "rendered"
    assert render([scene], written(tiny("kontext"), tiny("llava"))).total == 0, "it is the same order still"


@pytest.mark.usefixtures("site", "lenient")
def test_a_cancelled_job_keeps_what_is_written_and_goes_on_from_there(tmp_path, tiny, monkeypatch):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    recipes = written(tiny("kontext"), tiny("llava"), n=1)
    job = renditions_plan(scenes, recipes, long_side=72, encoding="png")
    with monkeypatch.context() as patch:
        patch.setattr(editing, "load_pipeline", cancelling)
        job.run(renditions_render)
    assert job.state == "cancelled"
    before = {row.pk: row.recipe["diffusion_edit"]["instruction"] for row in Rendition.objects.all()}
    assert all(before.values())
    monkeypatch.setattr(editing, "load_writer", cancelling)  # it is not needed any more
    again = render(scenes, recipes)
    assert (again.state, again.total) == ("done", 2)
    assert {row.pk: row.recipe["diffusion_edit"]["instruction"] for row in Rendition.objects.all()} == before


def cancelling(*args):
    raise JobCancelled


@pytest.mark.usefixtures("site", "lenient")
def test_a_model_that_is_not_there_costs_its_own_edits_only(tmp_path, tiny):
    scene = make_scene(tmp_path)
    missing = str(tmp_path / "nothing")
    job = render(
        [scene], [*edits(missing, n=1), *edits(tiny("kontext"), n=1), *written(tiny("kontext"), missing, n=1)]
    )
    assert (job.state, job.stage) == ("done", "rendered; 2 of 3 failed")
    lost, made, unwritten = edited(scene)
    assert made.state == "rendered"
    assert lost.error == f"{missing} does not exist; check the path, or copy the model's folder there"
    assert unwritten.error == lost.error


@pytest.mark.usefixtures("site", "lenient")
def test_an_error_inside_a_model_costs_its_own_edit_only(tmp_path, tiny, fails_on, caplog):
    fails_on("FluxKontextPipeline", "warm the light", RuntimeError("shapes differ"))
    job = render([make_scene(tmp_path)], edits(tiny("kontext")))
    assert (job.state, job.stage) == ("done", "rendered; 1 of 2 failed")
    assert Rendition.objects.get(state="failed").error == (
        f"{tiny('kontext')} failed at 96×64 with 'warm the light': RuntimeError: shapes differ."
    )
    assert "Traceback" in caplog.text


@pytest.mark.usefixtures("site", "lenient")
def test_a_photo_that_cannot_be_read_costs_its_own_edits_only(tmp_path, tiny):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    scenes[0].original.storage.delete(scenes[0].original.name)
    job = render(scenes, edits(tiny("kontext"), n=1))
    assert (job.state, job.stage) == ("done", "rendered; 1 of 2 failed")
    assert "cannot be read" in edited(scenes[0])[0].error


PHOTO = fit_long_side(read_photo(PHOTOS[1].path).pixels, 300)


def test_a_picture_of_another_size_is_brought_back_where_the_shape_agrees():
    height, width = PHOTO.shape[:2]
    toned = develop(PHOTO, CAMERAS["old_film"])
    outcome = judged(PHOTO, fit_long_side(toned, 150), (1200, 800), "png")
    assert outcome.rejected == ""
    assert (outcome.width, outcome.height) == (width, height)
    assert outcome.measures["made_at"] == [150, 100]
    assert outcome.measures["likeness"] > drift.MIN_LIKENESS
    assert decode_image(outcome.data).shape == PHOTO.shape


def test_a_picture_of_another_shape_is_thrown_out_with_the_reason():
    outcome = judged(PHOTO, np.ascontiguousarray(PHOTO[:, :200]), (300, 200), "png")
    assert outcome.rejected == "the model gave 200×200, another shape than the 300×200 asked for"
    assert outcome.measures == {"made_at": [200, 200]}
    assert (outcome.width, outcome.height) == (200, 200)
