import dataclasses
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.design.study_file import write_study_file
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.services.study_files import study_file_of


class Command(StudyCommand):
    help = (
        "Write a study as one YAML file, to be reviewed, published, changed and made again with "
        "`create_study FILE`: its protocol, which photos it has, what is rendered of them, and how people come."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "file", metavar="FILE", type=Path, nargs="?", help="where to; without it the text is printed"
        )
        parser.add_argument(
            "--with-codes",
            action="store_true",
            help="with the panel's completion codes and addresses; whoever reads them can be paid",
        )
        parser.add_argument(
            "--simulated", action="store_true", help="as one that simulated raters are to answer"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study, path = study_named(options["study"]), options["file"]
        try:
            file = dataclasses.replace(study_file_of(study), simulated=options["simulated"])
            text = write_study_file(file, with_codes=options["with_codes"])
        except ValueError as error:
            raise CommandError(f"{study.slug} is not valid: {error}", returncode=2) from error
        if path:
            _write_new(path, text)
        result = {"study": study.slug, "file": str(path) if path else None}
        self.tell(str(path) if path else text.rstrip("\n"), result, options)


def _write_new(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise CommandError(
            f"{path} is already there; choose another name or remove it", returncode=2
        ) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", returncode=2) from error
