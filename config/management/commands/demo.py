"""The whole loop on the photos that the packages carry, and then the site."""

import json
import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from collection.models import Study
from config.demo import stages
from config.demo.processes import Child, ChildDied, free_port, server, worker
from evaluation.models import Report
from evaluation.services import raters_simulate
from learning.models import Run
from variants.jobs import Job, JobError
from variants.progress import Report as Progress
from variants.progress import terminal
from variants.tone.images import ImageError


class Command(BaseCommand):
    help = (
        "Make scenes of the photos that the packages carry, render and pair them up, let simulated raters "
        "answer a study, export the dataset, train a learner, write the CQS report, render photos, and serve "
        "the site. A second run goes on where the first stopped. Ctrl-C ends the server and the worker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-serve", action="store_true", help="stop before serving")
        parser.add_argument(
            "--raters", type=int, default=48, metavar="N", help="simulated raters (default 48)"
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=2,
            metavar="N",
            help="decides everything that is random, the held-out photos too (default 2; "
            "docs/decisions/0005-what-eight-photos-can-show.md has the figures of others)",
        )
        parser.add_argument("--port", type=int, default=8000, help="the first to try (default 8000)")
        parser.add_argument("--quiet", action="store_true", help="only the addresses at the end")
        parser.add_argument(
            "--json", action="store_true", help="print the results as one JSON object at the end"
        )

    def handle(self, **options: Any) -> None:
        if options["raters"] < 8:
            raise CommandError(
                "--raters must be at least 8: two are held out to judge the learner", returncode=2
            )
        self.quiet = options["quiet"]
        self.logs = settings.TONALIST_DATA / "logs"
        # `kill` ends the demo as cleanly as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            self._demo(options)
        except (ChildDied, JobError, ImageError, FileNotFoundError, ValueError) as error:
            raise CommandError(str(error), returncode=1) from error
        except KeyboardInterrupt:
            self.stderr.write("\nEnded. `make demo` goes on from here.")

    def _demo(self, options: dict[str, Any]) -> None:
        call_command("migrate", verbosity=0)
        password = stages.researcher_password()
        with worker(self.logs) as child:
            study, run, report, renders = self._loop(child, options)
            if options["json"]:
                self.stdout.write(json.dumps(self._results(study, run, report, renders)))
            if options["no_serve"]:
                self._say(f"Renders: {renders}\nReport:  {Path(report.folder) / 'report.html'}")
                return
            self._serve(child, options["port"], password, report, renders)

    def _loop(self, child: Child, options: dict[str, Any]) -> tuple[Study, Run, Report, Path]:
        """Every stage in turn; what is already there is not made again."""
        seed = options["seed"]
        with terminal(quiet=self.quiet) as progress:
            self._title(1, "Photos from the installed packages, colour-managed")
            scenes = stages.photos_import(progress)

            self._title(2, "Renditions: exposure, contrast, saturation, temperature, tint, tones, LUTs")
            study = stages.simulated_study(scenes, seed)
            self._do(child, progress, *stages.simulated_order(study, scenes))

            self._title(3, "Pairs, and a study of them")
            stages.simulated_open(study, scenes, progress)
            people = stages.people_study(scenes, seed)
            people_jobs = stages.people_order(people)
            stages.jobs_send(people_jobs)  # the worker makes it meanwhile

            self._title(4, f"{options['raters']} simulated raters answer 90 questions each")
            raters_simulate(study, options["raters"], seed=seed, crowd=stages.CROWD, report=progress)

            self._title(5, "The dataset folder")
            export = stages.export_order(study)
            self._do(child, progress, export)

            self._title(6, "Training: preference embedding (upe), preset tiny, on the CPU")
            run = stages.run_order(export, seed)
            self._do(child, progress, run)

            self._title(7, "The CQS report")
            report = stages.report_order(run, seed)
            self._do(child, progress, report)

            self._title(8, "Photos rendered to three simulated raters' tastes")
            renders = stages.photos_render(run, scenes, progress)

            stages.jobs_wait(people_jobs, progress, child)
            stages.people_open(people)
        self._say(f"\n{report.verdict}")
        return study, run, report, renders

    def _results(self, study: Study, run: Run, report: Report, renders: Path) -> dict[str, Any]:
        return {
            "simulated": True,
            "study": study.slug,
            "dataset": run.dataset,
            "run": run.folder,
            "report": str(Path(report.folder) / "report.json"),
            "renders": str(renders),
            "verdict": report.verdict,
        }

    def _serve(self, child: Child, wanted_port: int, password: str, report: Report, renders: Path) -> None:
        port = free_port(wanted_port)
        with server(self.logs, port, settings.SECRET_KEY) as web:
            site = f"http://127.0.0.1:{port}"
            self.stdout.write(
                f"\nOpen these:\n"
                f"  the study to answer   {site}{reverse('participant:study-landing', args=[stages.PEOPLE])}\n"
                f"  the dashboard         {site}{reverse('researcher:study-list')}   user {stages.RESEARCHER}, password {password}\n"
                f"  the report            {site}{reverse('evaluation:report-detail', args=[report.public_id])}\n"
                f"  rendered photos       {renders}\n"
                f"Ctrl-C ends the server and the worker."
            )
            self.stdout.flush()
            while True:
                child.check()
                web.check()
                time.sleep(0.5)

    @staticmethod
    def _do(child: Child, progress: Progress, *jobs: Job) -> None:
        stages.jobs_send(jobs)
        stages.jobs_wait(jobs, progress, child)

    def _title(self, number: int, text: str) -> None:
        self._say(f"{number}/8  {text}")

    def _say(self, text: str) -> None:
        if not self.quiet:
            self.stdout.write(text)
            self.stdout.flush()
