from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.selectors.studies import study_pair_counts
from collection.services.studies import StudyError, study_open


class Command(StudyCommand):
    help = (
        "Open a study: from now on it can be answered. Says what is missing when it cannot be opened: "
        "scenes, renditions, or enough pairs to fill one session."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        try:
            study_open(study)
        except StudyError as error:
            raise CommandError(str(error), returncode=2) from error
        pairs = study_pair_counts(study).askable
        self.tell(
            f"{study.slug} is open with {pairs} pairs: /s/{study.slug}/",
            {"study": study.slug, "status": study.status, "pairs": pairs, "path": f"/s/{study.slug}/"},
            options,
        )
