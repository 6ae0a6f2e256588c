"""A backup comes back as it was, and nothing but a whole one comes back."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from config.operations.backup import MANIFEST, SUMS, BackupError, backup_check, backup_write
from config.operations.restore import backup_restore
from tests.collection.factories import answer_all, make_session, make_study
from tests.factories import make_export
from variants.models import Rendition

# A backup is of what is committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(settings, tmp_path):
    """A site with a study, answers, images, a dataset and what a site makes by itself."""
    settings.TONALIST_DATA = tmp_path / "data"
    options = settings.STORAGES["default"] | {"OPTIONS": {"location": str(tmp_path / "data" / "media")}}
    settings.STORAGES = settings.STORAGES | {"default": options}
    for name in ("exports/looks-1/README.md", "runs/1/step-10/weights", "broker/queue/message", "secret_key"):
        path = settings.TONALIST_DATA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")
    (settings.TONALIST_DATA / "exports" / ".looks-2.partial-0123abcd").mkdir()
    study = make_study(phases=("consent", "main"), n_main=8, n_checks=0)
    session = make_session(study, name="ada")
    answer_all(session)
    make_export(study, settings.TONALIST_DATA / "exports" / "looks-1")
    rendition = Rendition.objects.first()
    rendition.image.save("x.png", ContentFile(b"pixels"))
    return settings.TONALIST_DATA


def rows(cursor):
    """Table → its rows, sorted."""
    tables = [name for (name,) in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(map(repr, cursor.execute(f'SELECT * FROM "{table}"'))) for table in sorted(tables)}


def files(base, skip=()):
    found = (path for path in Path(base).rglob("*") if path.is_file())
    named = {path.relative_to(base).as_posix(): path.read_bytes() for path in found}
    return {name: data for name, data in named.items() if name.partition("/")[0] not in skip}


def test_it_comes_back_in_an_empty_place(site, tmp_path):
    backup_write(tmp_path / "backup")
    there = tmp_path / "elsewhere"
    environment = {"PATH": os.environ["PATH"], "TONALIST_DATA": str(there), "SECRET_KEY": "another"}
    command = [sys.executable, "manage.py", "restore", str(tmp_path / "backup"), "--quiet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 rows name folders that have moved" in done.stdout
    assert "SECRET_KEY is another one" in done.stderr

    with sqlite3.connect(connection.settings_dict["NAME"], uri=True) as original:
        before = rows(original.cursor())
    original.close()
    with sqlite3.connect(there / "tonalist.sqlite3") as restored:
        after = rows(restored.cursor())
        (moved,) = restored.execute("SELECT folder FROM collection_export").fetchone()
    restored.close()
    assert moved == f"{there}/exports/looks-1"
    assert before.pop("collection_export") != after.pop("collection_export")
    assert before == after
    assert len(before["collection_question"]) == 8
    made = ("broker", "secret_key", "staticfiles", "tonalist.sqlite3")
    kept = files(site, made)
    assert set(kept) == {"exports/looks-1/README.md", "runs/1/step-10/weights", *kept.keys() & files(there)}
    assert kept == files(there, made)
    assert any(name.startswith("media/") for name in kept)


def test_it_holds_no_key_and_no_halves_and_only_a_whole_one_is_taken(site, tmp_path):
    lost = Rendition.objects.exclude(image="").first().image.name
    default_storage.delete(lost)
    made = backup_write(tmp_path / "backup")
    assert made.missing == [lost]
    text = " ".join(files(tmp_path / "backup"))
    for left_out in ("secret_key", "broker", "partial", "staticfiles"):
        assert left_out not in text
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    summed = ["sha256sum", "-c", "--quiet", SUMS]
    assert subprocess.run(summed, cwd=tmp_path / "backup", check=False).returncode == 0
    with pytest.raises(BackupError, match="the database has tables already"):
        backup_restore(tmp_path / "backup")
    with pytest.raises(BackupError, match="there already"):
        backup_write(tmp_path / "backup")

    for how, said in SPOILT.items():
        shutil.copytree(tmp_path / "backup", tmp_path / how)
        backup_check(tmp_path / how)
        spoil(tmp_path / how, how)
        with pytest.raises(BackupError, match=said):
            backup_restore(tmp_path / how)


SPOILT = {
    "half": "no manifest.json: it is no backup, or one that was not finished",
    "a file gone": "README.md is missing or was changed",
    "a file changed": "README.md is missing or was changed",
    "a file more": "data/more is not in SHA256SUMS",
    "sums changed": "SHA256SUMS is missing or was changed",
    "no JSON": "is no JSON",
    "later": "another format than 1",
    "a field gone": "lacks a field",
    "newer code": "made by a later Tonalist",
    "another database": "the backup is of postgresql and DATABASE_URL names sqlite",
}


def spoil(folder, how):
    data = folder / "data" / "exports" / "looks-1" / "README.md"
    manifest = json.loads((folder / MANIFEST).read_text())
    match how:
        case "half":
            (folder / MANIFEST).unlink()
        case "a file gone":
            data.unlink()
        case "a file changed":
            data.write_text("x" * data.stat().st_size)
        case "a file more":
            (folder / "data" / "more").touch()
        case "sums changed":
            (folder / SUMS).write_text("")
        case "no JSON":
            (folder / MANIFEST).write_text("{")
        case "later":
            (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 2}))
        case "a field gone":
            del manifest["vendor"]
            (folder / MANIFEST).write_text(json.dumps(manifest))
        case "newer code":
            migrations = [*manifest["migrations"], ["collection", "9999_later"]]
            (folder / MANIFEST).write_text(json.dumps(manifest | {"migrations": migrations}))
        case "another database":
            (folder / MANIFEST).write_text(json.dumps(manifest | {"vendor": "postgresql"}))


def test_stopped_on_its_way_or_sent_to_a_wrong_place_it_leaves_nothing(site, tmp_path):
    def stop(done, total, stage):
        if "meanwhile" in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup_write(tmp_path / "there" / "backup", report=stop)
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(CommandError, match="inside TONALIST_DATA"):
        call_command("backup", str(site / "inside"), "--quiet")
    assert not (site / "inside").exists()
