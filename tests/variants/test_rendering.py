import hashlib
from collections import Counter
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from tests.variants.factories import make_scene
from variants import rendering, storing
from variants.jobs import JobCancelled
from variants.models import Pair, RenderJob, Rendition
from variants.rendering import pairs_build, renditions_render
from variants.services import lut_import, renditions_plan, scene_set_import
from variants.sources.alignment import offset_between
from variants.sources.cameras import CAMERAS, CameraRecipe, camera_recipes, develop
from variants.sources.manifest import Entry
from variants.sources.packaged import PHOTOS
from variants.tasks import render_task
from variants.tone.cube import write_cube
from variants.tone.difference import mean_ciede2000
from variants.tone.images import decode_image, encode_image, fit_long_side, read_photo
from variants.tone.luts import apply as apply_lut
from variants.tone.luts import bake
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


def test_at_full_size_a_lookup_is_exact_to_the_rounding(scene):
    """There the photo stays in its 8 bits; other recipes go by way of floating point as ever."""
    render([scene], long_side=80)
    with scene.original.open("rb") as file:
        photo = read_photo(file).pixels
    for row in scene.renditions.all():
        wanted = apply_recipe(photo.astype(np.float64), Recipe.from_json(row.recipe))
        assert np.abs(decode_image(content(row)) - wanted).max() <= 0.51 / 255


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

    monkeypatch.setattr(storing, "read_photo", counted)
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
    storing.rendition_store(row, "too late")
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


def test_known_pairs_are_counted_and_built_on(scene):
    render([scene], RECIPES[:4])
    first = pairs_build([scene], **WINDOW)
    render([scene], RECIPES)
    second = pairs_build([scene], **WINDOW, known=first)
    assert not set(first) & set(second)
    assert len(first) + len(second) == 8
    assert is_connected(graph([*first, *second]))
    assert pairs_build([scene], **WINDOW, known=[*first, *second]) == []


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


def make_set(folder, pixels):
    entries = []
    for maker, image in pixels.items():
        path = folder / f"{maker}.png"
        path.write_bytes(encode_image(image, "png"))
        entries.append(Entry(path=path, where=path.name, scene="set", maker=maker))
    return entries


def test_files_of_a_set_are_served_at_one_size_and_compared(tmp_path):
    photo = fit_long_side(read_photo(PHOTOS[1].path).pixels, 240)
    files = {"alice": photo, "bob": fit_long_side(photo**0.7, 200), "carol": photo**1.4}
    scene = scene_set_import(make_set(tmp_path, files), source_type="A").scene
    job = render([scene], long_side=150)
    assert (job.state, job.total) == ("done", 3)
    assert {(row.width, row.height) for row in scene.renditions.all()} == {(150, 100)}
    alice = scene.renditions.get(recipe__file__maker="alice")
    assert np.abs(decode_image(content(alice)) - fit_long_side(photo, 150)).max() <= 1 / 255
    pairs = pairs_build([scene], **WINDOW)
    assert len(pairs) == 3
    assert {pair.source_type for pair in pairs} == {"A"}


def test_cameras_lie_on_each_other_where_they_are_served(tmp_path):
    """The second saw the scene from 40 pixels further on, at another size: served, its structure is the first's."""
    scene = fit_long_side(read_photo(PHOTOS[4].path).pixels, 600)
    width = scene.shape[1]
    files = {"one": scene[:, : width - 40], "two": fit_long_side(scene[:, 40:] ** 1.1, 500)}
    found = scene_set_import(make_set(tmp_path, files), source_type="B").scene
    render([found], long_side=400)
    one, two = (decode_image(content(row)) for row in found.renditions.order_by("pk"))
    assert one.shape == two.shape
    offset = offset_between(one, two)
    assert (offset.shift, offset.similarity > 0.97) == (0, True)


def test_a_recipe_with_a_lut_is_rendered_by_its_file(scene, tmp_path):
    table = bake(lambda colours: colours**1.3, 17)
    write_cube(table, tmp_path / "dark.cube")
    recipe = Recipe(lut=lut_import(tmp_path / "dark.cube").key)
    render([scene], [recipe, Recipe(lut="0" * 64)])
    row = scene.renditions.get(recipe=recipe.to_json())
    with scene.original.open("rb") as file:
        photo = fit_long_side(read_photo(file).pixels, 48)
    assert np.abs(decode_image(content(row)) - apply_lut(photo, table)).max() < 1 / 255
    lost = scene.renditions.exclude(pk=row.pk).get()
    assert (lost.state, "import its file first" in lost.error) == ("failed", True)


def test_simulated_cameras_are_rendered_and_say_so(scene):
    render([scene], [CameraRecipe(camera="old_film")])
    row = scene.renditions.get()
    assert row.recipe["simulated_camera"] == "old_film"
    with scene.original.open("rb") as file:
        photo = fit_long_side(read_photo(file).pixels, 48)
    wanted = develop(photo, CAMERAS["old_film"])
    assert np.abs(decode_image(content(row)) - wanted).max() <= 0.5 / 255 + 1e-6


def test_simulated_cameras_and_controlled_edits_meet_only_in_the_neutral_rendition(scene):
    render([scene], [*RECIPES, *camera_recipes()])
    pairs = pairs_build([scene], **(WINDOW | {"max_per_scene": 24}), quotas={"B": 0.75, "D": 0.25})
    assert Counter(pair.source_type for pair in pairs) == {"B": 18, "D": 6}
    for pair in pairs:
        sources = {row.source_type for row in (pair.image_a, pair.image_b) if row.recipe != {"steps": []}}
        assert sources == {pair.source_type}


def test_renditions_of_different_shapes_are_not_paired(scene):
    render([scene])
    Rendition.objects.filter(recipe=BRIGHT.to_json()).update(width=47)
    used = {row.pk for pair in pairs_build([scene], **WINDOW) for row in (pair.image_a, pair.image_b)}
    assert Rendition.objects.get(width=47).pk not in used
