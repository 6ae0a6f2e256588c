"""A backup: the database and all files, with a hash of each, and the way back into an empty place.

    FOLDER/manifest.json      written last: a folder without it is half a backup, and is taken for none
    FOLDER/SHA256SUMS         of every file; `sha256sum -c` reads it too
    FOLDER/database.sqlite3   or database.pgdump, by pg_dump
    FOLDER/media/             the storage's files, under the storage's names
    FOLDER/data/              datasets, runs, reports and uploads: TONALIST_DATA but for what a site makes by itself

While the site is under way: files are copied, then the database at one moment, then the files that came
meanwhile. Files are whole before a row names them, so that each row of that moment has its file.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files.storage import Storage, default_storage
from django.db import connection, models
from django.db.migrations.recorder import MigrationRecorder

from collection.export.partial import NAME as PARTIAL
from collection.export.partial import partial_beside
from config.operations.dump import DUMPS, database_dump
from variants.progress import Report, silent

FORMAT = 1
MANIFEST, SUMS = "manifest.json", "SHA256SUMS"
MADE_BY_ITSELF = ("broker", "staticfiles", "logs", "metrics", "beat-schedule*", "demo-password")
SECRET = "secret_key"
"""Stays where it is: a copy of the backup is to open no doors."""
CHUNK = 1 << 20


class BackupError(Exception):
    """What cannot be saved or brought back; the message says why and what mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    made_at: str
    tonalist: str
    vendor: str
    data: str
    """TONALIST_DATA of the site: rows name folders below it."""
    secret_key: str
    """A hash that tells another key from this one, and nothing of it."""
    migrations: list[list[str]]
    n_files: int
    n_bytes: int
    sums_sha256: str
    has_media: bool = True
    missing: list[str] = field(default_factory=list)
    """Files that rows named and the storage had not."""
    format: int = FORMAT


def backup_write(folder: Path, *, media: bool = True, report: Report = silent) -> Manifest:
    """Write a backup into a folder that is not there yet. Stopped on its way, it leaves none.

    Raises:
        BackupError: something is there already, or the database's own program is missing or fails.
    """
    folder = folder.absolute()
    if folder.exists():
        raise BackupError(f"{folder} is there already; name a folder that is not")
    if _is_below(folder, settings.TONALIST_DATA):
        raise BackupError(f"{folder} is inside TONALIST_DATA, which it would contain; name one outside")
    with partial_beside(folder) as parent:
        target = parent / "backup"
        target.mkdir(mode=0o700)
        sums: dict[str, str] = {}
        _copy_files(target, sums, media, report, "files")
        made_at = dt.datetime.now(dt.UTC)
        migrations = sorted(MigrationRecorder(connection).applied_migrations())
        name = database_dump(target)
        sums[name] = file_sha256(target / name)
        _copy_files(target, sums, media, report, "files that came meanwhile")
        lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(sums.items()))
        (target / SUMS).write_text(lines, encoding="utf-8")
        manifest = Manifest(
            made_at=made_at.isoformat(timespec="seconds"),
            tonalist=version("tonalist"),
            vendor=connection.vendor,
            data=str(settings.TONALIST_DATA),
            secret_key=key_hint(),
            migrations=[list(each) for each in migrations],
            n_files=len(sums),
            n_bytes=sum((target / path).stat().st_size for path in sums),
            sums_sha256=file_sha256(target / SUMS),
            has_media=media,
            missing=_missing(sums) if media else [],
        )
        (target / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        target.rename(folder)
    return manifest


def manifest_read(folder: Path) -> Manifest:
    """Raises BackupError for what is no backup, is half of one, or is of a later format."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackupError(
            f"{folder} has no {MANIFEST}: it is no backup, or one that was not finished"
        ) from error
    except ValueError as error:
        raise BackupError(f"{folder / MANIFEST} is no JSON: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BackupError(f"{folder} has another format than {FORMAT}; a later Tonalist reads it")
    try:
        return Manifest(**data)
    except TypeError as error:
        raise BackupError(f"{folder / MANIFEST} lacks a field: {error}") from error


def backup_check(folder: Path, report: Report = silent) -> tuple[Manifest, dict[str, str]]:
    """The manifest and the hash of each file, when every one of them is there as it was written.

    Raises BackupError with the first file that is missing, changed or in excess.
    """
    manifest = manifest_read(folder)
    if not (folder / SUMS).is_file() or file_sha256(folder / SUMS) != manifest.sums_sha256:
        raise BackupError(f"{SUMS} is missing or was changed; take another backup")
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    sums = {path: digest for digest, _, path in (line.partition("  ") for line in lines)}
    for n, (path, digest) in enumerate(sums.items()):
        report(n, len(sums), "checking")
        if not (folder / path).is_file() or file_sha256(folder / path) != digest:
            raise BackupError(f"{path} is missing or was changed; take another backup")
    extra = {name for name, _ in _walk(folder)} - set(sums) - {MANIFEST, SUMS}
    if extra:
        raise BackupError(f"{min(extra)} is not in {SUMS}; somebody added it")
    if not set(DUMPS.values()) & set(sums):
        raise BackupError(f"{folder} holds no database")
    return manifest, sums


def key_hint() -> str:
    return hashlib.sha256(f"tonalist backup {settings.SECRET_KEY}".encode()).hexdigest()[:16]


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_files() -> Iterator[tuple[str, Path]]:
    """(name below TONALIST_DATA, path) of what a backup keeps of that folder."""
    base: Path = settings.TONALIST_DATA
    media = _media_folder(default_storage)
    database = Path(str(connection.settings_dict["NAME"])).name if connection.vendor == "sqlite" else ""
    for entry in sorted(base.iterdir()):
        is_database = bool(database) and entry.name.startswith(database)
        if is_database or entry == media or entry.name == SECRET:
            continue
        if any(entry.match(pattern) for pattern in MADE_BY_ITSELF):
            continue
        if entry.is_dir():
            yield from ((f"{entry.name}/{name}", path) for name, path in _walk(entry))
        else:
            yield entry.name, entry


def storage_names(storage: Storage, folder: str = "") -> Iterator[str]:
    """Every file of the storage, whichever it is."""
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:  # nothing was ever stored, or it went this moment
        return
    prefix = f"{folder}/" if folder else ""
    for name in sorted(files):
        if folder != "health":
            yield f"{prefix}{name}"
    for name in sorted(folders):
        yield from storage_names(storage, f"{prefix}{name}")


def _copy_files(target: Path, sums: dict[str, str], media: bool, report: Report, stage: str) -> None:
    """Copy what is not in `sums` yet, or has another size by now."""
    for n, (name, path) in enumerate(data_files()):
        report(n, 0, stage)
        copy = target / "data" / name
        try:
            # Another size or time: a log or a checkpoint that went on.
            found = path.stat()
            if f"data/{name}" in sums and (found.st_size, found.st_mtime_ns) == _size_and_time(copy):
                continue
            sums[f"data/{name}"] = _copy(path, copy)
        except FileNotFoundError:  # deleted this moment
            sums.pop(f"data/{name}", None)
            copy.unlink(missing_ok=True)
    if not media:
        return
    for n, name in enumerate(storage_names(default_storage)):
        report(n, 0, f"{stage}, media")
        if f"media/{name}" in sums:
            continue  # nothing changes under its name
        copy = target / "media" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            with default_storage.open(name, "rb") as source, copy.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
        except FileNotFoundError:
            copy.unlink(missing_ok=True)
            continue
        sums[f"media/{name}"] = file_sha256(copy)


def _copy(path: Path, copy: Path) -> str:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, copy)
    return file_sha256(copy)


def _size_and_time(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _missing(sums: dict[str, str]) -> list[str]:
    """Files that rows name and the backup has not: the site itself has lost them."""
    named = set()
    for model in apps.get_models():
        for each in model._meta.concrete_fields:
            if isinstance(each, models.FileField):
                rows = model._default_manager.exclude(**{each.name: ""}).order_by()
                named |= set(rows.values_list(each.name, flat=True).iterator())
    return sorted(name for name in named if f"media/{name}" not in sums and not default_storage.exists(name))


def _walk(base: Path) -> Iterator[tuple[str, Path]]:
    """(name, path) of each file below; folders that are being written are left out."""
    for folder, folders, files in os.walk(base):
        folders[:] = sorted(name for name in folders if not PARTIAL.fullmatch(name))
        for name in sorted(files):
            path = Path(folder) / name
            yield path.relative_to(base).as_posix(), path


def _media_folder(storage: Storage) -> Path | None:
    location = getattr(storage, "location", None)
    return Path(location) if location and Path(str(location)).is_absolute() else None


def _is_below(path: Path, base: Path) -> bool:
    return path == base or base in path.parents
