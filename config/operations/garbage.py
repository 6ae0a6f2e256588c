"""Files that nothing knows of: left by a process that was killed between a file and its row.

Whatever a row names stays, and so does what is younger than an age: its row may be about to be written. A whole
dataset stays too, with a row or without: a study may be deleted and its datasets kept.
"""

import datetime as dt
import itertools
import logging
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import models
from django.utils import timezone

from collection.export.partial import NAME as PARTIAL_DATASET
from collection.export.partial import partials_sweep
from collection.models import Export
from config.operations.backup import storage_names
from evaluation.models import Report
from learning.models import Look, PhotoRequest, Run, StudyLook

logger = logging.getLogger(__name__)

USUAL_AGE = dt.timedelta(hours=24)
NAMES_AT_A_TIME = 500
"""In one query."""
FEW = 20
"""Up to so many are removed whatever part of a place they are."""
FOLDERS: dict[str, type[models.Model]] = {
    "runs": Run,
    "reports": Report,
    "rendered-photos": PhotoRequest,
    "looks/people": Look,
    "looks/references": StudyLook,
}
"""Below TONALIST_DATA → whose rows name the folders in it."""
ROW_FOLDER = re.compile(r"[0-9a-f]{32}")
HALF = re.compile(r"\..+\.partial")
"""A file that is written beside its place."""


class GarbageRefused(Exception):
    """So much of a place is unknown that it is rather another site's; the message says what to do."""


@dataclass(kw_only=True)
class Place:
    """Where files lie, and which of them nothing knows of."""

    name: str
    n_files: int = 0
    """Files or folders in it."""
    orphans: list[str] = field(default_factory=list)

    @property
    def is_suspect(self) -> bool:
        return len(self.orphans) > FEW and 2 * len(self.orphans) > self.n_files


def garbage_find(older_than: dt.timedelta = USUAL_AGE) -> list[Place]:
    """What nothing knows of, by place."""
    before = timezone.now() - older_than
    return [*_storage(before), *_folders(before), _halves(before), _partial_datasets(before)]


def garbage_remove(older_than: dt.timedelta = USUAL_AGE, *, even_most: bool = False) -> list[Place]:
    """Remove what `garbage_find` finds, and say what that was; each is looked at once more before it goes.

    Raises:
        GarbageRefused: most of a place is unknown, and `even_most` is off. Then nothing is removed.
    """
    places = garbage_find(older_than)
    for place in places:
        if place.is_suspect and not even_most:
            raise GarbageRefused(
                f"{len(place.orphans)} of {place.n_files} in {place.name} are named by no row: that looks like another "
                "site's files, or another database. See that DATABASE_URL, STORAGE_URL and TONALIST_DATA belong "
                "together; if they do, manage.py gc --delete --even-most removes them."
            )
    for place in places:
        if place.name.startswith("storage "):
            for names in _batched(iter(place.orphans)):
                for name in _unknown(names):
                    default_storage.delete(name)
        elif place.name == "exports":
            for parent in {Path(name).parent for name in place.orphans}:
                partials_sweep(parent)
        else:
            known = _known_folders(FOLDERS[place.name]) if place.name in FOLDERS else set()
            for name in place.orphans:
                path = Path(name)
                if path.name in known:
                    continue
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        if place.orphans:
            logger.info("removed %d orphans of %s", len(place.orphans), place.name)
    return places


def _storage(before: dt.datetime) -> Iterator[Place]:
    """Uploads, photos and renditions, by the folder that their field puts them into; nothing else is touched."""
    for folder in sorted({str(each.upload_to).strip("/") for each in _file_fields()} | {"health"}):
        place = Place(name=f"storage {folder}")
        names = storage_names(default_storage, folder) if folder != "health" else _probes()
        for batch in _batched(names):
            place.n_files += len(batch)
            place.orphans += [name for name in _unknown(batch) if _is_old(name, before)]
        yield place


def _probes() -> Iterator[str]:
    """What /health/ready wrote to see that it can be done."""
    try:
        _, files = default_storage.listdir("health")
    except FileNotFoundError:
        return
    yield from (f"health/{name}" for name in files)


def _batched(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(itertools.islice(names, NAMES_AT_A_TIME)):
        yield batch


def _file_fields() -> list[models.FileField]:
    return [
        each
        for model in apps.get_models()
        for each in model._meta.get_fields()
        if isinstance(each, models.FileField)
    ]


def _unknown(names: list[str]) -> list[str]:
    known: set[str] = set()
    for each in _file_fields():
        rows = each.model._default_manager.filter(**{f"{each.name}__in": names})
        known.update(rows.values_list(each.name, flat=True))
    return [name for name in names if name not in known]


def _is_old(name: str, before: dt.datetime) -> bool:
    try:
        return default_storage.get_modified_time(name) < before
    except FileNotFoundError:  # it went this moment
        return False


def _folders(before: dt.datetime) -> Iterator[Place]:
    for base, model in FOLDERS.items():
        place = Place(name=base)
        found = _below(base)
        known = _known_folders(model) if found else set()
        for path in found:
            if ROW_FOLDER.fullmatch(path.name) and path.is_dir():
                place.n_files += 1
                if path.name not in known and _changed(path) < before:
                    place.orphans.append(str(path))
        yield place


def _known_folders(model: type[models.Model]) -> set[str]:
    return {Path(folder).name for folder in model._default_manager.values_list("folder", flat=True)}


def _halves(before: dt.datetime) -> Place:
    """Files of runs and reports whose writer was killed."""
    place = Place(name="half-written files")
    for base in ("runs", "reports"):
        for path in (settings.TONALIST_DATA / base).rglob(".*.partial"):
            if HALF.fullmatch(path.name) and path.is_file() and _changed(path) < before:
                place.orphans.append(str(path))
    place.n_files = 2 * len(place.orphans)  # all of them are such
    return place


def _partial_datasets(before: dt.datetime) -> Place:
    """Beside the site's own datasets, and those that went elsewhere; one that is being written is locked, and stays."""
    unfinished = Export.objects.exclude(state=Export.State.DONE).values_list("folder", flat=True)
    parents = {settings.TONALIST_DATA / "exports"} | {Path(folder).parent for folder in unfinished}
    found = [
        str(path)
        for parent in sorted(parents)
        if parent.is_dir()
        for path in parent.iterdir()
        if PARTIAL_DATASET.fullmatch(path.name) and _changed(path) < before
    ]
    return Place(name="exports", n_files=2 * len(found), orphans=found)


def _below(base: str) -> list[Path]:
    folder = settings.TONALIST_DATA / base
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _changed(path: Path) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    except FileNotFoundError:
        return timezone.now()
