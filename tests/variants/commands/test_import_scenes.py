import json

import pytest
from django.core.management import CommandError, call_command

from tests.variants import pictures
from tests.variants.factories import make_photo
from variants.models import Scene

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


def run(capsys, *args):
    call_command("import_scenes", *map(str, args), "--quiet", "--json")
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_photos_are_found_in_all_folders(tmp_path, capsys):
    make_photo(tmp_path, "a.png", seed=1)
    make_photo(tmp_path, "more/deep/B.PNG", seed=2)
    (tmp_path / "notes.txt").write_text("no photo")
    assert run(capsys, tmp_path, "--category", "people", "--licence", "CC0", "--attribution", "Alice") == {
        "imported": 2,
        "known": 0,
        "refused": [],
        "other_files": 1,
    }
    assert set(Scene.objects.values_list("name", "category", "licence", "attribution")) == {
        ("a", "people", "CC0", "Alice"),
        ("B", "people", "CC0", "Alice"),
    }


def test_a_second_run_imports_nothing_twice(tmp_path, capsys):
    make_photo(tmp_path, "a.png")
    run(capsys, tmp_path)
    assert run(capsys, tmp_path) == {"imported": 0, "known": 1, "refused": [], "other_files": 0}
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


def test_progress_goes_to_the_other_stream(tmp_path, capsys):
    make_photo(tmp_path, "a.png")
    call_command("import_scenes", str(tmp_path))
    assert "importing photos: 1 of 1" in capsys.readouterr().err
