import hashlib
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.variants.factories import make_scene
from variants import rendering
from variants.jobs import JobCancelled
from variants.models import Pair, RenderJob, Rendition
from variants.rendering import pairs_build, renditions_render
from variants.services import renditions_plan
from variants.tasks import render_task
from variants.tone.difference import mean_ciede2000
from variants.tone.images import decode_image, fit_long_side, read_photo
from variants.tone.recipes import NEUTRAL, Recipe, apply_recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
BRIGHT = Recipe(steps=(("exposure", 0.6),))
RECIPES = [
    NEUTRAL,
    BRIGHT,
    Recipe(steps=(("exposure", -0.6),)),
    Recipe(steps=(("saturation", -0.8),)),
    Recipe(steps=(("temperature", 0.6), ("contrast", 0.5))),
    Recipe(look="golden"),
]
SETTINGS: dict[str, Any] = {"long_side": 48, "encoding": "webp_lossless"}
WINDOW: dict[str, Any] = {"min_delta_e": 1, "max_delta_e": 30, "max_per_scene": 8, "seed": 3}


@pytest.fixture
def scene(tmp_path):
    return make_scene(tmp_path)


def render(scenes, recipes=RECIPES, **fields):
    job = renditions_plan(scenes, recipes, **(SETTINGS | fields))
    job.run(renditions_render)
    return job


def content(rendition):
    with rendition.image.open("rb") as file:
        return file.read()


def stored_files():
    return default_storage.listdir("renditions")[1]


def test_every_rendition_is_its_recipe_on_the_photo(scene):
    job = render([scene])
    assert (job.state, job.done, job.total) == ("done", 6, 6)
    with scene.original.open("rb") as file:
        photo = fit_long_side(read_photo(file).pixels, 48)
    for row in scene.renditions.all():
        wanted = apply_recipe(photo, Recipe.from_json(row.recipe))
        assert np.abs(decode_image(content(row)) - wanted).max() <= 0.5 / 255 + 1e-6
        assert (row.state, row.width, row.height) == ("rendered", 48, 36)
        assert row.sha256 == hashlib.sha256(content(row)).hexdigest()
        assert row.image.name == f"renditions/{row.public_id}.webp"


def test_the_neutral_rendition_is_the_photo_and_is_never_scaled_up(scene):
    render([scene], [NEUTRAL], long_side=4000)
    row = scene.renditions.get()
    assert (row.width, row.height) == (80, 60)
    with scene.original.open("rb") as file:
        assert np.array_equal(decode_image(content(row)), read_photo(file).pixels)


def test_the_same_recipe_gives_the_same_bytes(scene):
    render([scene], [BRIGHT])
    first = content(scene.renditions.get())
    scene.renditions.all().delete()
    render([scene], [BRIGHT])
    assert content(scene.renditions.get()) == first


def test_a_photo_is_decoded_once_for_all_its_renditions(scene, monkeypatch):
    calls = []

    def counted(*args, **kwargs):
        calls.append(args)
        return read_photo(*args, **kwargs)

    monkeypatch.setattr(rendering, "read_photo", counted)
    render([scene])
    assert len(calls) == 1


def test_a_failed_rendition_carries_its_reason_and_the_job_goes_on(tmp_path):
    scene, lost = make_scene(tmp_path, 1), make_scene(tmp_path, 2, name="the lost one")
    job = renditions_plan([lost, scene], [NEUTRAL, BRIGHT], **SETTINGS)
    default_storage.delete(str(lost.original.name))
    odd = scene.renditions.all()[0]
    Rendition.objects.filter(pk=odd.pk).update(recipe={"steps": [{"concept": "exposur", "strength": 1}]})
    job.run(renditions_render)
    assert (job.state, job.stage, job.done) == ("done", "rendered; 3 of 4 failed", 4)
    assert sorted(Rendition.objects.values_list("state", flat=True)) == ["failed"] * 3 + ["rendered"]
    odd.refresh_from_db()
    assert "did you mean 'exposure'" in odd.error
    assert "the lost one: its original" in lost.renditions.all()[0].error


def test_a_job_of_which_nothing_could_be_made_fails(scene):
    job = renditions_plan([scene], [NEUTRAL, BRIGHT], **SETTINGS)
    default_storage.delete(str(scene.original.name))
    job.run(renditions_render)
    assert job.state == "failed"
    assert job.error.startswith("None of the 2 renditions could be made. The first: photo0: its original")


def test_a_scene_without_original_says_so(scene):
    scene.original = ""
    scene.save()
    render([scene], [NEUTRAL])
    assert "has no original to render from" in scene.renditions.get().error


def test_a_cancelled_job_keeps_what_is_whole_and_another_finishes_it(tmp_path):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    job = renditions_plan(scenes, RECIPES, **SETTINGS)
    reports = []

    def report(done, total, stage=""):
        reports.append(done)
        if done >= 3:
            raise JobCancelled

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "report", report)
        patch.setattr(rendering, "throttled", lambda report, seconds: report)
        job.run(renditions_render)
    assert job.state == "cancelled"
    assert reports == [0, 1, 2, 3]
    assert Rendition.objects.filter(state="rendered").count() == 3
    before = {row.pk: row.image.name for row in Rendition.objects.filter(state="rendered")}
    again = render(scenes)
    assert again.total == 9
    assert Rendition.objects.filter(state="rendered").count() == 12
    assert before.items() <= {row.pk: row.image.name for row in Rendition.objects.all()}.items()
    assert len(stored_files()) == 12


def test_a_kill_between_file_and_row_leaves_one_whole_file(scene):
    """A half-written file lies where the rendition goes, and its row is still planned."""
    job = renditions_plan([scene], [NEUTRAL], **SETTINGS)
    row = scene.renditions.get()
    default_storage.save(f"renditions/{row.public_id}.webp", ContentFile(b"half"))
    job.run(renditions_render)
    row.refresh_from_db()
    assert stored_files() == [f"{row.public_id}.webp"]
    assert hashlib.sha256(content(row)).hexdigest() == row.sha256


def test_who_comes_second_changes_nothing(scene):
    """Two workers at one row: the slower one finds it rendered, whatever it has made itself."""
    render([scene], [NEUTRAL])
    row = scene.renditions.get()
    rendering._rendition_store(row, "too late")
    row.refresh_from_db()
    assert (row.state, row.error) == ("rendered", "")


def test_the_task_runs_the_job(scene):
    job = renditions_plan([scene], [NEUTRAL], **SETTINGS)
    render_task(job.pk)
    assert RenderJob.objects.get(pk=job.pk).state == "done"
    assert job.task == render_task.name


def graph(pairs):
    return [(pair.image_a_id, pair.image_b_id) for pair in pairs]


def is_connected(edges):
    group = set(edges[0])
    for _ in edges:
        group |= {node for edge in edges if group & set(edge) for node in edge}
    return group == {node for edge in edges for node in edge}


def test_pairs_are_connected_within_the_window_and_hold_the_neutral(tmp_path):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    render(scenes)
    pairs = pairs_build(scenes, **WINDOW)
    for scene in scenes:
        mine = [pair for pair in pairs if pair.scene_id == scene.pk]
        neutral = scene.renditions.get(recipe={"steps": []})
        assert 5 <= len(mine) <= 8
        assert is_connected(graph(mine))
        assert neutral.pk in {key for edge in graph(mine) for key in edge}
    assert all(1 <= pair.delta_e <= 30 for pair in pairs)
    pair = pairs[0]
    wanted = mean_ciede2000(*(decode_image(content(image)) for image in (pair.image_a, pair.image_b)))
    assert pair.delta_e == pytest.approx(wanted, abs=1e-3)


def test_building_again_gives_the_same_pairs_and_makes_none_twice(scene):
    render([scene])
    first = pairs_build([scene], **WINDOW)
    assert pairs_build([scene], **WINDOW) == first
    assert Pair.objects.count() == len(first)
    other = pairs_build([scene], **(WINDOW | {"seed": 4}))
    assert graph(other) != graph(first)


def test_renditions_of_two_sizes_never_meet(scene):
    render([scene])
    render([scene], long_side=32)
    sizes = {(pair.image_a.long_side, pair.image_b.long_side) for pair in pairs_build([scene], **WINDOW)}
    assert sizes == {(48, 48), (32, 32)}
    only = pairs_build([scene], **WINDOW, long_side=32, encoding="webp_lossless")
    assert {(pair.image_a.long_side, pair.image_b.long_side) for pair in only} == {(32, 32)}


def test_only_rendered_renditions_are_paired(scene):
    render([scene])
    thrown_out = scene.renditions.all()[0]
    Rendition.objects.filter(pk=thrown_out.pk).update(state="rejected")
    renditions_plan([scene], [Recipe(look="soft_film")], **SETTINGS)
    used = {key for edge in graph(pairs_build([scene], **WINDOW)) for key in edge}
    assert used == set(scene.renditions.filter(state="rendered").values_list("pk", flat=True))


def test_pairing_says_how_far_it_is(tmp_path):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    render(scenes, RECIPES[:2])
    calls = []
    pairs_build(scenes, **WINDOW, report=lambda *call: calls.append(call))
    assert calls == [(done, 2, "comparing renditions") for done in (0, 1, 2)]
