"""Which files belong to which scene: by a CSV manifest, or by folders.

A manifest is a CSV file with a header. Sets of files (types A and B) have the columns scene,
file, and editor or device; single photos have file, and scene where they are to be named. Files
are named relative to the folder. The columns category, licence and attribution may be there.
"""

import csv
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {
    ".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif"
}  # fmt: skip
MAKER_COLUMNS = ("editor", "device", "maker")
OPTIONAL = ("category", "licence", "attribution")
FIVEK_FOLDER = re.compile(r"(?:tiff16|expert)[ _-]?([a-e])", re.IGNORECASE)
"""Folders of the MIT-Adobe FiveK dataset, as it is distributed (tiff16_a) and as others unpack it (ExpertA)."""


class ManifestError(ValueError):
    """A manifest that cannot be used at all; the message names it, and the line where there is one."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    path: Path
    where: str
    """For messages: `manifest.csv, line 7`, or the file's place in its folder."""
    scene: str = ""
    maker: str = ""
    category: str = ""
    licence: str = ""
    attribution: str = ""


@dataclass(frozen=True, kw_only=True)
class Fault:
    where: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    entries: list[Entry]
    faults: list[Fault]
    """What cannot be used; the rest can."""


def read_manifest(path: Path, folder: Path, *, sets: bool) -> Listing:
    """Read a manifest of files in `folder`; `sets` where each scene has several files.

    Raises:
        ManifestError: the file is no CSV with the columns that are needed.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8; save it so" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ManifestError(f"{path.name}: {reason}") from error
    reader = csv.DictReader(text.splitlines(), strict=True)
    entries: list[Entry] = []
    faults: list[Fault] = []
    seen: dict[object, str] = {}
    try:
        maker = _check_header(path, reader.fieldnames or [], sets=sets)
        for row in reader:
            where = f"{path.name}, line {reader.line_num}"
            entry = _entry(row, maker, folder, where)
            if isinstance(entry, str):
                faults.append(Fault(where=where, reason=entry))
                continue
            twice = (entry.scene, entry.maker) if sets else entry.path
            if twice in seen:
                what = f"{entry.scene} by {entry.maker}" if sets else entry.path.name
                faults.append(Fault(where=where, reason=f"{what} has been named before ({seen[twice]})"))
                continue
            seen[twice] = where
            entries.append(entry)
    except csv.Error as error:
        raise ManifestError(f"{path.name}, line {reader.line_num + 1}: {error}") from error
    return Listing(entries=entries, faults=faults)


def maker_folders(folder: Path) -> Listing:
    """Files in a folder for each editor or device; files of one name, whatever its ending, are one scene.

    Where there are folders named as MIT-Adobe FiveK has them (tiff16_a to tiff16_e), only those count,
    wherever they stand, and they are called expert A to expert E.
    """
    photos = [
        path for path in files_below(folder) if path.suffix.lower() in SUFFIXES and path.parent != folder
    ]
    if any(FIVEK_FOLDER.fullmatch(path.parent.name) for path in photos):
        photos = [path for path in photos if FIVEK_FOLDER.fullmatch(path.parent.name)]
    entries: dict[tuple[str, str], Entry] = {}
    faults = []
    for path in photos:
        fivek = FIVEK_FOLDER.fullmatch(path.parent.name)
        maker = f"expert {fivek[1].upper()}" if fivek else path.parent.name
        where = str(path.relative_to(folder))
        first = entries.setdefault(
            (path.stem, maker), Entry(path=path, where=where, scene=path.stem, maker=maker)
        )
        if first.path != path:
            faults.append(Fault(where=where, reason=f"{first.where} is the same scene by {maker} already"))
    return Listing(entries=list(entries.values()), faults=faults)


def files_below(folder: Path) -> Iterator[Path]:
    """All files, folder by folder; a folder that links lead to again is entered once."""
    seen: set[tuple[int, int]] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        status = Path(root).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield from (Path(root, name) for name in sorted(files))


def _check_header(path: Path, columns: object, *, sets: bool) -> str:
    """The column that names the maker; "" where none is needed."""
    names = [str(name).strip() for name in columns] if isinstance(columns, list) else []
    wanted = ["scene", "file"] if sets else ["file"]
    missing = [name for name in wanted if name not in names]
    makers = [name for name in MAKER_COLUMNS if name in names]
    if sets and not makers:
        missing.append(" or ".join(MAKER_COLUMNS))
    if missing:
        there = ", ".join(names) or "nothing"
        hint = (
            "; columns are separated by commas" if any(";" in name or "\t" in name for name in names) else ""
        )
        raise ManifestError(
            f"{path.name}, line 1: the column {missing[0]} is missing; there is {there}{hint}"
        )
    return makers[0] if makers else ""


def _entry(row: dict[str | None, str | None], maker: str, folder: Path, where: str) -> Entry | str:
    """What a row says, or what is wrong with it."""
    if None in row:
        return f"it has {len(row.get(None) or ())} fields more than the header"
    fields = {str(name).strip(): (value or "").strip() for name, value in row.items()}
    for name in ("file", *(("scene", maker) if maker else ())):
        if not fields.get(name):
            return f"the field {name} is empty"
    path = folder / fields["file"]
    # Path.resolve raises where links lead round in a circle.
    if "\0" in fields["file"] or not Path(os.path.realpath(path)).is_relative_to(folder.resolve()):
        return f"{fields['file']} is outside {folder.name}"
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return f"{fields['file']} is not there"
    except OSError as error:
        return f"{fields['file']} cannot be read: {error.strerror}"
    if not is_file:
        return f"{fields['file']} is not a file"
    return Entry(
        path=path,
        where=where,
        scene=fields.get("scene", ""),
        maker=fields.get(maker, ""),
        **{name: fields.get(name, "") for name in OPTIONAL},
    )
