"""What the commands about studies share."""

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from collection.models import Study
from collection.selectors.studies import StudyNotFound, study_find


class StudyCommand(BaseCommand):
    """A command with --quiet and --json, and a way to tell its result."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object, as the last line"
        )

    def tell(self, text: str, result: dict[str, Any], options: dict[str, Any]) -> None:
        self.stdout.write(text)
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False))


def add_study_argument(parser: ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="a study's slug, public ID or exact name")


def account_named(name: str) -> AbstractBaseUser:
    """The account with this user name or e-mail address, or an end with exit code 2."""
    accounts = get_user_model()._default_manager
    found = accounts.filter(username=name) or accounts.filter(email__iexact=name)
    if len(found) != 1:
        why = f"{len(found)} accounts have the address" if found else "there is no account"
        raise CommandError(
            f"{why} {name!r}; give a user name. `manage.py createsuperuser` makes an account", returncode=2
        )
    return found[0]


def study_named(name: str) -> Study:
    """The study, or an end with exit code 2 and the names that come near."""
    try:
        return study_find(name)
    except StudyNotFound as error:
        raise CommandError(str(error), returncode=2) from error
