import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from collection.selectors.person_data import PersonNotFound, person_data, person_find
from collection.services.withdrawal import person_erase


class Command(BaseCommand):
    help = (
        "What is stored about one person in all studies, as JSON (export), or its erasure (erase). The person is named "
        "by a panel's ID, an invitation's code or one of their rater IDs."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("export", "erase"))
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument(
            "--panel-id", default="", metavar="ID", help="as the panel, or the invitation, names them"
        )
        who.add_argument("--rater", default="", metavar="ID", help="a rater's public ID, as datasets show it")
        parser.add_argument("--panel", default="", help="which panel, where several have given the ID")
        parser.add_argument("--yes", action="store_true", help="erase; it cannot be brought back")
        parser.add_argument(
            "--file", type=Path, metavar="FILE", help="write the JSON there; without it it is printed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = person_find(panel_id=options["panel_id"], panel=options["panel"], rater=options["rater"])
        except PersonNotFound as error:
            raise CommandError(str(error), returncode=2) from error
        if options["action"] == "export":
            return self._tell(person_data(person), options["file"])
        if not options["yes"]:
            raise CommandError(
                "Nothing is erased; look at `person export` first, then say --yes to erase it.", returncode=2
            )
        erased = person_erase(person, timezone.now())
        self._tell(
            {"person": person.public_id, "studies": {slug: asdict(n) for slug, n in erased.items()}},
            options["file"],
        )

    def _tell(self, result: dict[str, Any], file: Path | None) -> None:
        text = json.dumps(result, ensure_ascii=False, indent=2)
        if file is None:
            self.stdout.write(text)
            return
        try:
            with file.open("x", encoding="utf-8") as out:
                out.write(text + "\n")
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}", returncode=2) from error
        self.stdout.write(str(file))
