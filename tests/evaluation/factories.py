"""A study of the site with real renditions, for simulated raters to answer."""

from django.core.files.base import ContentFile

from collection.design.protocol import Protocol
from collection.models import Study
from collection.services.studies import study_create, study_link_pairs, study_open
from evaluation.simulation.raters import benchmark_recipes
from tests.evaluation.conftest import colourful_photos
from variants.models import Rendition, Scene
from variants.rendering import pairs_build
from variants.tone.images import encode_image
from variants.tone.recipes import apply_recipe


def make_study(slug="looks", *, n_photos=3, n_recipes=6, n_main=12, n_checks=3, **settings) -> Study:
    """An open study on photos rendered with benchmark recipes; `settings` are of its protocol."""
    scenes = [_scene(photo, n_recipes) for photo in colourful_photos(n_photos)]
    settings = {
        "n_practice": 1,
        "practice_tries": 1,
        "check_lag": 3,
        "min_delta_e": 4.0,
        "long_side": 64,
    } | settings
    protocol = Protocol(n_main=n_main, n_checks=n_checks, **settings)
    study = study_create(slug, slug=slug, protocol=protocol, scenes=scenes)
    study_link_pairs(study, pairs_build(scenes, min_delta_e=4.0, max_delta_e=25, max_per_scene=20, seed=0))
    study_open(study)
    study.refresh_from_db()
    return study


def _scene(photo, n_recipes):
    height, width = photo.pixels.shape[:2]
    scene = Scene.objects.create(name=photo.name, category=photo.category, width=width, height=height)
    for recipe in benchmark_recipes(n_recipes, 0, category=photo.category, scene=photo.name):
        rendition = Rendition(
            scene=scene,
            recipe=recipe.to_json(),
            recipe_key=recipe.key,
            long_side=64,
            state=Rendition.State.RENDERED,
            width=width,
            height=height,
        )
        content = encode_image(apply_recipe(photo.pixels, recipe), "webp_lossless")
        rendition.image.save(f"{rendition.public_id}.webp", ContentFile(content), save=False)
        rendition.save()
    return scene
