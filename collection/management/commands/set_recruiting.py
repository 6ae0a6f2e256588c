from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.design.recruiting import Recruiting
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.services.recruiting import study_set_recruiting


class Command(StudyCommand):
    help = (
        "Say how people come to a study and what they take away: access (open, panel, invited), panel "
        "(prolific, mturk, pid), and a code or an address for each end (completion_code, screened_out_url, "
        "...). It holds at once, while people answer too. Without NAME=VALUE it shows what is set."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "assignments",  # not "settings", which is an option of every command
            nargs="*",
            metavar="NAME=VALUE",
            help="one setting, such as panel=prolific or completion_code=C1ABC; NAME= empties it",
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            recruiting = Recruiting.from_json(study.recruiting).with_settings(options["assignments"])
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        if options["assignments"]:
            study_set_recruiting(study, recruiting)
        lines = [f"{name}={value}" for name, value in recruiting.to_json().items()]
        self.tell("\n".join(lines), {"study": study.slug, "recruiting": recruiting.to_json()}, options)
