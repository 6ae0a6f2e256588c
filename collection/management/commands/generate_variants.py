import dataclasses
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from collection.design.protocol import Protocol
from collection.management.common import StudyCommand, add_study_argument, study_named
from collection.models import Study
from collection.selectors.pairs import study_scene_groups
from collection.selectors.studies import study_pair_counts
from collection.services.studies import N_RECIPES, StudyError, study_generate_variants
from variants.jobs import Job
from variants.management.common import add_sampling_arguments, job_run_here, job_send, model_and_revision
from variants.models import RenderJob, Rendition, Scene
from variants.pairing import judgments_per_pair
from variants.services import OwnRecipe, Recipes, lut_import
from variants.sources.cameras import camera_recipes
from variants.sources.controlled import controlled_recipes, designed_recipes, lut_recipes
from variants.sources.generated import EditRecipe, Sampling, instructed_recipes, written_recipes
from variants.sources.manifest import Fault, ManifestError
from variants.sources.texts import Text, read_texts
from variants.tone.images import ImageError
from variants.tone.luts import LutError
from variants.tone.recipes import NEUTRAL

LUT_SUFFIXES = {".cube", ".png", ".tif", ".tiff"}


HELP = """\
Make what a study asks about: renditions of its photos and pairs of them that differ enough to be seen.
Photos get controlled edits (exposure, contrast, saturation, temperature, looks, ...); scenes that came as
sets of files (import_scenes --source A or B) have those files rendered. What is there already is not made
again, so it can be run again at any time. By default a worker does it (`make worker`); with --wait it is
done here.

  what its file lists     manage.py generate_variants my-study
  a mixture of edits      manage.py generate_variants my-study --recipes 16
  a cross of strengths    manage.py generate_variants my-study --design grid --recipes 5 --one-at-a-time
  samples of two          manage.py generate_variants my-study --design sobol --recipes 32 --concepts exposure,tint
  a LUT collection        manage.py generate_variants my-study --luts luts/
  simulated cameras       manage.py generate_variants my-study --simulated-cameras
  diffusion edits         manage.py generate_variants my-study --diffusion-edits 4
                          a vision-language model looks at each photo and writes what is to be done
  by your instructions    manage.py generate_variants my-study --diffusion-edits 4 --instructions edits.csv
                          one a line, or a CSV with the column instruction; scene may be there
  pairs again             manage.py generate_variants my-study --pairs-only
                          joins what fell apart when renditions were thrown out
  what each pair gets     manage.py generate_variants my-study --wait --raters 200

A scene has at most max_pairs_per_scene pairs over all runs; more only where it takes them to connect
every rendition.
"""


class Command(StudyCommand):
    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_study_argument(parser)
        parser.add_argument(
            "--design",
            choices=("mixed", "grid", "sobol"),
            default="mixed",
            help="which edits: single concepts, looks and combinations in thirds (mixed); even strengths (grid); "
            "samples that cover the space evenly (sobol)",
        )
        parser.add_argument(
            "--concepts", default="", metavar="A,B", help="of a grid or samples; all by default"
        )
        parser.add_argument(
            "--one-at-a-time", action="store_true", help="of a grid or samples: one concept in each rendition"
        )
        parser.add_argument(
            "--luts", type=Path, metavar="DIR", help="instead of concepts: every .cube and HaldCLUT in DIR"
        )
        parser.add_argument(
            "--simulated-cameras", action="store_true", help="instead of concepts: twelve simulated cameras"
        )
        parser.add_argument(
            "--pairs-only", action="store_true", help="no new edits: only the pairs that are missing"
        )
        _add_edit_arguments(parser)
        parser.add_argument(
            "--raters", type=int, metavar="N", help="say how many judgments each pair gets from N raters"
        )
        parser.add_argument(
            "--recipes",
            type=int,
            metavar="N",
            help="renditions of each photo; for a grid, strengths of each concept (what the study's file lists, "
            f"else {N_RECIPES})",
        )
        parser.add_argument(
            "--seed", type=int, metavar="N", help="draws the recipes; the protocol's seed by default"
        )
        parser.add_argument("--wait", action="store_true", help="do it here and now instead of on a worker")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        study = study_named(options["study"])
        job = _order(study, self._recipes(study, options))
        if options["wait"]:
            from collection.rendering import study_variants_render

            job_run_here(job, study_variants_render, quiet=options["quiet"])
        else:
            job_send(job)
        self._tell(study, job, options)

    def _recipes(self, study: Study, options: dict[str, Any]) -> Recipes | None:
        """None for those that the study's file lists."""
        if options["pairs_only"]:
            if options["luts"] or options["simulated_cameras"] or options["diffusion_edits"] is not None:
                raise CommandError(
                    "--pairs-only makes no edits: leave out --luts, --simulated-cameras and --diffusion-edits",
                    returncode=2,
                )
            return []
        chosen: list[OwnRecipe] = []
        if options["luts"]:
            chosen += lut_recipes(self._luts(options["luts"]))
        if options["simulated_cameras"]:
            chosen += camera_recipes()
        if options["diffusion_edits"] is not None:
            edits = self._edits(study, options)
            return lambda scene: [NEUTRAL, *chosen, *edits(scene)]
        if chosen:
            return [NEUTRAL, *chosen]
        seed, n = options["seed"], options["recipes"]
        if study.recipes and options["design"] == "mixed" and n is None and seed is None:
            return None
        n = N_RECIPES if n is None else n
        try:
            seed = Protocol.from_json(study.protocol).seed if seed is None else seed
            if options["design"] == "mixed":
                return [*controlled_recipes(n, seed)]
            concepts = [name.strip() for name in options["concepts"].split(",") if name.strip()]
            one_at_a_time = options["one_at_a_time"]
            return [
                *designed_recipes(options["design"], n, seed, concepts=concepts, one_at_a_time=one_at_a_time)
            ]
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error

    def _edits(self, study: Study, options: dict[str, Any]) -> Callable[[Scene], list[EditRecipe]]:
        """What each scene is edited by."""
        n, megapixels = options["diffusion_edits"], options["megapixels"]
        try:
            sampling = _sampling(study, options)
            if n < 1:
                raise ValueError(f"--diffusion-edits is {n}; it must be at least 1")
            if options["instructions"] is None:
                writer, revision = model_and_revision(options["writer"])
                recipes = written_recipes(n, sampling, writer, revision, megapixels)
                return lambda scene: recipes
            texts = self._instructions(study, options["instructions"])
        except (ManifestError, ValueError) as error:
            raise CommandError(str(error), returncode=2) from error

        def edits(scene: Scene) -> list[EditRecipe]:
            own = [text.text for text in texts if text.fields.get("scene", "") in ("", scene.name)]
            return instructed_recipes(n, sampling, own, megapixels)

        return edits

    def _instructions(self, study: Study, path: Path) -> list[Text]:
        """Those that can be used; the others are named, and left out."""
        texts, faults = read_texts(path, "instruction", ("scene",))
        names = {"", *study.scenes.values_list("name", flat=True)}
        faults += [
            Fault(where=text.where, reason=f"{study.slug} has no scene {text.fields['scene']!r}")
            for text in texts
            if text.fields.get("scene", "") not in names
        ]
        for fault in faults:
            self.stderr.write(f"left out: {fault.where}: {fault.reason}")
        texts = [text for text in texts if text.fields.get("scene", "") in names]
        if not texts:
            raise ValueError(f"{path.name} holds no instruction that can be used")
        return texts

    def _luts(self, folder: Path) -> list[str]:
        """Keys of the folder's LUTs; what is none is named, and left out."""
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder", returncode=2)
        keys = []
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in LUT_SUFFIXES:
                continue
            try:
                keys.append(lut_import(path).key)
            except (LutError, ImageError) as error:
                self.stderr.write(f"left out: {error}")
        if not keys:
            raise CommandError(f"{folder} has no LUT that can be used", returncode=2)
        return keys

    def _tell(self, study: Study, job: RenderJob, options: dict[str, Any]) -> None:
        pairs, ordered = study_pair_counts(study).askable, job.renditions.count()
        if job.state == Job.State.DONE:
            text = f"{study.slug} has {pairs} pairs; next: manage.py open_study {study.slug}"
        else:
            text = f"{ordered} renditions of {study.slug} wait for a worker (`make worker`)"
        result: dict[str, Any] = {
            "study": study.slug,
            "job": job.public_id,
            "state": job.state,
            "renditions": ordered,
            "pairs": pairs,
        }
        for state, words in ((Rendition.State.FAILED, "failed"), (Rendition.State.REJECTED, "thrown out")):
            rows = job.renditions.filter(state=state).exclude(error="")
            result[words.replace(" ", "_")] = n = rows.count()
            if n:
                self.stderr.write(f"{n} renditions {words}; the first: {rows[0].error}")
        if job.state == Job.State.DONE:
            result["scenes_apart"] = self._scenes_apart(study)
        self.tell(text, result | self._preview(study, options["raters"]), options)

    def _scenes_apart(self, study: Study) -> list[dict[str, Any]]:
        """Each scene that is not whole, and into how many groups it falls; each is said."""
        groups = {scene: n for scene, n in study_scene_groups(study).items() if n > 1}
        names = Scene.objects.filter(pk__in=groups).order_by("pk").values_list("pk", "name")
        for scene, name in names:
            self.stderr.write(f"scene {name} falls into {groups[scene]} groups that are never compared")
        return [{"scene": name, "groups": groups[scene]} for scene, name in names]

    def _preview(self, study: Study, n_raters: int | None) -> dict[str, Any]:
        """What each pair gets, by source where the protocol has quotas."""
        if n_raters is None:
            return {}
        protocol = Protocol.from_json(study.protocol)
        by_source = study_pair_counts(study).askable_by_source
        asked = protocol.main_by_source or {"": protocol.n_main}
        previews = {}
        for source, n_main in asked.items():
            n_pairs = by_source.get(source, 0) if source else sum(by_source.values())
            if not n_pairs:
                continue
            preview = judgments_per_pair(n_pairs, n_raters, n_main)
            previews[source or "all"] = dataclasses.asdict(preview)
            self.stdout.write(
                f"{n_raters} raters: {preview.mean:.1f} judgments for each of {n_pairs} pairs"
                + (f" of source {source}" if source else "")
                + f"; the part that prefers one side is then known to ±{preview.standard_error:.2f}"
            )
        return {"judgments_per_pair": previews}


def _order(study: Study, recipes: Recipes | None) -> RenderJob:
    try:
        return study_generate_variants(study, recipes)
    except (StudyError, ValueError) as error:
        raise CommandError(str(error), returncode=2) from error


def _add_edit_arguments(parser: ArgumentParser) -> None:
    group = parser.add_argument_group(
        "diffusion edits", 'need pip install "tonalist[diffusion]"; see docs/sources.md for the models'
    )
    group.add_argument(
        "--diffusion-edits",
        type=int,
        metavar="N",
        help="instead of concepts: N edits of each photo by a model",
    )
    group.add_argument(
        "--editor",
        default=settings.DIFFUSION_EDITOR,
        metavar="MODEL",
        help=f"name on the Hugging Face hub, name@revision, or a folder ({settings.DIFFUSION_EDITOR})",
    )
    group.add_argument(
        "--instructions",
        type=Path,
        metavar="FILE",
        help="what is to be done; the photo's N edits take them in turn",
    )
    group.add_argument(
        "--writer",
        default=settings.DIFFUSION_WRITER,
        metavar="MODEL",
        help=f"without --instructions: the model that writes them ({settings.DIFFUSION_WRITER})",
    )
    add_sampling_arguments(group, "edit")
    group.add_argument(
        "--megapixels",
        type=float,
        metavar="X",
        help="at which the model works, 1 being 1024 × 1024; the size that it was trained at by default",
    )


def _sampling(study: Study, options: dict[str, Any]) -> Sampling:
    model, revision = model_and_revision(options["editor"])
    seed = options["seed"]
    return Sampling(
        model=model,
        revision=revision,
        seed=Protocol.from_json(study.protocol).seed if seed is None else seed,
        steps=options["steps"],
        guidance=options["guidance"],
    )
