"""What no row names goes, and nothing else does."""

import datetime as dt
import io
import os
import time
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command

from config.operations import garbage
from config.operations.chores import orphans_remove
from tests.factories import make_export, make_run, make_scene, make_study
from variants.jobs import Job, new_public_id

pytestmark = pytest.mark.django_db
OLD = time.time() - 40 * 86400


@pytest.fixture
def data(settings, tmp_path, monkeypatch):
    settings.TONALIST_DATA = tmp_path
    monkeypatch.setattr(garbage, "default_storage", FileSystemStorage(tmp_path / "media"))
    return tmp_path


def write(path, *, old=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    for each in (path, path.parent):
        os.utime(each, (OLD, OLD) if old else None)
    return path


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def site(data):
    """Names of what is known, and of what is not and old enough."""
    scene = make_scene(n_renditions=1)
    scene.original = "originals/known.png"
    scene.save()
    rendition = scene.renditions.first()
    rendition.image = "renditions/known.webp"
    rendition.save()
    run = make_run(folder=data / "runs" / new_public_id(), state=Job.State.FAILED)
    make_export(make_study(), data / "elsewhere" / "set-1", state=Job.State.FAILED)
    known = [
        data / "media/originals/known.png",
        data / "media/renditions/known.webp",
        data / "media/nobody-put-it-there/by-us.png",
        data / "runs" / Path(run.folder).name / "checkpoint" / "state.safetensors",
        data / "runs" / "my-own-experiment" / "config.json",
        data / "exports" / "a-study-1" / "judgments.parquet",
    ]
    unknown = [
        data / "media/renditions/orphan.webp",
        data / "media/health/probe",
        data / "runs" / new_public_id() / "config.json",
        data / "runs" / Path(run.folder).name / ".weights.safetensors.partial",
        data / "looks/people" / new_public_id() / "1" / "upload",
        data / "exports" / ".a-study-2.partial-0123abcd" / "judgments.parquet",
        data / "elsewhere" / ".set-1.partial-0123abcd" / "judgments.parquet",
    ]
    for path in (*known, *unknown):
        write(path)
    for path in (data / "looks/people").iterdir():
        os.utime(path, (OLD, OLD))
    young = [write(data / "media/renditions/young.webp", old=False)]
    return {str(path.relative_to(data)) for path in (*known, *young)}


def test_what_is_left_is_what_rows_name_and_what_is_young(data, site):
    before, out = files(data), io.StringIO()
    call_command("gc", stdout=out)
    assert files(data) == before
    assert "7 orphans" in out.getvalue()
    assert "orphan.webp" in out.getvalue()
    call_command("gc", "--delete", stdout=io.StringIO())
    assert files(data) == site
    again = io.StringIO()
    call_command("gc", "--delete", stdout=again)
    assert "0 orphans" in again.getvalue()
    assert files(data) == site


def test_the_clock_leaves_a_week(data, site):
    days = time.time() - 6 * 86400
    os.utime(data / "media/renditions/orphan.webp", (days, days))
    orphans_remove()
    assert files(data) == site | {"media/renditions/orphan.webp"}


def test_another_sites_files_are_left_alone(data, caplog):
    for number in range(21):
        write(data / f"media/renditions/{number}.webp")
    with pytest.raises(CommandError, match="21 of 21 in storage renditions"):
        call_command("gc", "--delete")
    orphans_remove()
    assert "belong together" in caplog.text
    assert len(files(data)) == 21
    call_command("gc", "--delete", "--even-most", stdout=io.StringIO())
    assert files(data) == set()


def test_a_file_whose_row_comes_meanwhile_stays(data, monkeypatch):
    write(data / "media/renditions/late.webp")
    found = garbage.garbage_find(dt.timedelta(0))
    rendition = make_scene(n_renditions=1).renditions.first()
    rendition.image = "renditions/late.webp"
    rendition.save()
    monkeypatch.setattr(garbage, "garbage_find", lambda age: found)
    garbage.garbage_remove()
    assert files(data) == {"media/renditions/late.webp"}


def test_an_export_that_was_killed_after_its_folder_had_a_name_is_written_again(tmp_path):
    """And a folder that is somebody else's is not touched."""
    from collection.export.write import _is_its_own

    export = make_export(make_study(), tmp_path / "set", state=Job.State.QUEUED)
    assert not _is_its_own(export, tmp_path / "set")
    (tmp_path / "set").mkdir()
    document = tmp_path / "set" / "protocol.json"
    for number, own in ((export.number, True), (export.number + 1, False)):
        document.write_text(f'{{"study": {{"slug": "{export.study.slug}"}}, "dataset_version": {number}}}')
        assert _is_its_own(export, tmp_path / "set") is own
