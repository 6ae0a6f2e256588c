import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.backbones import BACKBONES
from learning.models import Run
from learning.selectors import export_named
from learning.services import RunRefused, run_create
from learning.systems import PRESETS, SYSTEMS
from variants.progress import terminal

EXAMPLE = """\
example
  manage.py train my-study --system upe --preset tiny --wait

Without --wait the run is a job for a worker (make worker); its page shows how far it is.
"""


class Command(BaseCommand):
    help = "Train a learner on a study's export or on a dataset folder."

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args, epilog=EXAMPLE, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "dataset",
            metavar="DATASET",
            help="an export's id, a study's slug (its newest export), or a dataset folder",
        )
        parser.add_argument("--system", required=True, choices=list(SYSTEMS), help="what learns")
        presets = "; ".join(f"{system}: {', '.join(names)}" for system, names in PRESETS.items())
        parser.add_argument("--preset", required=True, help=f"its size ({presets})")
        parser.add_argument(
            "--backbone",
            default="",
            metavar="NAME[=PATH]",
            help=f"image features instead of the preset's: {', '.join(BACKBONES)}",
        )
        parser.add_argument("--steps", type=int, metavar="N", help="instead of the preset's")
        parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random (0)")
        parser.add_argument("--wait", action="store_true", help="train here and now instead of on a worker")
        parser.add_argument("--quiet", action="store_true", help="no progress bars")
        parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = run_create(
                **_dataset_named(options["dataset"]),
                **{name: options[name] for name in ("system", "preset", "backbone", "steps", "seed")},
            )
        except RunRefused as error:
            raise CommandError(str(error), returncode=2) from error
        if options["wait"]:
            _train_here(run, quiet=options["quiet"])
        else:
            run.enqueue()
        self._tell(run, as_json=options["json"])

    def _tell(self, run: Run, *, as_json: bool) -> None:
        if as_json:
            told = {
                "run": run.public_id,
                "folder": run.folder,
                "state": run.state,
                "simulated": run.is_simulated,
            }
            self.stdout.write(json.dumps(told))
        else:
            simulated = " on SIMULATED raters" if run.is_simulated else ""
            verb = "trained" if run.state == Run.State.DONE else "waits for a worker"
            self.stdout.write(f"run {run.public_id}{simulated}: {verb}, {run.folder}")


def _dataset_named(name: str) -> dict[str, Any]:
    """A study's slug may be the name of a folder here too: the site's own comes first."""
    export = export_named(name)
    if export is None and not Path(name).is_dir():
        raise CommandError(
            f"{name!r} is no finished export, no study that has one, and no folder; "
            "`manage.py export_ppsd STUDY DIR` makes a dataset",
            returncode=2,
        )
    return {"export": export} if export else {"dataset": name}


def _train_here(run: Run, *, quiet: bool) -> None:
    from learning.work import run_train

    with terminal(quiet=quiet) as watch:
        run.run(partial(run_train, watch=watch))
    if run.state != Run.State.DONE:
        raise CommandError(f"run {run.public_id} {run.get_state_display()}: {run.error}", returncode=1)
