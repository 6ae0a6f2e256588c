import shutil
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import DatabaseError

from tests.variants import pictures
from tests.variants.factories import make_photo, make_scene
from variants.jobs import Job
from variants.models import LutFile, Rendition, Scene, Version
from variants.services import (
    lut_import,
    rendition_key,
    renditions_plan,
    scene_import,
    scene_set_import,
)
from variants.sources.cameras import CAMERAS, CameraRecipe, camera_recipes, develop
from variants.sources.manifest import Entry
from variants.sources.packaged import PHOTOS
from variants.tone.cube import write_cube
from variants.tone.images import ImageError, Limits, encode_image, fit_long_side, read_photo
from variants.tone.luts import LutError, bake
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


def test_the_author_in_the_file_is_kept_unless_another_is_given(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x8298] = "Alice"
    for name, seed in (("a.jpg", 1), ("b.jpg", 2)):
        (tmp_path / name).write_bytes(pictures.file(pictures.levels(60, 80, seed=seed), "JPEG", exif=exif))
    assert scene_import(tmp_path / "a.jpg").scene.attribution == "Alice"
    assert scene_import(tmp_path / "b.jpg", attribution="Bob").scene.attribution == "Bob"


def test_simulated_cameras_are_ordered_as_type_b(tmp_path):
    job = renditions_plan([make_scene(tmp_path)], [NEUTRAL, CameraRecipe(camera="old_film")], **SETTINGS)
    assert sorted(job.renditions.values_list("source_type", flat=True)) == ["B", "D"]


def photo(long_side=240):
    return fit_long_side(read_photo(PHOTOS[1].path).pixels, long_side)


def make_set(folder, files, scene="cat"):
    """`files`: maker → pixels or bytes."""
    entries = []
    for maker, content in files.items():
        path = folder / maker / "cat.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else encode_image(content, "png"))
        entries.append(Entry(path=path, where=f"{maker}/cat.png", scene=scene, maker=maker, licence="CC0"))
    return entries


def test_a_set_of_edits_is_one_scene_at_the_smallest_size(tmp_path):
    done = scene_set_import(
        make_set(tmp_path, {"alice": photo(), "bob": fit_long_side(photo() ** 0.8, 180)}), source_type="A"
    )
    scene = Scene.objects.get()
    assert (done.scene, done.added, done.faults) == (scene, 2, [])
    assert (scene.name, scene.source_type, scene.licence) == ("cat", "A", "CC0")
    assert max(scene.width, scene.height) == 180
    assert [version.maker for version in scene.versions.all()] == ["alice", "bob"]
    assert [version.matrix for version in scene.versions.all()] == [None, None]


def test_a_set_that_is_known_is_not_imported_twice(tmp_path):
    entries = make_set(tmp_path, {"alice": photo(), "bob": photo() ** 0.8})
    scene = scene_set_import(entries, source_type="A").scene
    again = scene_set_import(entries, source_type="A")
    assert (again.scene, again.added, again.known) == (scene, 0, 2)
    late = make_set(tmp_path, {"alice": photo(), "carol": photo() ** 1.2})
    done = scene_set_import(late, source_type="A")
    assert "its set has been imported without it, as cat" in done.faults[0].reason
    assert Version.objects.count() == 2


@pytest.mark.parametrize(
    ("files", "reasons"),
    [
        ({"alice": photo()}, ["there is no other file of its scene"]),
        ({"alice": photo(), "bob": photo()}, ["it is the same file as alice/cat.png", "there is no other"]),
        ({"alice": photo(), "bob": b"none"}, ["not an image that can be read", "there is no other"]),
        ({"alice": photo(), "bob": photo()[:, :150]}, ["it is 150×160, another shape", "no other file of its scene lies on it"]),
    ],
    ids=["alone", "twins", "broken", "shape"],
)  # fmt: skip
def test_a_set_of_which_one_file_is_left_is_refused_with_the_reasons(tmp_path, files, reasons):
    done = scene_set_import(make_set(tmp_path, files), source_type="A")
    assert done.scene is None
    assert len(done.faults) == len(reasons)
    for fault, reason in zip(done.faults, reasons, strict=True):
        assert reason in fault.reason
    assert not Scene.objects.exists()


def test_a_set_that_cannot_be_stored_leaves_nothing(tmp_path, monkeypatch):
    real, saves = FileSystemStorage._save, []

    def full(self, name, content):
        saves.append(name)
        if len(saves) == 2:
            raise OSError("no space left")
        return real(self, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", full)
    with pytest.raises(OSError, match="no space left"):
        scene_set_import(make_set(tmp_path, {"alice": photo(), "bob": photo() ** 0.8}), source_type="A")
    assert not Scene.objects.exists()
    assert default_storage.listdir("versions")[1] == []


def test_several_cameras_are_registered_and_cropped(tmp_path):
    """The second stands a little to the right and has fewer pixels."""
    scene = fit_long_side(read_photo(PHOTOS[4].path).pixels, 600)
    height, width = scene.shape[:2]
    files = {
        "one": develop(scene[:, : width - 40], CAMERAS["phone_vivid"]),
        "two": develop(fit_long_side(scene[:, 40:], 500), CAMERAS["reflex_neutral"]),
    }
    done = scene_set_import(make_set(tmp_path, files), source_type="B")
    assert (done.added, done.faults) == (2, [])
    assert done.scene is not None
    scale = 500 / (width - 40)
    assert done.scene.width == pytest.approx((width - 80) * scale, abs=4)
    assert done.scene.height == pytest.approx(height * scale, abs=4)
    second = done.scene.versions.get(maker="two")
    assert second.ingest["inliers"] >= 25
    assert second.ingest["similarity"] > 0.9


def test_a_scene_that_is_a_set_orders_its_files_and_no_recipes(tmp_path):
    done = scene_set_import(make_set(tmp_path, {"alice": photo(), "bob": photo() ** 0.8}), source_type="A")
    assert done.scene is not None
    job = renditions_plan([done.scene], [NEUTRAL, *camera_recipes()], **SETTINGS)
    assert [row.recipe["file"]["maker"] for row in job.renditions.all()] == ["alice", "bob"]
    assert {row.source_type for row in job.renditions.all()} == {"A"}


def test_a_lut_is_taken_in_once_whatever_its_name(tmp_path):
    write_cube(bake(lambda colours: colours**1.2, 5), tmp_path / "a.cube")
    shutil.copy(tmp_path / "a.cube", tmp_path / "b.cube")
    first = lut_import(tmp_path / "a.cube", licence="MIT")
    assert lut_import(tmp_path / "b.cube") == first
    assert (LutFile.objects.get().name, first.licence) == ("a", "MIT")


def test_a_lut_that_is_none_is_refused_by_file_and_line(tmp_path):
    (tmp_path / "a.cube").write_text("LUT_3D_SIZE 2\n0 0 0\nnan 0 0\n")
    with pytest.raises(LutError, match=r"a\.cube, line 3"):
        lut_import(tmp_path / "a.cube")
    assert not LutFile.objects.exists()
