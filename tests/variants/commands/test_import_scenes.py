import json
import os
from contextlib import suppress

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from tests.variants import pictures
from tests.variants.factories import make_photo
from variants.models import Scene
from variants.sources.packaged import PHOTOS
from variants.tone.images import encode_image, fit_long_side, read_photo
from variants.tone.likeness import NEAR
from variants.tone.recipes import Recipe, apply_recipe

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


def run(capsys, *args):
    call_command("import_scenes", *map(str, args), "--quiet", "--json")
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_photos_are_found_in_all_folders(tmp_path, capsys):
    make_photo(tmp_path, "a.png", seed=1)
    make_photo(tmp_path, "more/deep/B.PNG", seed=2)
    (tmp_path / "notes.txt").write_text("no photo")
    result = run(capsys, tmp_path, "--category", "people", "--licence", "CC0", "--attribution", "Alice")
    assert result == {
        "imported": 2,
        "known": 0,
        "files": 0,
        "refused": [],
        "near_duplicates": [],
        "other_files": 1,
        "categories": {"people": 2},
    }
    assert set(Scene.objects.values_list("name", "category", "licence", "attribution")) == {
        ("a", "people", "CC0", "Alice"),
        ("B", "people", "CC0", "Alice"),
    }


def test_a_second_run_imports_nothing_twice(tmp_path, capsys):
    make_photo(tmp_path, "a.png")
    run(capsys, tmp_path)
    result = run(capsys, tmp_path)
    assert (result["imported"], result["known"], result["refused"]) == (0, 1, [])
    assert Scene.objects.count() == 1


def test_broken_files_are_listed_and_stop_nothing(tmp_path, capsys):
    make_photo(tmp_path, "good.png")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "moving.gif").write_bytes(pictures.animated("GIF"))
    call_command("import_scenes", str(tmp_path), "--quiet")
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "1 imported, 0 known already, 2 left out"
    assert "empty.jpg: the file is empty (0 bytes)." in printed.err
    assert "moving.gif: it is animated" in printed.err


def test_nothing_importable_is_a_failure(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(CommandError, match="nothing could be imported") as caught:
        call_command("import_scenes", str(tmp_path), "--quiet")
    assert caught.value.returncode == 1


def test_a_folder_that_does_not_exist_is_wrong_use(tmp_path):
    with pytest.raises(CommandError, match="nowhere is not a folder") as caught:
        call_command("import_scenes", str(tmp_path / "nowhere"))
    assert caught.value.returncode == 2


def test_a_field_too_long_is_named(tmp_path, capsys):
    make_photo(tmp_path, "a.png")
    with pytest.raises(CommandError):
        call_command("import_scenes", str(tmp_path), "--category", "x" * 51, "--quiet")
    assert "category: Ensure this value has at most 50 characters" in capsys.readouterr().err


def test_links_that_go_round_are_followed_once(tmp_path, capsys):
    make_photo(tmp_path, "inside/a.png")
    (tmp_path / "inside" / "loop").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "inside")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    result = run(capsys, tmp_path)
    assert (result["imported"], result["known"]) == (1, 0)
    assert [entry["reason"] for entry in result["refused"]] == ["No such file or directory"]


@pytest.mark.parametrize("more", [(), ("--source", "A")])
def test_a_pipe_among_the_photos_is_named_and_not_waited_for(tmp_path, capsys, more):
    make_photo(tmp_path, "alice/a.png")
    os.mkfifo(tmp_path / "alice" / "pipe.png")
    with suppress(CommandError):  # one file is no set
        call_command("import_scenes", str(tmp_path), "--quiet", *more)
    assert "alice/pipe.png: it is not a regular file" in capsys.readouterr().err


def test_progress_goes_to_the_other_stream(tmp_path, capsys):
    make_photo(tmp_path, "a.png")
    call_command("import_scenes", str(tmp_path))
    assert "importing photos: 1 of 1" in capsys.readouterr().err


def test_near_duplicates_are_imported_and_named(tmp_path, capsys):
    photo = fit_long_side(read_photo(PHOTOS[0].path).pixels, 300)
    (tmp_path / "a.png").write_bytes(encode_image(photo, "png"))
    (tmp_path / "copy.jpg").write_bytes(encode_image(fit_long_side(photo, 200), "jpeg_444"))
    result = run(capsys, tmp_path)
    assert result["imported"] == 2
    assert [(found["scene"], found["like"]) for found in result["near_duplicates"]] == [("copy", "a")]
    assert result["near_duplicates"][0]["bits"] <= NEAR


def test_folders_can_be_categories_and_their_balance_is_told(tmp_path, capsys):
    for seed, name in enumerate(["food/a.png", "food/b.png", "people/c.png", "d.png"]):
        make_photo(tmp_path, name, seed=seed)
    call_command("import_scenes", str(tmp_path), "--folders-are-categories", "--quiet")
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "3 scenes of 2 categories, as diverse as 1.9 even ones:",
        "  food: 2 (67%)",
        "  people: 1 (33%)",
        "  without a category: 1",
        "4 imported, 0 known already, 0 left out",
    ]


def test_a_manifest_says_what_each_photo_is(tmp_path, capsys):
    make_photo(tmp_path / "photos", "a.png", seed=1)
    make_photo(tmp_path / "photos", "b.png", seed=2)
    make_photo(tmp_path, "secret.png", seed=3)
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        "file,scene,category,licence,attribution\n"
        "a.png,my cat,animals,CC0,Alice\n../secret.png,,,,\nmissing.png,,,,\nb.png,,,,\n"
    )
    result = run(capsys, tmp_path / "photos", "--manifest", manifest, "--licence", "CC BY 4.0")
    assert set(Scene.objects.values_list("name", "category", "licence", "attribution")) == {
        ("my cat", "animals", "CC0", "Alice"),
        ("b", "", "CC BY 4.0", ""),
    }
    assert result["refused"] == [
        {"file": "list.csv, line 3", "reason": "../secret.png is outside photos"},
        {"file": "list.csv, line 4", "reason": "missing.png is not there"},
    ]


def test_a_manifest_that_is_none_is_wrong_use(tmp_path):
    (tmp_path / "list.csv").write_text("name\nx\n")
    with pytest.raises(CommandError, match=r"list\.csv, line 1: the column file is missing") as caught:
        call_command("import_scenes", str(tmp_path), "--manifest", str(tmp_path / "list.csv"))
    assert caught.value.returncode == 2


def test_fivek_folders_become_scenes_with_five_experts(tmp_path, capsys):
    """As data.csail.mit.edu/graphics/fivek distributes it: 16 bits, tagged ProPhoto RGB."""
    for letter, exposure in zip("abcde", (-0.5, -0.2, 0.0, 0.3, 0.6), strict=True):
        for name, photo in (("a0001-jmac_DSC1459", 1), ("a0002-dgw_005", 2)):
            pixels = apply_recipe(packaged(photo), Recipe(steps=(("exposure", exposure),)))
            path = tmp_path / "processed" / f"tiff16_{letter}" / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            levels = (pixels * 65535).astype(np.uint16)
            path.write_bytes(pictures.tiff_16_bit(levels, iccprofile=pictures.prophoto_profile()))
    make_photo(tmp_path, "thumbnails/a0001-jmac_DSC1459.jpg")
    result = run(capsys, tmp_path, "--source", "A")
    assert (result["imported"], result["files"], result["refused"]) == (2, 10, [])
    scene = Scene.objects.get(name="a0001-jmac_DSC1459")
    assert [version.maker for version in scene.versions.all()] == [f"expert {letter}" for letter in "ABCDE"]
    assert {version.ingest["profile"] for version in scene.versions.all()} == {"ProPhoto RGB"}
    assert (scene.source_type, scene.original.name) == ("A", "")


def test_one_misaligned_edit_is_left_out_and_named(tmp_path, capsys):
    photo = packaged(1)
    for maker, pixels in (("alice", photo), ("bob", photo**0.8), ("carol", photo[10:, 14:])):
        path = tmp_path / maker / "cat.png"
        path.parent.mkdir()
        path.write_bytes(encode_image(pixels, "png"))
    result = run(capsys, tmp_path, "--source", "A")
    assert (result["imported"], result["files"]) == (1, 2)
    assert [fault["file"] for fault in result["refused"]] == ["carol/cat.png"]
    assert "it does not lie on the others: shifted by" in result["refused"][0]["reason"]


def test_sets_need_makers(tmp_path):
    make_photo(tmp_path, "a.png")
    with pytest.raises(CommandError, match="a folder for each editor or device"):
        call_command("import_scenes", str(tmp_path), "--source", "B", "--quiet")


def packaged(number):
    return fit_long_side(read_photo(PHOTOS[number].path).pixels, 240)
