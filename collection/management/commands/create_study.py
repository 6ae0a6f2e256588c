import dataclasses
import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.utils.text import slugify

from collection.design.protocol import Protocol
from collection.design.study_file import StudyFile
from collection.management.common import StudyCommand, account_named
from collection.models import Role
from collection.services.members import member_set
from collection.services.studies import StudyError
from collection.services.study_files import SUFFIXES, study_create_from, study_file_read

LONGEST_SHOWN = 70


def settings_help() -> str:
    """All settings of a protocol with their defaults, as --set takes them."""
    protocol = Protocol().to_json()
    rules = {f"rules.{name}": value for name, value in protocol.pop("rules").items()}
    lines = [f"  {name}={_shown(value)}" for name, value in (protocol | rules).items()]
    return "\n".join(
        [
            'settings and their defaults; lists and objects are JSON, as in --set \'phases=["consent", "main"]\'',
            *lines,
            "collection/design/protocol.py says what each of them means.",
        ]
    )


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN or not isinstance(value, str) else f"{text[:LONGEST_SHOWN]}…"


class Command(StudyCommand):
    help = (
        "Make a study: what is asked, of which photos, and whose answers count. It starts as a draft on all "
        "scenes; `generate_variants` then makes renditions and pairs, and `open_study` lets people in."
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        return super().create_parser(
            *args, epilog=settings_help(), formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "study",
            metavar="NAME_OR_FILE",
            help="the study's name, for researchers (participants see `title`, if that is set), or a YAML file "
            "that says all of it, as `export_study` writes it; options go before what the file says",
        )
        parser.add_argument(
            "--slug", help="short name for commands and addresses; made from the name by default"
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="one setting, such as n_main=40, rules.min_consistency=0.8 or 'turn_away=[\"levels\"]'; may be "
            "given many times; all of them stand below",
        )
        parser.add_argument(
            "--recruiting",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="how people come, such as panel=prolific or access=invited; may be given many times, "
            "and changed later by `set_recruiting`",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="of everything random; the same as --set seed=N"
        )
        parser.add_argument(
            "--category",
            action="append",
            metavar="CATEGORY",
            help="only scenes of this category; may be repeated",
        )
        parser.add_argument(
            "--simulated", action="store_true", help="to be answered by simulated raters; said everywhere"
        )
        parser.add_argument(
            "--owner",
            metavar="USER",
            help="the account that owns it; without one, `member` gives it an owner",
        )
        parser.add_argument("--purpose", help="why the study is made, for its datasheet")
        parser.add_argument("--licence", help="of its datasets, such as cc-by-4.0 (other)")
        parser.add_argument("--citation", help="how others should cite its datasets")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        owner = account_named(options["owner"]) if options["owner"] else None
        try:
            with transaction.atomic():
                study = study_create_from(_study_file(options))
                if owner:
                    member_set(study, owner, Role.OWNER)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        n_scenes = study.scenes.count()
        named = study.slug in (options["slug"], slugify(study.name))
        hint = (
            "" if named else f"{study.slug!r} was made up; --slug gives a study a short name of your own.\n"
        )
        self.tell(
            f"{hint}study {study.slug} with {n_scenes} scenes; next: manage.py generate_variants {study.slug}",
            {"study": study.slug, "id": study.public_id, "scenes": n_scenes, "protocol": study.protocol},
            options,
        )


def _study_file(options: dict[str, Any]) -> StudyFile:
    """The file, or a study with nothing but a name; what the options say goes before it."""
    name = options["study"]
    if name.endswith(SUFFIXES):
        file = study_file_read(Path(name))
    elif name.endswith(".json"):
        raise StudyError(f"{name!r} looks like a file; a study is written as YAML (`export_study` shows how)")
    else:
        file = StudyFile(name=" ".join(name.split()))
    seed = [] if options["seed"] is None else [f"seed={options['seed']}"]
    texts = {
        key: options[key] for key in ("slug", "purpose", "licence", "citation") if options[key] is not None
    }
    scenes = file.scenes
    if options["category"]:
        scenes = dataclasses.replace(scenes, categories=tuple(options["category"]))
    return dataclasses.replace(
        file,
        **texts,
        simulated=file.simulated or options["simulated"],
        scenes=scenes,
        recruiting=file.recruiting.with_settings(options["recruiting"]),
        protocol=file.protocol.with_settings([*seed, *options["set"]]),
    )
