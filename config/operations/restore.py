"""From a backup to a site in an empty place: files first, the database last, so that half of it is no site."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr

from config.operations.backup import (
    BackupError,
    Manifest,
    backup_check,
    data_files,
    key_hint,
    storage_names,
)
from config.operations.dump import database_is_empty, database_load
from variants.progress import Report, silent

FOLDERS = ("folder", "dataset")
"""Fields that hold a folder below TONALIST_DATA, in whichever model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    manifest: Manifest
    n_moved: int
    """Rows whose folders now lie elsewhere."""
    is_other_key: bool
    """SECRET_KEY is another one: sign-ins end, and webhooks need new secrets."""


def backup_restore(folder: Path, report: Report = silent) -> Restored:
    """Bring back a whole backup into this site, which must be empty; then run the migrations that are newer.

    Raises:
        BackupError: the backup is not whole, is of another kind of database or of a later Tonalist, or
            something is in the place already. Then nothing was written.
    """
    manifest, sums = backup_check(folder, report)
    _require_fitting(manifest)
    _require_empty()
    for n, name in enumerate(sums):
        report(n, len(sums), "files")
        kind, _, rest = name.partition("/")
        if kind == "data":
            target = settings.TONALIST_DATA / rest
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, target)
        elif kind == "media":
            _store(folder / name, rest)
    report(0, 0, "database")
    database_load(folder)
    call_command("migrate", verbosity=0)
    return Restored(
        manifest=manifest,
        n_moved=_folders_move(manifest.data, str(settings.TONALIST_DATA)),
        is_other_key=manifest.secret_key != key_hint(),
    )


def _require_fitting(manifest: Manifest) -> None:
    if manifest.vendor != connection.vendor:
        raise BackupError(
            f"the backup is of {manifest.vendor} and DATABASE_URL names {connection.vendor}; "
            "restore into the same kind"
        )
    loader = MigrationLoader(None)
    known = set(loader.disk_migrations) | {
        replaced for each in loader.disk_migrations.values() for replaced in each.replaces
    }
    ours = {app for app, _ in known}
    unknown = [
        f"{app}.{name}" for app, name in manifest.migrations if app in ours and (app, name) not in known
    ]
    if unknown:
        raise BackupError(
            f"the backup was made by a later Tonalist ({manifest.tonalist}, with {unknown[0]}); install that one"
        )


def _require_empty() -> None:
    if not database_is_empty():
        raise BackupError(
            "the database has tables already; a backup goes into an empty one, made anew for it"
        )
    there = next((name for name, _ in data_files()), None)
    if there is not None:
        raise BackupError(f"TONALIST_DATA holds {there} already; a backup goes into an empty folder")
    there = next(storage_names(default_storage), None)
    if there is not None:
        raise BackupError(f"the storage holds {there} already; a backup goes into an empty one")


def _store(path: Path, name: str) -> None:
    with path.open("rb") as file:
        stored = default_storage.save(name, File(file))
    if stored != name:
        raise BackupError(f"the storage calls {name} {stored}; is somebody else writing into it?")


def _folders_move(old: str, new: str) -> int:
    """Rows name whole paths: those below the old TONALIST_DATA are below the new one now."""
    if old == new:
        return 0
    n = 0
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.name in FOLDERS and isinstance(field, models.CharField):
                rows = model._default_manager.filter(**{f"{field.name}__startswith": f"{old}/"})
                n += rows.update(**{field.name: Concat(Value(new), Substr(F(field.name), len(old) + 1))})
    return n
