from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.export.read import DatasetError, dataset_import
from collection.management.common import StudyCommand
from collection.services.studies import StudyError
from variants.progress import terminal


class Command(StudyCommand):
    help = (
        "Import a dataset folder (as export_ppsd writes it, or in the layout of the published PPSD) as a closed study. Every hash, every reference "
        "and every value is checked first; the first ten faults are named with file and row, and nothing is "
        "written unless all of it is right."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("dir", metavar="DIR", type=Path, help="the dataset folder")
        parser.add_argument("--slug", help="short name of the study here; the dataset's own by default")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with terminal(quiet=options["quiet"]) as report:
                study = dataset_import(options["dir"], report, slug=options["slug"])
        except (DatasetError, StudyError) as error:
            raise CommandError(str(error), returncode=2) from error
        result = {
            "study": study.slug,
            "id": study.public_id,
            "simulated": study.is_simulated,
            "raters": study.raters.count(),
            "scenes": study.scenes.count(),
            "pairs": study.pairs.count(),
        }
        simulated = " SIMULATED" if study.is_simulated else ""
        text = f"study {study.slug}: {result['raters']}{simulated} raters, {result['pairs']} pairs, {result['scenes']} scenes"
        if not (options["dir"] / "protocol.json").exists():
            text += "\nnote: the folder holds no protocol; the study's settings are guessed from its answers"
        self.tell(text, result, options)
