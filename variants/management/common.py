"""What the commands that order jobs share."""

from argparse import _ActionsContainer
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from django.core.management.base import CommandError

from variants.jobs import Job
from variants.progress import Report, terminal, throttled

J = TypeVar("J", bound=Job)


def add_sampling_arguments(parser: _ActionsContainer, what: str) -> None:
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help=f"denoising steps of each {what}; the model's own number by default",
    )
    parser.add_argument(
        "--guidance",
        type=float,
        metavar="X",
        help="how closely the text is followed; the model's own by default",
    )


def model_and_revision(text: str) -> tuple[str, str]:
    """`owner/name`, `owner/name@revision`, or a folder, whatever its name, by its full path."""
    if text and Path(text).expanduser().is_dir():
        return str(Path(text).expanduser().resolve()), ""
    model, _, revision = text.partition("@")
    return model, revision


def job_send(job: Job) -> None:
    """Give the job to the workers."""
    job.enqueue()
    if job.state == Job.State.FAILED:
        raise CommandError(f"{job.error} Or use --wait to do it here.", returncode=1)


def job_run_here(job: J, work: Callable[[J], None], *, quiet: bool) -> None:
    """Do the job in this process, with a bar."""
    with terminal(quiet=quiet) as watch:
        # The verb reports to the job's row; here somebody watches besides.
        job.report = _both(job.report, watch)  # type: ignore[assignment]
        job.run(work)
    if job.state != Job.State.DONE:
        raise CommandError(f"{job} {job.get_state_display()}: {job.error}", returncode=1)


def _both(tell_row: Report, watch: Report) -> Report:
    tell_row = throttled(tell_row)

    def report(done: int, total: int, stage: str = "") -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    return report
