"""Scenes with real files, for tests of the Django side."""

from tests.variants import pictures
from variants.models import Scene
from variants.services import scene_import


def make_photo(folder, name="photo.png", seed=0, height=60, width=80):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pictures.file(pictures.levels(height, width, seed=seed)))
    return path


def make_scene(folder, seed=0, **fields) -> Scene:
    return scene_import(make_photo(folder, f"photo{seed}.png", seed=seed), **fields).scene
