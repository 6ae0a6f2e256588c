import shutil
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import DatabaseError

from tests.variants import pictures
from tests.variants.factories import make_photo, make_scene
from variants.jobs import Job
from variants.models import Rendition, Scene
from variants.services import rendition_key, renditions_plan, scene_import
from variants.tone.images import ImageError, Limits
from variants.tone.recipes import NEUTRAL, Recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]
BRIGHT = Recipe(steps=(("exposure", 0.5),))
SETTINGS: dict[str, Any] = {"long_side": 64, "encoding": "png"}


def stored_files():
    try:
        return default_storage.listdir("originals")[1]
    except FileNotFoundError:
        return []


def test_a_photo_becomes_a_scene(tmp_path):
    path = make_photo(tmp_path, "my cat.png")
    done = scene_import(path, category="animals", licence="CC0", attribution="Alice")
    scene = Scene.objects.get()
    assert done.is_new
    assert (scene.name, scene.category, scene.source_type) == ("my cat", "animals", "E")
    assert (scene.licence, scene.attribution) == ("CC0", "Alice")
    assert (scene.width, scene.height) == (80, 60)
    assert scene.ingest["format"] == "PNG"
    with scene.original.open("rb") as file:
        assert file.read() == path.read_bytes()
    assert "cat" not in str(scene.original.name)


def test_size_is_that_of_the_upright_photo(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    path.write_bytes(pictures.file(pictures.levels(60, 80), "JPEG", exif=exif))
    scene = scene_import(path).scene
    assert (scene.width, scene.height) == (60, 80)


def test_the_same_file_is_recognised_under_another_name(tmp_path):
    first = scene_import(make_photo(tmp_path))
    shutil.copy(tmp_path / "photo.png", tmp_path / "copy.png")
    second = scene_import(tmp_path / "copy.png")
    assert not second.is_new
    assert second.scene == first.scene
    assert len(stored_files()) == 1


def test_a_bad_photo_leaves_nothing(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"broken\.jpg: not an image"):
        scene_import(path)
    assert not Scene.objects.exists()
    assert stored_files() == []


def test_limits_can_be_set(tmp_path):
    with pytest.raises(ImageError, match=r"megapixels; at most 0\.001"):
        scene_import(make_photo(tmp_path), limits=Limits(max_pixels=1000))


@pytest.mark.parametrize(
    ("field", "value"), [("category", "x" * 51), ("source_type", "Z"), ("name", "x" * 201)]
)
def test_a_field_that_cannot_be_stored_is_named_and_leaves_nothing(tmp_path, field, value):
    with pytest.raises(ValidationError) as caught:
        scene_import(make_photo(tmp_path), **{field: value})
    assert list(caught.value.message_dict) == [field]
    assert stored_files() == []


def test_a_storage_that_fails_leaves_no_row(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    with pytest.raises(OSError, match="no space left"):
        scene_import(make_photo(tmp_path))
    assert not Scene.objects.exists()


def test_a_row_that_fails_after_the_file_takes_the_file_away(tmp_path, monkeypatch):
    real = Scene.save

    def save(self, *args, **kwargs):
        if self.original.name:
            raise DatabaseError("gone")
        real(self, *args, **kwargs)

    monkeypatch.setattr(Scene, "save", save)
    with pytest.raises(DatabaseError, match="gone"):
        scene_import(make_photo(tmp_path))
    assert not Scene.objects.exists()
    assert stored_files() == []


def test_one_who_imported_the_same_file_meanwhile_wins(tmp_path, monkeypatch):
    path = make_photo(tmp_path)
    first = scene_import(path).scene
    real = Scene.objects.filter
    answers = [Scene.objects.none(), None]

    def blind_once(*args, **kwargs):
        answer = answers.pop(0) if answers else None
        return real(*args, **kwargs) if answer is None else answer

    monkeypatch.setattr(Scene.objects, "filter", blind_once)
    again = scene_import(path)
    assert (again.is_new, again.scene) == (False, first)
    assert len(stored_files()) == 1


def test_planning_makes_a_row_for_every_scene_and_recipe(tmp_path):
    scenes = [make_scene(tmp_path, seed) for seed in (1, 2)]
    job = renditions_plan(scenes, [NEUTRAL, BRIGHT, NEUTRAL], **SETTINGS)
    assert job.renditions.count() == job.total == 4
    row = scenes[0].renditions.get(recipe_key=rendition_key(BRIGHT, **SETTINGS))
    assert row.recipe == BRIGHT.to_json()
    assert (row.state, row.source_type, row.long_side, row.encoding) == ("planned", "D", 64, "png")


def test_size_and_encoding_make_other_renditions(tmp_path):
    scene = make_scene(tmp_path)
    renditions_plan([scene], [NEUTRAL], long_side=64, encoding="png")
    renditions_plan([scene], [NEUTRAL], long_side=32, encoding="png")
    renditions_plan([scene], [NEUTRAL], long_side=64, encoding="webp_lossless")
    assert scene.renditions.count() == 3


def test_what_another_job_is_at_is_not_planned_twice(tmp_path):
    scene = make_scene(tmp_path)
    first = renditions_plan([scene], [NEUTRAL], **SETTINGS)
    second = renditions_plan([scene], [NEUTRAL, BRIGHT], **SETTINGS)
    assert (first.renditions.count(), second.renditions.count()) == (1, 1)
    assert second.total == 1


def test_what_a_finished_job_left_or_failed_is_taken_up(tmp_path):
    scene = make_scene(tmp_path)
    first = renditions_plan([scene], [NEUTRAL, BRIGHT, Recipe(look="golden")], **SETTINGS)
    rows = list(first.renditions.all())
    Rendition.objects.filter(pk=rows[0].pk).update(state="failed", error="no memory")
    Rendition.objects.filter(pk=rows[2].pk).update(state="rejected")
    first.state = Job.State.CANCELLED
    first.save()
    second = renditions_plan([scene], [NEUTRAL, BRIGHT, Recipe(look="golden")], **SETTINGS)
    assert set(second.renditions.values_list("pk", "state", "error")) == {
        (rows[0].pk, "planned", ""),
        (rows[1].pk, "planned", ""),
    }


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoding": "gif", "long_side": 64}, "encoding is 'gif'"),
        ({"encoding": "png", "long_side": 0}, "long_side is 0"),
    ],
)
def test_impossible_orders_are_refused(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        renditions_plan([make_scene(tmp_path)], [NEUTRAL], **fields)
    assert not Rendition.objects.exists()
