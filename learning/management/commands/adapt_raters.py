import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.models import Adaptation
from learning.selectors import run_named
from learning.services import AdaptationRefused, adaptation_create
from variants.progress import terminal

EXAMPLE = """\
example
  manage.py adapt_raters 3f9c2a10 --wait

Without --wait it is a job for workers (make worker), who share the raters among them. Raters who have a
profile are passed over, so the same command goes on where one that was stopped has left off.
"""


class Command(BaseCommand):
    help = "Make the profiles of many raters of a run's dataset."

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", metavar="RUN", help="a finished run's id, or its first 8 digits or more")
        parser.add_argument(
            "--whose",
            choices=Adaptation.Whose.values,
            default=Adaptation.Whose.VALIDATION,
            help="which raters of the run's dataset (validation)",
        )
        parser.add_argument(
            "--references", type=int, default=16, metavar="N", help="read each from the first N answers (16)"
        )
        parser.add_argument("--wait", action="store_true", help="do it here and now")
        parser.add_argument("--quiet", action="store_true", help="no progress bars")
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        run = run_named(options["run"])
        if run is None:
            raise CommandError(f"there is no run {options['run']!r}", returncode=2)
        try:
            adaptation = adaptation_create(run, whose=options["whose"], references=options["references"])
        except AdaptationRefused as error:
            raise CommandError(str(error), returncode=2) from error
        if options["wait"]:
            _adapt_here(adaptation, quiet=options["quiet"])
        else:
            adaptation.enqueue()
        self._tell(adaptation, as_json=options["json"])

    def _tell(self, adaptation: Adaptation, *, as_json: bool) -> None:
        if as_json:
            told = {
                "adaptation": adaptation.public_id,
                "run": adaptation.learner.public_id,
                "state": adaptation.state,
                "raters": adaptation.total,
                "left_out": adaptation.left_out,
                "simulated": adaptation.learner.is_simulated,
            }
            self.stdout.write(json.dumps(told))
            return
        simulated = " SIMULATED" if adaptation.learner.is_simulated else ""
        is_done = adaptation.state == Adaptation.State.DONE
        verb = f"{adaptation.total}{simulated} raters read" if is_done else "waits for workers"
        self.stdout.write(f"{adaptation}: {verb}")
        if adaptation.left_out:
            self.stdout.write(
                f"left out with fewer than {adaptation.references} answers ({len(adaptation.left_out)}): "
                f"{', '.join(adaptation.left_out)}"
            )


def _adapt_here(adaptation: Adaptation, *, quiet: bool) -> None:
    from learning.adapting import raters_adapt

    with terminal(quiet=quiet) as watch:
        adaptation.run(partial(raters_adapt, watch=watch))
    if adaptation.state != Adaptation.State.DONE:
        raise CommandError(f"{adaptation} {adaptation.get_state_display()}: {adaptation.error}", returncode=1)
