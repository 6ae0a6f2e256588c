from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.services.deletion import study_delete_run, study_deletion_create, study_holdings
from collection.services.studies import StudyError
from variants.jobs import Job
from variants.progress import terminal


class Command(StudyCommand):
    help = (
        "Delete a study with its answers, people and images; what other studies use stays. Without --yes it only "
        "says what would go. Killed half-way, the same command finishes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument("--yes", action="store_true", help="delete it; it cannot be brought back")
        parser.add_argument("--exports", action="store_true", help="delete its dataset folders on disk too")
        parser.add_argument(
            "--photos", action="store_true", help="delete photos that no other study uses too"
        )
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        slug, holds = study.slug, study_holdings(study)
        if not options["yes"]:
            self.tell(
                f"{slug} holds {holds.n_people} people ({holds.n_people_known_elsewhere} of them known from other studies), "
                f"{holds.n_sessions} sessions ({holds.n_preview_sessions} more of previews), {holds.n_answers} answers, "
                f"{holds.n_renditions} images that no other study uses, {holds.n_datasets} datasets on disk.",
                {"study": slug, **asdict(holds)},
                options,
            )
            raise CommandError("Nothing is deleted; say --yes to delete it.", returncode=2)
        try:
            job = study_deletion_create(study, with_exports=options["exports"], with_photos=options["photos"])
        except StudyError as error:
            raise CommandError(str(error), returncode=2) from error
        with terminal(quiet=options["quiet"]) as watch:
            job.run(lambda row: study_delete_run(row, watch))
        if job.state != Job.State.DONE:
            raise CommandError(job.error or f"the deletion is {job.get_state_display()}", returncode=1)
        gone = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in job.counts.items()) or "nothing else"
        self.tell(f"{slug} is deleted, with {gone}.", {"study": slug, "deleted": job.counts}, options)
