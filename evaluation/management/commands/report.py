import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evaluation.arguments import add_protocol_arguments
from evaluation.models import Report
from evaluation.services import ReportError, report_create
from learning.models import Run
from learning.selectors import run_named
from variants.progress import terminal

EXAMPLE = """\
example
  manage.py report 3f9c2a71 --wait

Several runs of one dataset are evaluated side by side. Without --wait the report is a job for a worker
(make worker); its page shows how far it is.
"""


class Command(BaseCommand):
    help = "Write the CQS report of one or more finished runs: does the learner read its raters?"

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "runs", metavar="RUN", nargs="+", help="a run's id, or its first 8 digits or more"
        )
        add_protocol_arguments(parser)
        parser.add_argument(
            "--wait", action="store_true", help="write it here and now instead of on a worker"
        )
        parser.add_argument("--quiet", action="store_true", help="no progress bars")
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        numbers = ("references", "evaluations", "edit_size", "metric_size", "seed")
        try:
            report = report_create(
                [_run(name) for name in options["runs"]], **{name: options[name] for name in numbers}
            )
        except ReportError as error:
            raise CommandError(str(error), returncode=2) from error
        if options["wait"]:
            _write_here(report, quiet=options["quiet"])
        else:
            report.enqueue()
        self._tell(report, as_json=options["json"])

    def _tell(self, report: Report, *, as_json: bool) -> None:
        done = report.state == Report.State.DONE
        self.stdout.write(report.verdict if done else "waits for a worker (make worker)")
        self.stdout.write(f"report {report.public_id}: {report.folder}")
        if as_json:
            told = {
                "report": report.public_id,
                "folder": report.folder,
                "state": report.state,
                "simulated": report.is_simulated,
                "verdict": report.verdict,
            }
            self.stdout.write(json.dumps(told, ensure_ascii=False))


def _run(name: str) -> Run:
    run = run_named(name)
    if run is None:
        raise CommandError(f"there is no run {name!r}; the runs' page lists them", returncode=2)
    return run


def _write_here(report: Report, *, quiet: bool) -> None:
    from evaluation.reporting import report_run

    with terminal(quiet=quiet) as watch:
        report.run(partial(report_run, watch=watch))
    if report.state != Report.State.DONE:
        raise CommandError(f"{report} {report.get_state_display()}: {report.error}", returncode=1)
