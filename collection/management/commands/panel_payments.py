from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from collection.management.common import add_study_argument, study_named
from collection.selectors.panel import panel_report
from collection.selectors.rules import rules_in_force


class Command(BaseCommand):
    help = (
        "Print for the panel, as CSV, how far each of its people came and whether they should be paid: "
        "panel_id,completion,should_be_paid,reason. Whose answers may be used is not in it. A cell that a "
        "spreadsheet would take for a formula begins with an apostrophe."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        report = panel_report(study, rules_in_force(study))
        self.stdout.write(report.csv, ending="")
        if left_out := report.left_out:
            self.stderr.write(left_out)
