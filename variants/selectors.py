"""What is asked of scenes, files and LUTs."""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from django.db.models import Exists, OuterRef, Q, QuerySet

from variants.models import LutFile, Scene, Version
from variants.tone.cube import parse_cube
from variants.tone.haldclut import parse_haldclut
from variants.tone.likeness import NEAR, bits_apart
from variants.tone.luts import Lut


def scenes_with_photos() -> QuerySet[Scene]:
    """Scenes of which renditions can be made: they have an original, or are a set of files."""
    return Scene.objects.filter(~Q(original="") | Exists(Version.objects.filter(scene=OuterRef("pk"))))


def luts_by_key(keys: Iterable[str]) -> dict[str, Lut]:
    """The LUTs of these keys that have been imported."""
    return {row.key: _lut(row.key) for row in LutFile.objects.filter(key__in=keys)}


@lru_cache(maxsize=64)
def _lut(key: str) -> Lut:
    row = LutFile.objects.get(key=key)
    name = row.file.name or ""
    with row.file.open("rb") as file:
        data = file.read()
    return parse_cube(data, name) if name.endswith(".cube") else parse_haldclut(data, name)


def scenes_like(perceptual_hash: str) -> list[tuple[Scene, int]]:
    """Scenes whose photos are nearly the same as one of this hash, and by how many bits they differ; nearest first."""
    hashes = Scene.objects.exclude(perceptual_hash="").values_list("pk", "perceptual_hash")
    near = {pk: bits_apart(perceptual_hash, other) for pk, other in hashes}
    near = {pk: bits for pk, bits in near.items() if bits <= NEAR}
    scenes = Scene.objects.in_bulk(near)
    return sorted(
        ((scenes[pk], bits) for pk, bits in near.items()), key=lambda found: (found[1], found[0].pk)
    )


def category_balance(scenes: Iterable[Scene] | None = None) -> Counter[str]:
    """How many scenes there are of each category, \"\" being none; all scenes unless told otherwise."""
    rows = Scene.objects.all() if scenes is None else scenes
    return Counter(scene.category for scene in rows)
