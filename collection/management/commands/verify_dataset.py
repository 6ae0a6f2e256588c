from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.export.check import check_folder
from collection.export.manifest import manifest_faults
from collection.export.published_read import is_published
from collection.management.common import StudyCommand
from collection.models import Export
from variants.progress import terminal


class Command(StudyCommand):
    help = (
        "Check that a dataset is what was exported: every file of its MANIFEST.sha256, no file more, and that its "
        "tables are right. Of a dataset of this site the manifest itself is checked too. Ends with 1 where it is not."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", metavar="DIR", type=Path, help="the dataset folder")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["dir"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder", returncode=2)
        export = Export.objects.filter(folder=str(folder.resolve())).first()
        with terminal(quiet=options["quiet"]) as report:
            faults = manifest_faults(folder, report, sha256=export.manifest_sha256 if export else "")
            if not faults and not is_published(folder):
                faults = check_folder(folder, report)
        if faults:
            lines = "".join(f"\n  {fault}" for fault in faults)
            raise CommandError(f"{folder} is not what was exported:{lines}", returncode=1)
        known = f", version {export.number} of {export.study.slug}" if export else ""
        self.tell(
            f"{folder}: every file is as it was exported{known}",
            {"folder": str(folder), "export": export.public_id if export else None, "faults": []},
            options,
        )
