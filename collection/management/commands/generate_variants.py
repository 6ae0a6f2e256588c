from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.design.protocol import Protocol
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.models import Study
from collection.selectors.studies import study_pair_counts
from collection.services.studies import N_RECIPES, StudyError, study_generate_variants
from variants.jobs import Job
from variants.models import RenderJob
from variants.progress import Report, terminal, throttled
from variants.sources.controlled import controlled_recipes


class Command(StudyCommand):
    help = (
        "Make what a study asks about: renditions of its photos (controlled edits: exposure, contrast, "
        "saturation, temperature, looks, ...) and pairs of them that differ enough to be seen. What is there "
        "already is not made again, so it can be run again at any time. By default a worker does it "
        "(`make worker`); with --wait it is done here."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "--recipes",
            type=int,
            default=N_RECIPES,
            metavar="N",
            help=f"renditions of each photo ({N_RECIPES})",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="draws the recipes; the protocol's seed by default"
        )
        parser.add_argument("--wait", action="store_true", help="do it here and now instead of on a worker")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        job = _order(study, options["recipes"], options["seed"])
        if options["wait"]:
            _render_here(job, quiet=options["quiet"])
        else:
            _send(job)
        self._tell(study, job, options)

    def _tell(self, study: Study, job: RenderJob, options: dict[str, Any]) -> None:
        pairs, ordered = study_pair_counts(study).askable, job.renditions.count()
        if job.state == Job.State.DONE:
            text = f"{study.slug} has {pairs} pairs; next: manage.py open_study {study.slug}"
        else:
            text = f"{ordered} renditions of {study.slug} wait for a worker (`make worker`)"
        result = {
            "study": study.slug,
            "job": job.public_id,
            "state": job.state,
            "renditions": ordered,
            "pairs": pairs,
        }
        self.tell(text, result, options)


def _order(study: Study, n_recipes: int, seed: int | None) -> RenderJob:
    try:
        seed = Protocol.from_json(study.protocol).seed if seed is None else seed
        return study_generate_variants(study, controlled_recipes(n_recipes, seed))
    except (StudyError, ValueError) as error:
        raise CommandError(str(error), returncode=2) from error


def _send(job: RenderJob) -> None:
    job.enqueue()
    if job.state == Job.State.FAILED:
        raise CommandError(f"{job.error} Or use --wait to render here.", returncode=1)


def _render_here(job: RenderJob, *, quiet: bool) -> None:
    from collection.rendering import study_variants_render

    with terminal(quiet=quiet) as watch:
        # The verb reports to the job's row; here somebody watches besides.
        job.report = _both(job.report, watch)  # type: ignore[assignment]
        job.run(study_variants_render)
    if job.state != Job.State.DONE:
        raise CommandError(f"{job} {job.get_state_display()}: {job.error}", returncode=1)


def _both(tell_row: Report, watch: Report) -> Report:
    tell_row = throttled(tell_row)

    def report(done: int, total: int, stage: str = "") -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    return report
