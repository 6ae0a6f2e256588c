"""The heavy verbs: renditions from recipes, pairs from renditions. Called by tasks and commands only."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from django.db.models import QuerySet

from variants.cores import usable_cores
from variants.jobs import JobError
from variants.models import Pair, RenderJob, Rendition, Scene
from variants.pairing import NEUTRAL as NEUTRAL_KIND
from variants.pairing import choose_pairs, couples_to_compare, pair_kind
from variants.progress import Report, silent, throttled
from variants.selectors import luts_by_key
from variants.sources.cameras import CameraRecipe
from variants.sources.files import FileRecipe
from variants.storing import Rendered, Store, photo_of, rendered, rendition_store
from variants.tone.color import Array, srgb_to_lab
from variants.tone.difference import ciede2000
from variants.tone.images import ImageError, Pixels, decode_image, fit_long_side, from_8_bit, to_8_bit
from variants.tone.luts import Lut
from variants.tone.recipes import NEUTRAL, Recipe, apply_recipe

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

    def store(rendition: Rendition, outcome: Rendered | str, stage: str) -> None:
        nonlocal done
        rendition_store(rendition, outcome)
        done += 1
        report(done, total, stage)

    report(done, total, "rendering")
    edits = planned.filter(recipe__has_key="diffusion_edit")
    recipes_render(planned.exclude(recipe__has_key="diffusion_edit"), store)
    if edits.exists():
        from variants.editing import edits_render  # torch comes with it

        edits_render(edits, store, lambda stage: job.report(done, total, stage))
    _check_outcome(job, total)


def recipes_render(planned: "QuerySet[Rendition]", store: Store) -> None:
    """Render what takes arithmetic only."""
    pool = ThreadPoolExecutor(usable_cores())
    try:
        for scene in Scene.objects.filter(pk__in=planned.values("scene")).order_by("pk"):
            for rendition, outcome in _scene_render(pool, scene, planned):
                store(rendition, outcome, "rendering")
    finally:
        pool.shutdown(cancel_futures=True)


def _scene_render(
    pool: ThreadPoolExecutor, scene: Scene, planned: "QuerySet[Rendition]"
) -> Iterator[tuple[Rendition, Rendered | str]]:
    """Each planned rendition of a scene with its file, or with the reason why there is none."""
    rows = planned.filter(scene=scene).select_related("version").order_by("version", "pk")
    for version, group in itertools.groupby(rows, key=lambda rendition: rendition.version):
        renditions = list(group)
        try:
            pixels = _sized(photo_of(version or scene), renditions)
        except (ImageError, MemoryError) as error:
            yield from ((rendition, str(error) or "out of memory") for rendition in renditions)
            continue
        render = partial(_rendition_render, pixels, luts_by_key(_lut_keys(renditions)))
        # numpy and the encoders release the interpreter, so threads use all cores on one decoded photo.
        yield from zip(renditions, pool.map(render, renditions), strict=True)


def _sized(photo: Pixels, renditions: list[Rendition]) -> dict[int, Array]:
    """The photo at each of the sizes; a file of a set in the frame that the set shares."""
    sides = {rendition.long_side for rendition in renditions}
    if "file" in renditions[0].recipe:
        recipe = FileRecipe.from_json(renditions[0].recipe)
        return {side: recipe.apply(photo, side) for side in sides}
    return {side: _fitted(photo, side) for side in sides}


def _fitted(photo: Pixels, long_side: int) -> Array:
    """The photo at this size; at its own size, where it holds no more than 8 bits, in those: LUTs are fastest there."""
    fitted = fit_long_side(photo, long_side)
    if fitted is not photo:
        return fitted
    levels = to_8_bit(photo)
    return levels if np.array_equal(from_8_bit(levels), photo) else photo


def _lut_keys(renditions: list[Rendition]) -> set[str]:
    return {row.recipe["lut"]["sha256"] for row in renditions if row.recipe.get("lut")}


def _rendition_render(pixels: dict[int, Array], luts: dict[str, Lut], rendition: Rendition) -> Rendered | str:
    try:
        image = _make(pixels[rendition.long_side], rendition.recipe, luts)
        return rendered(image, rendition.encoding)
    except (ValueError, MemoryError) as error:
        return str(error) or "out of memory"


def _make(image: Array, recipe: dict[str, Any], luts: dict[str, Lut]) -> Array:
    if "file" in recipe:
        return image
    if "simulated_camera" in recipe:
        return CameraRecipe.from_json(recipe).apply(from_8_bit(image) if image.dtype == np.uint8 else image)
    return apply_recipe(image, Recipe.from_json(recipe), luts)


def _check_outcome(job: RenderJob, total: int) -> None:
    failed = job.renditions.filter(state=Rendition.State.FAILED)
    rejected = job.renditions.filter(state=Rendition.State.REJECTED)
    if total and failed.count() == total:
        first = failed.order_by("pk")[0]
        raise JobError(f"None of the {total} renditions could be made. The first: {first.error}")
    counts = [(failed.count(), "failed"), (rejected.count(), "thrown out")]
    if said := [f"{n} of {total} {what}" for n, what in counts if n]:
        job.report(total, total, f"rendered; {', '.join(said)}")


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
    quotas: Mapping[str, float] | None = None,
    known: Iterable[Pair] = (),
) -> list[Pair]:
    """Pair up each scene's rendered renditions within a window of mean CIEDE2000.

    Only renditions of one source type meet, the neutral one with all, and only those of one
    size and encoding; give `long_side` and `encoding` to use those of one study. `quotas`:
    source type → its part of a scene's pairs. Each scene's pairs make one connected graph with the neutral
    rendition in it wherever the window allows; that may take more than `max_per_scene`. The same call gives
    the same pairs; pairs that exist are used and not made again. `known` pairs are counted and built on, and
    not returned.
    """
    scenes = list(scenes)
    by_scene = defaultdict(list)
    for pair in known:
        by_scene[pair.scene_id].append((pair.image_a_id, pair.image_b_id))
    pairs: list[Pair] = []
    for done, scene in enumerate(scenes):
        report(done, len(scenes), "comparing renditions")
        for renditions in _alike(scene, long_side, encoding):
            index = {row.pk: i for i, row in enumerate(renditions)}
            of_these = [
                (min(index[a], index[b]), max(index[a], index[b]))
                for a, b in by_scene[scene.pk]
                if a in index and b in index
            ]
            rng = np.random.default_rng([seed, _number(scene.public_id)])
            neutral = _neutral(renditions)
            kinds = [NEUTRAL_KIND if i == neutral else row.source_type for i, row in enumerate(renditions)]
            differences = _differences(renditions, couples_to_compare(kinds, rng, neutral))
            chosen = choose_pairs(
                differences,
                min_delta_e=min_delta_e,
                max_delta_e=max_delta_e,
                at_most=max_per_scene - (len(by_scene[scene.pk]) - len(of_these)),
                rng=rng,
                start=neutral,
                kinds=kinds,
                quotas=quotas,
                known=of_these,
            )
            for i, j in chosen:
                source_type = pair_kind(kinds[i], kinds[j])
                pairs.append(_pair(renditions[i], renditions[j], source_type, float(differences[i, j])))
                by_scene[scene.pk].append((renditions[i].pk, renditions[j].pk))
    report(len(scenes), len(scenes), "comparing renditions")
    return pairs


def _alike(scene: Scene, long_side: int | None, encoding: str | None) -> list[list[Rendition]]:
    """The scene's rendered renditions, a list for each size and encoding, in order of their keys.

    By the size that they came out at, too: two that cannot lie on each other are not compared.
    """
    rows = scene.renditions.filter(state=Rendition.State.RENDERED)
    if long_side is not None:
        rows = rows.filter(long_side=long_side)
    if encoding is not None:
        rows = rows.filter(encoding=encoding)
    by_kind = defaultdict(list)
    for row in rows:
        by_kind[row.long_side, row.encoding, row.width, row.height].append(row)
    return [by_kind[kind] for kind in sorted(by_kind)]


def _differences(renditions: list[Rendition], couples: list[tuple[int, int]]) -> Array:
    """Mean CIEDE2000 of these couples, (n, n); NaN elsewhere."""
    labs = [_small_lab(rendition) for rendition in renditions]
    differences = np.full((len(labs), len(labs)), np.nan)
    with ThreadPoolExecutor(usable_cores()) as pool:
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
        if rendition.recipe == NEUTRAL.to_json():
            return index
    return None


def _pair(one: Rendition, other: Rendition, source_type: str, delta_e: float) -> Pair:
    first, second = sorted((one, other), key=lambda rendition: rendition.pk)
    pair, _ = Pair.objects.get_or_create(
        image_a=first,
        image_b=second,
        defaults={"scene_id": first.scene_id, "source_type": source_type, "delta_e": delta_e},
    )
    return pair


def _number(public_id: str) -> int:
    return int.from_bytes(hashlib.sha256(public_id.encode()).digest()[:8])
