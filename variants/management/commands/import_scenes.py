import json
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from variants.models import SourceType
from variants.progress import terminal
from variants.services import scene_import
from variants.tone.images import ImageError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif"}


class Command(BaseCommand):
    help = (
        "Import photos: every image file in DIR and its folders becomes a scene that studies can use. "
        "Photos that are there already are not imported twice. Files that cannot be used are listed at the "
        "end with the reason, and the others are imported all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", metavar="DIR", type=Path, help="the folder with the photos")
        parser.add_argument("--category", default="", help="what the photos show, such as people or food")
        parser.add_argument("--licence", default="", help="under which licence the photos may be shown")
        parser.add_argument("--attribution", default="", help="whom to name as their author")
        parser.add_argument(
            "--source-type",
            default=SourceType.E,
            choices=SourceType.values,
            help="kind of the photos: "
            + ", ".join(f"{value} {label}" for value, label in SourceType.choices),
        )
        parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object, as the last line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["dir"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder", returncode=2)
        files = list(_files(folder))
        photos = [path for path in files if path.suffix.lower() in SUFFIXES]
        result = self._import(photos, options) | {"other_files": len(files) - len(photos)}
        self._say(folder, result, as_json=options["json"])
        if not result["imported"] and not result["known"]:
            raise CommandError(
                f"nothing could be imported from {folder}; photos end with {', '.join(sorted(SUFFIXES))}",
                returncode=1,
            )

    def _import(self, paths: list[Path], options: dict[str, Any]) -> dict[str, Any]:
        imported, known, refused = 0, 0, []
        fields = {name: options[name] for name in ("category", "licence", "attribution", "source_type")}
        with terminal(quiet=options["quiet"]) as report:
            for done, path in enumerate(paths):
                report(done, len(paths), "importing photos")
                try:
                    is_new = scene_import(path, **fields).is_new
                except (ImageError, ValidationError) as error:
                    refused.append({"file": str(path), "reason": _reason(error)})
                else:
                    imported, known = imported + is_new, known + (not is_new)
            report(len(paths), len(paths), "importing photos")
        return {"imported": imported, "known": known, "refused": refused}

    def _say(self, folder: Path, result: dict[str, Any], *, as_json: bool) -> None:
        refused = result["refused"]
        if refused:
            self.stderr.write(f"{len(refused)} left out:")
            for entry in refused:
                self.stderr.write(f"  {Path(entry['file']).relative_to(folder)}: {entry['reason']}")
        if result["other_files"]:
            self.stderr.write(
                f"{result['other_files']} other files passed over; photos end with {', '.join(sorted(SUFFIXES))}"
            )
        self.stdout.write(
            f"{result['imported']} imported, {result['known']} known already, {len(refused)} left out"
        )
        if as_json:
            self.stdout.write(json.dumps(result))


def _files(folder: Path) -> Iterator[Path]:
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


def _reason(error: ImageError | ValidationError) -> str:
    """The message without the file's name, which stands before it in the list."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
    return str(error).partition(": ")[2]
