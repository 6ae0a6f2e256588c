from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.operations.backup import BackupError, backup_check
from config.operations.dump import DumpError
from config.operations.restore import backup_restore
from variants.progress import terminal


class Command(BaseCommand):
    help = (
        "Bring a backup back into an empty place: a database without tables, an empty TONALIST_DATA and storage, "
        "as the environment names them. Nothing is written before every file is found whole."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="what `backup` wrote")
        parser.add_argument("--check", action="store_true", help="only see that the backup is whole")
        parser.add_argument("--quiet", action="store_true", help="no progress")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"]
        try:
            with terminal(quiet=options["quiet"]) as report:
                if options["check"]:
                    manifest, _ = backup_check(folder, report)
                    self.stdout.write(f"{folder} is whole: {manifest.n_files} files of {manifest.made_at}")
                    return
                restored = backup_restore(folder, report)
        except (BackupError, DumpError, OSError) as error:
            raise CommandError(str(error), returncode=1) from error
        if not restored.manifest.has_media:
            self.stderr.write(
                "The backup was made without the storage's files; see that STORAGE_URL has them."
            )
        if restored.is_other_key:
            self.stderr.write(
                "SECRET_KEY is another one: everybody signs in anew, and webhooks need new secrets."
            )
        self.stdout.write(
            f"Restored as of {restored.manifest.made_at}; {restored.n_moved} rows name folders that have moved."
        )
