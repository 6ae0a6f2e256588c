import json
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from collection.models import Study
from collection.selectors.studies import StudyNotFound, study_find
from evaluation.browsers import HttpFailed, own_server, raters_simulate_through_http
from evaluation.services import SimulationRefused, raters_simulate
from evaluation.simulation.raters import CROWDS, Crowd
from variants.progress import Report, terminal

EXAMPLE = """\
examples
  manage.py simulate_raters my-study --raters 48
  manage.py simulate_raters my-study --raters 20 --through-http --concurrency 8

Simulated raters have a taste that is known; they show whether the chain learns what it is given, and
nothing about people. The study is marked as simulated for good. One in which people have begun to answer
is refused: make another study for the simulated raters. Rater number n of a seed is always the same, so the
same command goes on where it was stopped, and a larger --raters adds to those that are there. A blind test
of a simulated rater's taste is answered by that rater first.
"""


class Command(BaseCommand):
    help = "Let simulated raters answer a study: whole sessions, with response times, practice and checks."

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "study", metavar="STUDY", help="a study's slug, public ID or exact name; it must be open"
        )
        parser.add_argument("--raters", type=int, required=True, metavar="N", help="how many raters in all")
        parser.add_argument(
            "--crowd",
            choices=list(CROWDS),
            default="clear",
            help="clear tastes, realistic noise, or that with one careless rater in ten (default clear)",
        )
        parser.add_argument(
            "--careless", type=float, metavar="SHARE", help="part who do not look, instead of the crowd's"
        )
        parser.add_argument(
            "--seed", type=int, default=0, metavar="N", help="of everything random (default 0)"
        )
        parser.add_argument(
            "--through-http",
            nargs="?",
            const="",
            metavar="URL",
            help="answer through the participants' pages and API, as browsers do: of the site at URL, "
            "which must have this database, or of a server started for it",
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            default=4,
            metavar="C",
            help="raters at a time through HTTP (default 4)",
        )
        parser.add_argument("--quiet", action="store_true", help="no progress bars")
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        study, crowd = _study(options["study"]), _crowd(options)
        for name in ("raters", "concurrency"):
            if options[name] < 1:
                raise CommandError(f"--{name} is {options[name]}; it must be 1 or more", returncode=2)
        if options["seed"] < 0:
            raise CommandError(f"--seed is {options['seed']}; it must be 0 or more", returncode=2)
        begun = time.monotonic()
        try:
            with terminal(quiet=options["quiet"]) as report:
                result = _simulate(study, crowd, options, report)
        except SimulationRefused as error:
            raise CommandError(str(error), returncode=2) from error
        except HttpFailed as error:
            raise CommandError(str(error), returncode=1) from error
        self._tell(study, result, time.monotonic() - begun, as_json=options["json"])

    def _tell(self, study: Study, result: dict[str, Any], seconds: float, *, as_json: bool) -> None:
        self.stdout.write(
            f"{study.slug}: {result['made']} SIMULATED raters answered now ({result['answers']} answers in "
            f"{seconds:.1f} s), {result['found']} had before"
        )
        if "p95_ms" in result:
            self.stdout.write(
                f"through HTTP: {result['answers_per_second']:.0f} answers a second, "
                f"95 % of them within {result['p95_ms']:.0f} ms"
            )
        if as_json:
            told = {"study": study.slug, "simulated": True, "seconds": round(seconds, 2), **result}
            self.stdout.write(json.dumps(told))


def _simulate(study: Study, crowd: Crowd, options: dict[str, Any], report: Report) -> dict[str, Any]:
    n, seed, url = options["raters"], options["seed"], options["through_http"]
    if url is None:
        return asdict(raters_simulate(study, n, seed=seed, crowd=crowd, report=report))
    with own_server(url) as address:
        return asdict(
            raters_simulate_through_http(
                study,
                n,
                address=address,
                concurrency=options["concurrency"],
                seed=seed,
                crowd=crowd,
                report=report,
            )
        )


def _study(name: str) -> Study:
    try:
        return study_find(name)
    except StudyNotFound as error:
        raise CommandError(str(error), returncode=2) from error


def _crowd(options: dict[str, Any]) -> Crowd:
    crowd = CROWDS[options["crowd"]]
    if options["careless"] is None:
        return crowd
    try:
        return replace(crowd, careless=options["careless"])
    except ValueError as error:
        raise CommandError(f"--careless: {error}", returncode=2) from error
