import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from variants.jobs import Job
from variants.management.common import add_sampling_arguments, job_run_here, job_send, model_and_revision
from variants.models import SceneJob, SceneOrder
from variants.services import scenes_plan
from variants.sources.generated import LICENCES, SEEDS, PictureRecipe, Sampling
from variants.sources.manifest import Fault, ManifestError
from variants.sources.texts import Text, read_texts

HELP = """\
Make scenes from prompts with a text-to-image model. What has been made already is not made again, so it can be
run again at any time. By default a worker does it (`make worker`); with --wait it is done here.

  one prompt a line       manage.py generate_scenes prompts.txt
  with categories         manage.py generate_scenes prompts.csv
                          columns: prompt; category may be there
  another model           manage.py generate_scenes prompts.txt --generator Qwen/Qwen-Image
  a folder of weights     manage.py generate_scenes prompts.txt --generator /models/FLUX.1-Krea-dev

Needs pip install "tonalist[diffusion]". docs/sources.md says what the models need and under which licences
they stand.
"""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("prompts", metavar="FILE", type=Path, help="the prompts")
        parser.add_argument(
            "--generator",
            default=settings.DIFFUSION_GENERATOR,
            metavar="MODEL",
            help=f"name on the Hugging Face hub, name@revision, or a folder ({settings.DIFFUSION_GENERATOR})",
        )
        parser.add_argument("--size", default="1024x1024", metavar="WxH", help="in pixels (1024x1024)")
        parser.add_argument("--each", type=int, default=1, metavar="N", help="pictures of each prompt (1)")
        parser.add_argument(
            "--seed", type=int, default=0, metavar="N", help="of the first picture of each prompt (0)"
        )
        add_sampling_arguments(parser, "picture")
        parser.add_argument("--category", default="", help="of the scenes whose prompt names none")
        parser.add_argument(
            "--licence",
            help="under which licence the pictures may be shown; what is known of the model by default",
        )
        parser.add_argument("--wait", action="store_true", help="do it here and now instead of on a worker")
        parser.add_argument("--quiet", action="store_true", help="no progress, only the result")
        parser.add_argument(
            "--json", action="store_true", help="the result as one JSON object, as the last line"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            texts, faults = read_texts(options["prompts"], "prompt", ("category",))
            orders = _orders(texts, options)
            job = scenes_plan(orders) if orders else None
        except (ManifestError, ValueError) as error:
            raise CommandError(str(error), returncode=2) from error
        except ValidationError as error:
            raise CommandError("; ".join(error.messages), returncode=2) from error
        if faults:
            self.stderr.write(f"{len(faults)} left out:")
            for fault in faults:
                self.stderr.write(f"  {fault.where}: {fault.reason}")
        if job is None:
            raise CommandError(f"{options['prompts'].name} holds no prompt that can be used", returncode=1)
        if options["wait"]:
            from variants.generating import scenes_generate

            job_run_here(job, scenes_generate, quiet=options["quiet"])
        else:
            job_send(job)
        self._tell(job, faults, known=len(orders) - job.total, as_json=options["json"])

    def _tell(self, job: SceneJob, faults: list[Fault], *, known: int, as_json: bool) -> None:
        failed = job.orders.filter(state=SceneOrder.State.FAILED)
        made = job.orders.filter(state=SceneOrder.State.MADE).count()
        if job.state == Job.State.DONE:
            text = f"{made} scenes made, {known} made or ordered before, {len(failed)} failed"
        else:
            text = f"{job.total} scenes wait for a worker (`make worker`), {known} made or ordered before"
        for order in failed:
            self.stderr.write(f"failed: {PictureRecipe.from_json(order.recipe).prompt[:60]}: {order.error}")
        self.stdout.write(text)
        if as_json:
            result = {
                "job": job.public_id,
                "state": job.state,
                "ordered": job.total,
                "known": known,
                "made": made,
                "failed": [order.error for order in failed],
                "left_out": [{"where": fault.where, "reason": fault.reason} for fault in faults],
            }
            self.stdout.write(json.dumps(result, ensure_ascii=False))


def _orders(texts: list[Text], options: dict[str, Any]) -> list[SceneOrder]:
    model, revision = model_and_revision(options["generator"])
    if options["each"] < 1:
        raise ValueError(f"--each is {options['each']}; it must be at least 1")
    licence = LICENCES.get(model, "") if options["licence"] is None else options["licence"]
    orders = {}
    for text in texts:
        for number in range(options["each"]):
            sampling = Sampling(
                model=model,
                revision=revision,
                seed=(options["seed"] + number) % SEEDS,
                steps=options["steps"],
                guidance=options["guidance"],
            )
            recipe = PictureRecipe(sampling=sampling, prompt=text.text, size=_size(options["size"]))
            category = text.fields.get("category") or options["category"]
            orders[recipe.key] = SceneOrder(recipe=recipe.to_json(), category=category, licence=licence)
    return list(orders.values())


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(f"--size is {text!r}; it must be width and height in pixels, such as 1024x768")
    return int(width), int(height)
