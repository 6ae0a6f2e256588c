import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.doctor import examine

MARKS = {"ok": "ok   ", "note": "note ", "fault": "FAULT"}


class Command(BaseCommand):
    help = "Say what is configured, reachable and missing, and what mends it. Exit code 1 if anything is at fault."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as one JSON object")

    def handle(self, **options: Any) -> None:
        findings = examine()
        for finding in findings:
            if not options["json"]:
                fix = f"\n        mend: {finding.fix}" if finding.fix else ""
                self.stdout.write(f"{MARKS[finding.state]}  {finding.name}: {finding.detail}{fix}")
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [dataclasses.asdict(f) for f in findings]}))
        if any(f.state == "fault" for f in findings):
            raise CommandError("Something is at fault; see above.", returncode=1)
