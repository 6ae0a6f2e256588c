"""Folders of the server that photos may be imported from: those below IMPORT_FOLDER, and nothing else."""

import os
from pathlib import Path

from django.conf import settings

from variants.sources.manifest import SUFFIXES

DEPTH = 3
MOST_FOLDERS = 300


class ImportFolderError(ValueError):
    """The folder cannot be imported from; the message says why and what mends it."""


def import_root() -> Path:
    """Raises ImportFolderError where there is none."""
    if not settings.IMPORT_FOLDER:
        raise ImportFolderError(
            "This server offers no folder of its own. Whoever runs it can set IMPORT_FOLDER to one."
        )
    root = Path(settings.IMPORT_FOLDER).resolve()
    if not root.is_dir():
        raise ImportFolderError(f"IMPORT_FOLDER is {root}, which is not a folder.")
    return root


def folder_below(name: str) -> Path:
    """The folder of this name below IMPORT_FOLDER, links followed. Raises ImportFolderError for any other."""
    root = import_root()
    try:
        folder = (root / name).resolve()
        is_there = folder.is_relative_to(root) and folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a null in it, links in a circle
        is_there = False
    if not is_there:
        raise ImportFolderError(f"There is no folder {name[:100]!r} in the server's folder for imports.")
    return folder


def is_below_root(path: Path) -> bool:
    """Whether a file lies below IMPORT_FOLDER after all links are followed."""
    return path.resolve().is_relative_to(import_root())


def folders_below() -> list[tuple[str, int]]:
    """(name, photos right in it) of the folders of the first levels that have any; links are not followed."""
    root = import_root()
    found: list[tuple[str, int]] = []
    for place, folders, files in os.walk(root):
        here = Path(place).relative_to(root)
        if len(here.parts) >= DEPTH:
            folders.clear()
        folders.sort()
        if n := sum(Path(name).suffix.lower() in SUFFIXES for name in files):
            found.append((str(here), n))
        if len(found) >= MOST_FOLDERS:
            break
    return found
