"""The heavy verbs: renditions from recipes, pairs from renditions. Called by tasks and commands only."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.db.models import QuerySet

from variants.jobs import JobError
from variants.models import Pair, RenderJob, Rendition, Scene
from variants.pairing import choose_pairs
from variants.progress import Report, silent, throttled
from variants.tone.color import Array, srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.images import (
    EXTENSIONS,
    ImageError,
    Pixels,
    decode_image,
    encode_image,
    fit_long_side,
    read_photo,
)
from variants.tone.recipes import Recipe, apply_recipe

DELTA_E_SIDE = 256
"""Long side at which two renditions are compared; the mean hardly depends on it."""


def renditions_render(job: RenderJob) -> None:
    """Render what of the job is still planned; each scene's photo is decoded once.

    A rendition that cannot be made carries its reason, and the job goes on. It can be
    killed at any moment and run again: a row is RENDERED only once its file is whole.
    """
    total = job.renditions.count()
    planned = job.renditions.filter(state=Rendition.State.PLANNED)
    done = total - planned.count()
    report = throttled(job.report, seconds=0.5)
    report(done, total, "rendering")
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        for scene in Scene.objects.filter(pk__in=planned.values("scene")).order_by("pk"):
            for rendition, outcome in _scene_render(pool, scene, planned):
                _rendition_store(rendition, outcome)
                done += 1
                report(done, total, "rendering")
    finally:
        pool.shutdown(cancel_futures=True)
    _check_outcome(job, total)


@dataclass(frozen=True, kw_only=True)
class _Rendered:
    data: bytes
    width: int
    height: int


def _scene_render(
    pool: ThreadPoolExecutor, scene: Scene, planned: "QuerySet[Rendition]"
) -> Iterator[tuple[Rendition, _Rendered | str]]:
    """Each planned rendition of a scene with its file, or with the reason why there is none."""
    renditions = list(planned.filter(scene=scene).order_by("pk"))
    try:
        pixels = _scene_pixels(scene, {rendition.long_side for rendition in renditions})
    except (ImageError, MemoryError) as error:
        yield from ((rendition, str(error) or "out of memory") for rendition in renditions)
        return
    # numpy and the encoders release the interpreter, so threads use all cores on one decoded photo.
    yield from zip(renditions, pool.map(partial(_rendition_render, pixels), renditions), strict=True)


def _scene_pixels(scene: Scene, long_sides: set[int]) -> dict[int, Pixels]:
    """The scene's photo at each of the sizes."""
    if not scene.original:
        raise ImageError(f"{scene.name}: the scene has no original to render from")
    try:
        with scene.original.open("rb") as file:
            data = file.read()
    except OSError as error:
        raise ImageError(
            f"{scene.name}: its original {scene.original.name} cannot be read ({error})"
        ) from error
    photo = read_photo(data, name=scene.name)
    return {long_side: fit_long_side(photo.pixels, long_side) for long_side in long_sides}


def _rendition_render(pixels: dict[int, Pixels], rendition: Rendition) -> _Rendered | str:
    try:
        recipe = Recipe.from_json(rendition.recipe)
        image = apply_recipe(pixels[rendition.long_side], recipe)
        height, width = image.shape[:2]
        return _Rendered(data=encode_image(image, rendition.encoding), width=width, height=height)
    except (ValueError, MemoryError) as error:
        return str(error) or "out of memory"


def _rendition_store(rendition: Rendition, outcome: _Rendered | str) -> None:
    """File first, then the row, and only while it is still PLANNED: who comes second changes nothing."""
    rows = Rendition.objects.filter(pk=rendition.pk, state=Rendition.State.PLANNED)
    if isinstance(outcome, str):
        rows.update(state=Rendition.State.FAILED, error=outcome)
        return
    name = f"renditions/{rendition.public_id}.{EXTENSIONS[rendition.encoding]}"
    _put(rendition.image.storage, name, outcome.data)
    rows.update(
        state=Rendition.State.RENDERED,
        image=name,
        sha256=hashlib.sha256(outcome.data).hexdigest(),
        width=outcome.width,
        height=outcome.height,
        error="",
    )


def _put(storage: Storage, name: str, data: bytes) -> None:
    """Store under exactly this name; a file that a killed worker left there, whole or not, is replaced."""
    storage.delete(name)
    stored = storage.save(name, ContentFile(data))
    if stored != name:  # another worker was quicker: equal recipes give equal bytes, so its file will do
        storage.delete(stored)


def _check_outcome(job: RenderJob, total: int) -> None:
    failed = job.renditions.filter(state=Rendition.State.FAILED)
    if total and failed.count() == total:
        first = failed.order_by("pk")[0]
        raise JobError(f"None of the {total} renditions could be made. The first: {first.error}")
    if failed:
        job.report(total, total, f"rendered; {failed.count()} of {total} failed")


def pairs_build(
    scenes: Iterable[Scene],
    *,
    min_delta_e: float,
    max_delta_e: float,
    max_per_scene: int,
    seed: int,
    report: Report = silent,
    long_side: int | None = None,
    encoding: str | None = None,
) -> list[Pair]:
    """Pair up each scene's rendered renditions within a window of mean CIEDE2000.

    Only renditions of one size and encoding meet; give `long_side` and `encoding` to use
    those of one study. Each scene's pairs make one connected graph with the neutral
    rendition in it wherever the window allows. The same call gives the same pairs;
    pairs that exist are used and not made again.
    """
    scenes = list(scenes)
    pairs: list[Pair] = []
    for done, scene in enumerate(scenes):
        report(done, len(scenes), "comparing renditions")
        for renditions in _alike(scene, long_side, encoding):
            differences = _differences(renditions)
            chosen = choose_pairs(
                differences,
                min_delta_e=min_delta_e,
                max_delta_e=max_delta_e,
                at_most=max_per_scene,
                rng=np.random.default_rng([seed, _number(scene.public_id)]),
                start=_neutral(renditions),
            )
            pairs += [_pair(renditions[i], renditions[j], float(differences[i, j])) for i, j in chosen]
    report(len(scenes), len(scenes), "comparing renditions")
    return pairs


def _alike(scene: Scene, long_side: int | None, encoding: str | None) -> list[list[Rendition]]:
    """The scene's rendered renditions, a list for each size and encoding, in order of their keys."""
    rows = scene.renditions.filter(state=Rendition.State.RENDERED)
    if long_side is not None:
        rows = rows.filter(long_side=long_side)
    if encoding is not None:
        rows = rows.filter(encoding=encoding)
    kinds = sorted({(row.long_side, row.encoding) for row in rows})
    return [[row for row in rows if (row.long_side, row.encoding) == kind] for kind in kinds]


def _differences(renditions: list[Rendition]) -> Array:
    """Mean CIEDE2000 of every two, (n, n)."""
    labs = [_small_lab(rendition) for rendition in renditions]
    differences = np.zeros((len(labs), len(labs)))
    couples = list(itertools.combinations(range(len(labs)), 2))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        means = pool.map(lambda couple: float(np.mean(ciede2000(labs[couple[0]], labs[couple[1]]))), couples)
        for (i, j), mean in zip(couples, means, strict=True):
            differences[i, j] = differences[j, i] = mean
    return differences


def _small_lab(rendition: Rendition) -> Array:
    with rendition.image.open("rb") as file:
        pixels = decode_image(file.read(), name=rendition.image.name or "")
    return srgb_to_lab(fit_long_side(pixels, DELTA_E_SIDE))


def _neutral(renditions: list[Rendition]) -> int | None:
    for index, rendition in enumerate(renditions):
        if not rendition.recipe.get("steps") and not rendition.recipe.get("look"):
            return index
    return None


def _pair(one: Rendition, other: Rendition, delta_e: float) -> Pair:
    first, second = sorted((one, other), key=lambda rendition: rendition.pk)
    pair, _ = Pair.objects.get_or_create(
        image_a=first, image_b=second, defaults={"scene_id": first.scene_id, "delta_e": delta_e}
    )
    return pair


def _number(public_id: str) -> int:
    return int.from_bytes(hashlib.sha256(public_id.encode()).digest()[:8])
