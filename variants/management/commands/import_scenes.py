import itertools
import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from variants.models import Scene, SourceType
from variants.progress import Report, terminal
from variants.selectors import category_balance
from variants.services import ALIGN, scene_import, scene_set_import
from variants.sources.balance import balance
from variants.sources.manifest import (
    OPTIONAL,
    SUFFIXES,
    Entry,
    Fault,
    Listing,
    ManifestError,
    files_below,
    maker_folders,
    read_manifest,
)
from variants.tone.images import ImageError

HELP = """\
Import photos as scenes that studies can use. Photos that are there already are not imported twice.
Files that cannot be used are listed at the end with the reason, and the others are imported all the same.

Without --manifest every image file in DIR and its folders is taken; for --source A and B, DIR has a folder
for each editor or device, and files of one name are one scene.

  each photo a scene        manage.py import_scenes photos/ --category people --licence CC0
  with a list of photos     manage.py import_scenes photos/ --manifest photos.csv
                            columns: file; scene, category, licence, attribution may be there
  MIT-Adobe FiveK           manage.py import_scenes fivek/ --source A
                            folders tiff16_a to tiff16_e become expert A to expert E
  several editors           manage.py import_scenes edits/ --source A --manifest edits.csv
                            columns: scene, file, editor
  several cameras           manage.py import_scenes phones/ --source B --manifest phones.csv
                            columns: scene, file, device; the pictures are registered and cropped
"""


@dataclass
class Result:
    """What became of the files: `imported` and `known` count scenes, `files` those in new sets."""

    imported: int = 0
    known: int = 0
    files: int = 0
    refused: list[Fault] = field(default_factory=list)
    near: list[dict[str, Any]] = field(default_factory=list)

    def add_near(self, scene: Scene, others: list[tuple[Scene, int]]) -> None:
        self.near += [
            {"scene": scene.name, "like": other.name, "like_id": other.public_id, "bits": bits}
            for other, bits in others
        ]


class Command(BaseCommand):
    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", metavar="DIR", type=Path, help="the folder with the photos")
        parser.add_argument(
            "--source",
            "--source-type",
            dest="source",
            default=SourceType.E,
            choices=SourceType.values,
            help="what the photos are: "
            + ", ".join(f"{value} {label}" for value, label in SourceType.choices)
            + f" ({SourceType.E})",
        )
        parser.add_argument(
            "--manifest", type=Path, metavar="CSV", help="which files to take; they are named relative to DIR"
        )
        parser.add_argument("--category", default="", help="what the photos show, such as people or food")
        parser.add_argument(
            "--folders-are-categories",
            action="store_true",
            help="each photo's category is the name of the folder that it lies in",
        )
        parser.add_argument("--licence", default="", help="under which licence the photos may be shown")
        parser.add_argument("--attribution", default="", help="whom to name as their author")
        parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object, as the last line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["dir"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder", returncode=2)
        is_sets = options["source"] in ALIGN
        listing = _listing(folder, options["manifest"], is_sets=is_sets)
        others = (
            0 if options["manifest"] else sum(p.suffix.lower() not in SUFFIXES for p in files_below(folder))
        )
        entries = [_completed(entry, folder, options) for entry in listing.entries]
        result = Result(refused=list(listing.faults))
        with terminal(quiet=options["quiet"]) as report:
            import_all = _import_sets if is_sets else _import_photos
            import_all(entries, options["source"], result, report)
        self._tell(result, others, as_json=options["json"])
        if not result.imported and not result.known:
            raise CommandError(_nothing(folder, is_sets=is_sets), returncode=1)

    def _tell(self, result: Result, other_files: int, *, as_json: bool) -> None:
        if result.refused:
            self.stderr.write(f"{len(result.refused)} left out:")
            for fault in result.refused:
                self.stderr.write(f"  {fault.where}: {fault.reason}")
        if result.near:
            self.stderr.write(
                f"{len(result.near)} look like another scene; people would meet the same photo twice:"
            )
            for near in result.near:
                self.stderr.write(
                    f"  {near['scene']} is like {near['like']} ({near['bits']} of 64 bits differ)"
                )
        if other_files:
            self.stderr.write(
                f"{other_files} other files passed over; photos end with {', '.join(sorted(SUFFIXES))}"
            )
        categories = category_balance()
        for line in balance(categories).lines:
            self.stdout.write(line)
        of_files = f" (sets of {result.files} files)" if result.files else ""
        self.stdout.write(
            f"{result.imported} imported{of_files}, {result.known} known already, {len(result.refused)} left out"
        )
        if as_json:
            self.stdout.write(json.dumps(_as_json(result, other_files, categories), ensure_ascii=False))


def _listing(folder: Path, manifest: Path | None, *, is_sets: bool) -> Listing:
    if manifest:
        try:
            return read_manifest(manifest, folder, sets=is_sets)
        except ManifestError as error:
            raise CommandError(str(error), returncode=2) from error
    if is_sets:
        return maker_folders(folder)
    photos = [path for path in files_below(folder) if path.suffix.lower() in SUFFIXES]
    return Listing(
        entries=[Entry(path=path, where=str(path.relative_to(folder))) for path in photos], faults=[]
    )


def _completed(entry: Entry, folder: Path, options: dict[str, Any]) -> Entry:
    """What the manifest leaves open comes from the options."""
    fields = {name: getattr(entry, name) or options[name] for name in OPTIONAL}
    if options["folders_are_categories"] and not entry.category and entry.path.parent != folder:
        fields["category"] = entry.path.parent.name
    return Entry(path=entry.path, where=entry.where, scene=entry.scene, maker=entry.maker, **fields)


def _import_photos(entries: list[Entry], source: str, result: Result, report: Report) -> None:
    for done, entry in enumerate(entries):
        report(done, len(entries), "importing photos")
        fields = {name: getattr(entry, name) for name in OPTIONAL}
        try:
            found = scene_import(entry.path, name=entry.scene, source_type=source, **fields)
        except (ImageError, ValidationError) as error:
            result.refused.append(Fault(where=entry.where, reason=_reason(error)))
            continue
        result.imported += found.is_new
        result.known += not found.is_new
        result.add_near(found.scene, found.near)
    report(len(entries), len(entries), "importing photos")


def _import_sets(entries: list[Entry], source: str, result: Result, report: Report) -> None:
    sets = list(_by_scene(entries))
    for done, files in enumerate(sets):
        report(done, len(sets), "importing sets of files")
        try:
            found = scene_set_import(files, source_type=source)
        except ValidationError as error:
            result.refused += [Fault(where=entry.where, reason=_reason(error)) for entry in files]
            continue
        result.refused += found.faults
        result.imported += bool(found.added)
        result.known += bool(found.known)
        result.files += found.added
        if found.scene:
            result.add_near(found.scene, found.near)
    report(len(sets), len(sets), "importing sets of files")


def _by_scene(entries: list[Entry]) -> Iterator[list[Entry]]:
    def scene(entry: Entry) -> str:
        return entry.scene

    for _, files in itertools.groupby(sorted(entries, key=scene), key=scene):
        yield list(files)


def _as_json(result: Result, other_files: int, categories: dict[str, int]) -> dict[str, Any]:
    return {
        "imported": result.imported,
        "known": result.known,
        "files": result.files,
        "refused": [{"file": fault.where, "reason": fault.reason} for fault in result.refused],
        "near_duplicates": result.near,
        "other_files": other_files,
        "categories": dict(sorted(categories.items())),
    }


def _nothing(folder: Path, *, is_sets: bool) -> str:
    text = f"nothing could be imported from {folder}; photos end with {', '.join(sorted(SUFFIXES))}"
    if is_sets:
        text += ", and lie in a folder for each editor or device unless --manifest names them"
    return text


def _reason(error: ImageError | ValidationError) -> str:
    """The message without the file's name, which stands before it in the list."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
    return str(error).partition(": ")[2]
