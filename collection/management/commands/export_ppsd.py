from argparse import ArgumentParser
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.export.write import export_run
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.models import Export
from collection.services.exports import export_create
from collection.services.studies import StudyError
from variants.jobs import Job
from variants.progress import terminal


class Command(StudyCommand):
    help = (
        "Export a study as a dataset folder: five Parquet tables, the images, and a README that says what "
        'they hold. It loads with datasets.load_dataset(DIR, "judgments"). Nothing is ever overwritten, '
        "and an export that is broken off leaves nothing behind; what one that was killed (SIGKILL, a power cut) left "
        "half-written is deleted when the next export begins there, when a worker starts, and when somebody withdraws."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "dir", metavar="DIR", type=Path, help="the dataset folder to make; it must not be there yet"
        )
        parser.add_argument(
            "--layout",
            choices=Export.Layout.values,
            default=Export.Layout.FOLDER,
            help="folder: all that is known (the default); published: the choices and the images as readers of "
            "the published PPSD take them, with a README that says what this layout cannot hold",
        )
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--wait", action="store_true", default=True, help="write it here and now (the default)"
        )
        where.add_argument(
            "--no-wait",
            dest="wait",
            action="store_false",
            help="let a worker write it (DIR is on its machine)",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            export = export_create(study, options["dir"], options["layout"])
        except StudyError as error:
            raise CommandError(str(error), returncode=2) from error
        if options["wait"]:
            _export_here(export, quiet=options["quiet"])
        else:
            export.enqueue()
        self._tell(export, options)

    def _tell(self, export: Export, options: dict[str, Any]) -> None:
        export.refresh_from_db()
        text = f"{export.folder} waits for a worker (`make worker`)"
        if export.state == Job.State.DONE:
            counts = export.counts
            simulated = " SIMULATED" if counts["simulated_raters"] else ""
            text = (
                f"{export.folder}: {counts['judgments']} judgments by {counts['raters']}{simulated} raters "
                f"({counts['valid_raters']} valid) on {counts['images']} images of {counts['scenes']} scenes"
            )
            if export.layout == Export.Layout.PUBLISHED:
                text += (
                    f". Of these, {counts['answers_in_layout']} judgments by {counts['raters_in_layout']} raters are in "
                    "the published layout; its README.md says what it cannot hold"
                )
        result = {
            "export": export.public_id,
            "folder": export.folder,
            "state": export.state,
            "sha256": export.sha256,
            "simulated": bool(export.counts.get("simulated_raters")),
            **export.counts,
        }
        self.tell(text, result, options)


def _export_here(export: Export, *, quiet: bool) -> None:
    with terminal(quiet=quiet) as watch:
        export.run(partial(export_run, watch=watch))
    if export.state != Job.State.DONE:
        raise CommandError(": ".join(filter(None, (f"export {export.state}", export.error))), returncode=1)
