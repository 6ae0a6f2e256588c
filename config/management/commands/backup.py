from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.operations.backup import BackupError, backup_write
from config.operations.dump import DumpError
from variants.progress import terminal


class Command(BaseCommand):
    help = (
        "Save the database and all files into a new folder, with a hash of each, while the site goes on. "
        "SECRET_KEY is not in it. `restore` brings it back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="not there yet, and outside TONALIST_DATA")
        parser.add_argument(
            "--without-media",
            action="store_true",
            help="leave out the storage's files: for a bucket that keeps versions itself",
        )
        parser.add_argument("--quiet", action="store_true", help="no progress")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with terminal(quiet=options["quiet"]) as report:
                made = backup_write(options["folder"], media=not options["without_media"], report=report)
        except (BackupError, DumpError, OSError) as error:
            raise CommandError(str(error), returncode=1) from error
        for name in made.missing[:5]:
            self.stderr.write(f"the storage has lost {name}, which a row names")
        self.stdout.write(f"{options['folder']}: {made.n_files} files, {made.n_bytes / 1e6:.1f} MB")
