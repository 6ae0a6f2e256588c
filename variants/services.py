"""What is done to scenes and renditions, short of rendering them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.db.models import Q

from variants.jobs import Job
from variants.models import Encoding, RenderJob, Rendition, Scene, SourceType
from variants.tone.images import Limits, Photo, read_file, read_photo
from variants.tone.recipes import Recipe

SUFFIXES = {"JPEG": "jpg", "MPO": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif", "BMP": "bmp"}


@dataclass(frozen=True, kw_only=True)
class SceneImport:
    scene: Scene
    is_new: bool
    """False where the same file had been imported before: `scene` is the one from then."""


def scene_import(
    path: str | Path,
    *,
    name: str = "",
    category: str = "",
    source_type: str = SourceType.E,
    licence: str = "",
    attribution: str = "",
    limits: Limits | None = None,
) -> SceneImport:
    """Make a photo file a scene; its name is the file's unless given.

    Raises ImageError for a file that cannot be used and ValidationError for a field
    that cannot be stored; then neither a row nor a file stays behind.
    """
    path = Path(path)
    limits = limits or Limits()
    data = read_file(path, limits)
    sha256 = hashlib.sha256(data).hexdigest()
    if known := Scene.objects.filter(original_sha256=sha256).first():
        return SceneImport(scene=known, is_new=False)
    photo = read_photo(data, limits, name=path.name)
    scene = Scene(
        # Splits hang on the scene's ID: the same photo stands on the same side in every database.
        public_id=sha256[:32],
        name=name or path.stem[:200],
        category=category,
        source_type=source_type,
        original_sha256=sha256,
        height=photo.pixels.shape[0],
        width=photo.pixels.shape[1],
        ingest=photo.found,
        licence=licence,
        attribution=attribution,
    )
    scene.full_clean(exclude=["original"], validate_unique=False, validate_constraints=False)
    try:
        _scene_store(scene, data, photo)
    except IntegrityError:  # another process has imported the same file in the meantime
        return SceneImport(scene=Scene.objects.get(original_sha256=sha256), is_new=False)
    return SceneImport(scene=scene, is_new=True)


def renditions_plan(
    scenes: Iterable[Scene],
    recipes: Iterable[Recipe],
    *,
    long_side: int,
    encoding: str,
    source_type: str = SourceType.D,
) -> RenderJob:
    """Order every recipe of every scene at one size and encoding; the job's renditions are the work list.

    What has been rendered, thrown out, or is ordered by a job under way is not ordered
    again; what failed, or was left by a job that is over, is. The caller enqueues the
    job or runs it.
    """
    if encoding not in Encoding.values:
        raise ValueError(f"encoding is {encoding!r}; it must be one of {', '.join(Encoding.values)}")
    if long_side < 1:
        raise ValueError(f"long_side is {long_side}; it must be at least 1 pixel")
    scenes = list(scenes)
    by_key = {rendition_key(recipe, long_side=long_side, encoding=encoding): recipe for recipe in recipes}
    with transaction.atomic():
        job = RenderJob.objects.create()
        rows = [
            Rendition(
                scene=scene,
                source_type=source_type,
                recipe=recipe.to_json(),
                recipe_key=key,
                long_side=long_side,
                encoding=encoding,
            )
            for scene in scenes
            for key, recipe in by_key.items()
        ]
        Rendition.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
        job.total = sum(_renditions_adopt(job, scene, list(by_key)) for scene in scenes)
        job.save(update_fields=["total"])
    return job


def rendition_key(recipe: Recipe, *, long_side: int, encoding: str) -> str:
    """What makes a rendition the same as another of its scene."""
    text = json.dumps([recipe.key, long_side, str(encoding)])
    return hashlib.sha256(text.encode()).hexdigest()


def _renditions_adopt(job: RenderJob, scene: Scene, keys: list[str]) -> int:
    """Give the job the scene's renditions that nobody is working on; return how many."""
    open_states = (Rendition.State.PLANNED, Rendition.State.FAILED)
    nobody = Q(job=None) | ~Q(job__state__in=(Job.State.QUEUED, Job.State.RUNNING))
    free = Rendition.objects.filter(nobody, scene=scene, recipe_key__in=keys, state__in=open_states)
    return Rendition.objects.filter(pk__in=free.values("pk")).update(
        job=job, state=Rendition.State.PLANNED, error=""
    )


def _scene_store(scene: Scene, data: bytes, photo: Photo) -> None:
    """Row first, for its constraints; the file last, and gone again when the row does not stay."""
    suffix = SUFFIXES.get(photo.found["format"], photo.found["format"].lower())
    try:
        with transaction.atomic():
            scene.save()
            scene.original.save(f"{scene.public_id}.{suffix}", ContentFile(data))
    except BaseException:
        if scene.original.name:
            scene.original.storage.delete(scene.original.name)
        raise
