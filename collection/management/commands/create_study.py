import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from collection.design.protocol import Protocol
from collection.export.check import read_json
from collection.management.common import StudyCommand
from collection.services.studies import StudyError, study_create
from variants.models import Scene


class Command(StudyCommand):
    help = (
        "Make a study: what is asked, of which photos, and whose answers count. It starts as a draft on all "
        "scenes; `generate_variants` then makes renditions and pairs, and `open_study` lets people in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the study's name, for researchers")
        parser.add_argument("--slug", help="short name for commands and addresses; made from NAME by default")
        parser.add_argument(
            "--protocol",
            type=Path,
            metavar="FILE",
            help='JSON file with settings, such as {"n_main": 40}; a dataset\'s protocol.json will do',
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="one setting, such as n_main=40 or rules.min_consistency=0.8; may be given many times",
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
        parser.add_argument("--purpose", default="", help="why the study is made, for its datasheet")
        parser.add_argument("--licence", default="other", help="of its datasets, such as cc-by-4.0 (other)")
        parser.add_argument("--citation", default="", help="how others should cite its datasets")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            study = study_create(
                _name(options["name"]),
                slug=options["slug"],
                protocol=_protocol(options),
                scenes=_scenes(options["category"]),
                simulated=options["simulated"],
                **{name: options[name] for name in ("purpose", "licence", "citation")},
            )
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        n_scenes = study.scenes.count()
        self.tell(
            f"study {study.slug} with {n_scenes} scenes; next: manage.py generate_variants {study.slug}",
            {"study": study.slug, "id": study.public_id, "scenes": n_scenes, "protocol": study.protocol},
            options,
        )


def _name(name: str) -> str:
    """A file where the name belongs is a slip, not a study called protocol.json."""
    if name.endswith((".json", ".yaml", ".yml")):
        raise StudyError(f"{name!r} looks like a file; use `create_study NAME --protocol {name}`")
    return name


def _protocol(options: dict[str, Any]) -> Protocol:
    protocol = _protocol_from(options["protocol"]) if options["protocol"] else Protocol()
    seed = [] if options["seed"] is None else [f"seed={options['seed']}"]
    return protocol.with_settings([*seed, *options["set"]])


def _protocol_from(path: Path) -> Protocol:
    try:
        data = read_json(path.read_text(encoding="utf-8"))
        return Protocol.from_json(data["protocol"] if isinstance(data, dict) and "protocol" in data else data)
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise StudyError(f"{path} is no JSON: {error}") from error
    except ValueError as error:
        raise StudyError(f"{path}: {error}") from error


def _scenes(categories: list[str] | None) -> list[Scene]:
    scenes = Scene.objects.exclude(original="")
    if not scenes:
        raise StudyError("there are no scenes yet; import photos with `manage.py import_scenes DIR`")
    if categories is None:
        return list(scenes)
    known = set(scenes.values_list("category", flat=True))
    for category in categories:
        if category not in known:
            raise StudyError(f"no scene has the category {category!r}; there are {', '.join(sorted(known))}")
    return list(scenes.filter(category__in=categories))
