import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from collection.models import Study
from collection.services.audit import acting
from collection.services.retention import Erasure, retention_due, retention_erase, retention_preview


class Command(BaseCommand):
    help = (
        "Erase what studies promised to keep no longer: all whose day has passed. Meant for once a day, from cron. "
        "Datasets that were exported are not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be erased")
        parser.add_argument("--json", action="store_true", help="the result as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        now, found = timezone.now(), []
        for study in retention_due(timezone.localdate()):
            with acting("retention"):
                found.append(retention_preview(study) if options["dry_run"] else retention_erase(study, now))
        if options["json"]:
            self.stdout.write(
                json.dumps({"erased": not options["dry_run"], "studies": list(map(asdict, found))})
            )
            return
        for erasure in found:
            self.stdout.write(_words(erasure, would=options["dry_run"]))
        if not found:
            self.stdout.write("No study's day has passed.")


def _words(erasure: Erasure, *, would: bool) -> str:
    what = Study.Erases(erasure.erases).label
    return (
        f"{erasure.slug}, kept until {erasure.retain_until}: {what} {'would be' if would else 'are'} erased: "
        f"{erasure.n_people} people's IDs and cookies, {erasure.n_sessions} sessions, {erasure.n_answers} answers, "
        f"{erasure.n_comments} comments, {erasure.n_displays} browsers' details"
    )
