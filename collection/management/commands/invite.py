import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse
from django.utils import timezone

from collection.management.common import add_study_argument, study_named
from collection.models import Invitation, Study
from collection.services.recruiting import (
    MAX_AT_ONCE,
    InvitationError,
    invitation_revoke,
    invitations_create,
    labels_in,
)


class Command(BaseCommand):
    help = (
        "Make personal links into a study and print them as CSV: label,link. Each link is one person; whoever "
        "has it can answer as them. `set_recruiting STUDY access=invited` lets in nobody else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--count", type=int, metavar="N", help="so many links without labels")
        what.add_argument(
            "--labels",
            type=Path,
            metavar="FILE",
            help="a link for each line that is not empty; the line is its label",
        )
        what.add_argument("--revoke", nargs="+", metavar="CODE", help="take these links back, by their codes")
        parser.add_argument(
            "--base-url", metavar="URL", help="where participants reach the site, such as https://example.org"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        if options["revoke"]:
            self._revoke(study, options["revoke"])
        else:
            self._invite(study, _labels(options), _base_url(options["base_url"]))

    def _invite(self, study: Study, labels: list[str], base_url: str) -> None:
        landing = base_url + reverse("participant:study-landing", args=[study.public_id])
        try:
            invitations = invitations_create(study, labels)
        except InvitationError as error:
            raise CommandError(str(error), returncode=2) from error
        table = csv.writer(self.stdout, lineterminator="\n")
        table.writerow(["label", "link"])
        for invitation in invitations:
            table.writerow([invitation.label, f"{landing}?invite={invitation.code}"])

    def _revoke(self, study: Study, codes: list[str]) -> None:
        found = {each.code: each for each in Invitation.objects.filter(study=study, code__in=codes)}
        if unknown := [code for code in codes if code not in found]:
            raise CommandError(
                f"{study.slug} has no invitation with the code {unknown[0]!r}; a code is what stands "
                "behind ?invite= in a link. Nothing was taken back.",
                returncode=2,
            )
        for invitation in found.values():
            invitation_revoke(invitation, timezone.now())
        self.stdout.write(f"{len(found)} invitations of {study.slug} are taken back")


def _labels(options: dict[str, Any]) -> list[str]:
    if options["labels"] is None:
        if not 1 <= options["count"] <= MAX_AT_ONCE:
            raise CommandError(f"--count must be from 1 to {MAX_AT_ONCE}", returncode=2)
        return [""] * options["count"]
    try:
        labels = labels_in(options["labels"].read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{options['labels']} cannot be read as text: {error}", returncode=2) from error
    if not labels:
        raise CommandError(f"{options['labels']} has no lines with a label", returncode=2)
    return labels


def _base_url(url: str | None) -> str:
    if not url or not url.startswith(("http://", "https://")):
        raise CommandError(
            "--base-url is needed: where participants reach the site, such as https://example.org",
            returncode=2,
        )
    return url.rstrip("/")
