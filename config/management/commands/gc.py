import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.operations.chores import leftovers_sweep, uploads_expire
from config.operations.garbage import USUAL_AGE, GarbageRefused, garbage_find, garbage_remove
from learning.selectors import photos_overdue

NAMED = 10


class Command(BaseCommand):
    help = (
        "Find files that no row names: left by processes that were killed, in the storage and below TONALIST_DATA. "
        "Without --delete they are only listed. What is young stays, and whole datasets do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--delete", action="store_true", help="remove them, and what is kept for a time that is over"
        )
        parser.add_argument(
            "--older-than",
            type=float,
            default=USUAL_AGE.total_seconds() / 3600,
            metavar="HOURS",
            help="what is younger stays, as its row may be about to be written (default: %(default)g)",
        )
        parser.add_argument(
            "--even-most", action="store_true", help="also where most of a place is named by no row"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        age = dt.timedelta(hours=options["older_than"])
        n_overdue = photos_overdue()
        if options["delete"]:
            uploads_expire()
            leftovers_sweep()
            try:
                places = garbage_remove(age, even_most=options["even_most"])
            except GarbageRefused as refused:
                raise CommandError(str(refused)) from refused
        else:
            places = garbage_find(age)
        for place in places:
            for name in place.orphans[:NAMED]:
                self.stdout.write(f"  {name}")
            if len(place.orphans) > NAMED:
                self.stdout.write(f"  and {len(place.orphans) - NAMED} more in {place.name}")
        total = sum(len(place.orphans) for place in places)
        done = "removed" if options["delete"] else "found; --delete removes them"
        self.stdout.write(f"{total} orphans and {n_overdue} uploads whose time is over {done}.")
