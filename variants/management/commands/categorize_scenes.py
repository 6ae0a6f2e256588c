import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from variants.diffusion.classifier import load_classifier
from variants.diffusion.machine import DiffusionError, Machine
from variants.management.common import model_and_revision
from variants.models import Scene
from variants.progress import terminal
from variants.selectors import category_balance
from variants.sources.balance import balance
from variants.storing import photo_of
from variants.tone.images import ImageError

MODEL = "openai/clip-vit-base-patch32"


class Command(BaseCommand):
    help = (
        "Give scenes without a category the one of --categories that a model of pictures and words (CLIP, SigLIP) "
        "finds likeliest, and say how the categories are balanced. Each is stored as it is found: stopped, it goes on "
        "where it was when it is run again. Which model chose, and how sure it was, stands in the scene's `ingest`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--categories", required=True, metavar="A,B,…", help="such as people,food,landscape,city,animals"
        )
        parser.add_argument(
            "--model",
            default=MODEL,
            metavar="MODEL",
            help=f"name on the Hugging Face hub, name@revision, or a folder ({MODEL})",
        )
        parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object, as the last line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        categories = _categories(options["categories"])
        scenes = list(Scene.objects.filter(category="").exclude(original="").order_by("pk"))
        left_out: list[str] = []
        if scenes:
            self._categorize(scenes, categories, options, left_out)
        for line in left_out:
            self.stderr.write(f"left out: {line}")
        found = category_balance()
        for line in balance(found).lines:
            self.stdout.write(line)
        n = len(scenes) - len(left_out)
        self.stdout.write(f"{n} scenes have got a category, {len(left_out)} left out")
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"categorized": n, "left_out": left_out, "categories": dict(sorted(found.items()))}
                )
            )

    def _categorize(
        self, scenes: list[Scene], categories: list[str], options: dict[str, Any], left_out: list[str]
    ) -> None:
        model, revision = model_and_revision(options["model"])
        try:
            classifier = load_classifier(model, revision, Machine(**settings.DIFFUSION))
        except DiffusionError as error:
            raise CommandError(str(error), returncode=1) from error
        with terminal(quiet=options["quiet"]) as report:
            for done, scene in enumerate(scenes):
                report(done, len(scenes), "looking at photos")
                try:
                    shares = classifier.shares(photo_of(scene), categories)
                except (ImageError, DiffusionError) as error:
                    left_out.append(f"{scene.name}: {error}")
                    continue
                share, scene.category = max(zip(shares, categories, strict=True))
                scene.ingest |= {"category_by": options["model"], "category_share": round(share, 3)}
                scene.save(update_fields=["category", "ingest"])
            report(len(scenes), len(scenes), "looking at photos")


def _categories(text: str) -> list[str]:
    categories = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    longest = Scene._meta.get_field("category").max_length or 0
    if len(categories) < 2:
        raise CommandError(f"--categories is {text!r}; it must name two or more, with commas", returncode=2)
    if too_long := [name for name in categories if len(name) > longest]:
        raise CommandError(f"the category {too_long[0]!r} is longer than {longest} characters", returncode=2)
    return categories
