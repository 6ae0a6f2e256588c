from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from collection.management.common import StudyCommand, account_named, add_study_argument, study_named
from collection.models import Role, Study
from collection.selectors.members import members_of
from collection.services.members import MemberError, member_remove, member_set


class Command(StudyCommand):
    help = (
        "Give an account a role in a study, change it, or take it away. Without USER it lists the members. "
        "A study that the command line made without --owner has none."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "user", metavar="USER", nargs="?", help="user name or e-mail address of an account"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("role", metavar="ROLE", nargs="?", choices=Role.values, help=", ".join(Role.values))
        what.add_argument("--remove", action="store_true", help="they see the study no more")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        if not options["user"]:
            self._list(study, options)
            return
        if not (options["role"] or options["remove"]):
            raise CommandError(
                f"which role? One of {', '.join(Role.values)}, or --remove to take it away", returncode=2
            )
        user = account_named(options["user"])
        try:
            if options["remove"]:
                member_remove(study, user)
            else:
                member_set(study, user, Role(options["role"]))
        except MemberError as error:
            raise CommandError(str(error), returncode=1) from error
        name, role = user.get_username(), None if options["remove"] else options["role"]
        text = (
            f"{name} is {role} of {study.slug}" if role else f"{name} is no member of {study.slug} any more"
        )
        self.tell(text, {"study": study.slug, "user": name, "role": role}, options)

    def _list(self, study: Study, options: dict[str, Any]) -> None:
        members = {each.user.get_username(): each.role for each in members_of(study)}
        text = "\n".join(f"{role:<7}{name}" for name, role in members.items())
        text = text or f"nobody; `manage.py member {study.slug} USER owner` gives it an owner"
        self.tell(text, {"study": study.slug, "members": members}, options)
