"""A study → its dataset folder, with constant memory.

The answers pass by once, rater by rater. What they touched (raters, pairs, images, scenes) is
written from what passed, so that the tables agree with each other even while people answer.
"""

import hashlib
import itertools
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from collection.design.protocol import Protocol
from collection.design.splits import split_assign
from collection.export.facts import Facts
from collection.export.folder import FolderWriter, dataset_sha256, folder_writing
from collection.export.format import LATER_COLUMNS, VERSION
from collection.export.judgments import Answers, Judged, Names
from collection.export.manifest import MANIFEST, file_sha256
from collection.export.partial import partial_beside
from collection.export.published_write import published_write
from collection.models import (
    DisplayRecord,
    Export,
    Rater,
    Study,
    StudyScene,
)
from collection.models.studies import Split
from collection.selectors.protocols import protocol_versions
from collection.selectors.rules import protocol_in_force
from collection.services.removal import exported_raters_keep
from collection.services.verdicts import verdicts_compute
from variants.jobs import JobError
from variants.models import Pair, Rendition, Scene
from variants.progress import Report, silent, throttled

NEUTRAL: dict[str, list[object]] = {"steps": []}
DISPLAY_COLUMNS = (
    "screen_width", "screen_height", "pixel_ratio", "color_gamut", "dynamic_range", "color_depth", "platform",
)  # fmt: skip
COPIES_AT_A_TIME = 8
"""Images; storage is waited for, not computed with."""
KEYS_AT_A_TIME = 1000
"""In one query; SQLite takes 32,766 parameters."""


def export_run(export: Export, watch: Report = silent) -> None:
    """The work of an export job: write its folder, then say what came out.

    Args:
        export: its `report` is told of progress and may cancel.
        watch: told of progress besides, by one who waits at a terminal.
    """
    tell_row = throttled(export.report)

    def report(done: int, total: int, stage: str) -> None:
        watch(done, total, stage)
        tell_row(done, total, stage)

    folder = Path(export.folder)
    if _is_its_own(
        export, folder
    ):  # the worker died after the folder had its name, and before the row said so
        shutil.rmtree(folder)
    if export.layout == Export.Layout.PUBLISHED:
        facts, export.sha256, counts = _export_published(export, folder, report)
    else:
        facts, counts = _export_folder(export, folder, report), {}
        export.sha256 = dataset_sha256(folder)
    export.counts = (
        facts.rows
        | counts
        | {
            "valid_raters": facts.valid_raters,
            "simulated_raters": facts.simulated_raters,
        }
    )
    export.manifest_sha256 = file_sha256(folder / MANIFEST)
    export.n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    export.save(update_fields=["sha256", "counts", "manifest_sha256", "n_bytes"])


def _is_its_own(export: Export, folder: Path) -> bool:
    """Whether this export wrote the folder: none was there when it was ordered, and its number is used once."""
    try:
        document = json.loads((folder / "protocol.json").read_text("utf-8"))
        written = document["study"]["slug"], document["dataset_version"]
    except (OSError, ValueError, KeyError):
        return False
    return bool(written == (export.study.slug, export.number))


def _export_folder(export: Export, folder: Path, report: Report) -> Facts:
    keep_raters = partial(exported_raters_keep, export)
    return dataset_export(export.study, folder, report, version_number=export.number, keep_raters=keep_raters)


def _export_published(export: Export, target: Path, report: Report) -> tuple[Facts, str, dict[str, int]]:
    """Write the dataset folder beside the target, then its view; give facts and hash of the former, counts of the latter."""
    with partial_beside(target) as parent:
        source = parent / target.name
        facts = _export_folder(export, source, report)
        try:
            counts = published_write(source, target, report)
        except ValueError as error:
            raise JobError(str(error)) from error
        return facts, dataset_sha256(source), counts


def dataset_export(
    study: Study,
    folder: Path,
    report: Report = silent,
    *,
    version_number: int | None = None,
    keep_raters: Callable[[Collection[int]], None] = lambda raters: None,
) -> Facts:
    """Write the dataset folder of a study; the same answers make the same bytes.

    Verdicts that are missing or have not seen all answers are computed, and valid raters without
    a split get one. Practice is left out, and whoever withdrew. `keep_raters` is given the keys of the
    raters in it before the folder gets its name, so that no dataset is there that nobody knows the raters of.

    Raises:
        FileExistsError: the folder is already there.
        JobError: an image's file is missing or is not the one that was shown.
    """
    protocol = protocol_in_force(study)
    verdicts_compute(study, only_stale=True)
    with folder_writing(folder) as writer:
        answers = Answers(study, protocol.rules, report)
        writer.write_table("judgments", answers)
        writer.write_table("raters", _rater_rows(study, protocol, answers))
        pairs = _pairs_asked(answers.pairs)
        writer.write_table("pairs", (_pair_row(pair, answers.names) for pair in pairs))
        images = _images(study, protocol, pairs)
        writer.write_table("images", map(_image_row, images))
        writer.write_table("scenes", _scene_rows(study, images))
        _write_images(writer, images, report)
        writer.write_document(
            "protocol.json", _protocol_json(study, protocol, version_number, answers.judged)
        )
        keep_raters(answers.judged.keys())
    return writer.facts


# Raters


def _rater_rows(study: Study, protocol: Protocol, answers: Answers) -> Iterator[dict[str, Any]]:
    _assign_splits(study, protocol, [pk for pk, judged in answers.judged.items() if judged.may_be_used])
    displays = _last_displays(study)
    raters = Rater.objects.filter(study=study).select_related("person", "device").order_by("public_id")
    for rater in raters.iterator(chunk_size=1000):
        if rater.pk in answers.judged:
            seen = displays.get(rater.pk, {}) | answers.told[rater.pk]
            yield _rater_row(rater, answers.judged[rater.pk], seen)


def _rater_row(rater: Rater, judged: Judged, seen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rater_id": rater.public_id,
        "person_id": rater.person.public_id,
        "device_id": rater.device.public_id,
        **{column: seen.get(column) or None for column in (*DISPLAY_COLUMNS, *LATER_COLUMNS["raters"])},
        "n_answers": judged.n_answers,
        "consistency": judged.consistency,
        "median_response_ms": judged.median_response_ms,
        "valid": judged.may_be_used,
        "exclusion_reason": ",".join(judged.reasons) or None,
        "split": rater.split if judged.may_be_used else Split.NONE.value,
        "simulated": rater.person.is_simulated or rater.simulation is not None,
        "simulation": None if rater.simulation is None else _json(rater.simulation),
    }


def _assign_splits(study: Study, protocol: Protocol, valid: Sequence[int]) -> None:
    """Split the valid raters that have no split. One person's raters stay together: taste is the person's."""
    raters = {rater.pk: rater for rater in study.raters.select_related("person")}
    assigned = {rater.person.public_id: rater.split for rater in raters.values() if rater.split != Split.NONE}
    joining = [raters[pk] for pk in valid if raters[pk].split == Split.NONE]
    people = {rater.person.public_id for rater in joining}
    splits = assigned | split_assign(assigned, people, share=protocol.validation_raters, seed=protocol.seed)
    for rater in joining:
        rater.split = splits[rater.person.public_id]
    Rater.objects.bulk_update(joining, ["split"], batch_size=KEYS_AT_A_TIME // 4)


def _last_displays(study: Study) -> dict[int, dict[str, Any]]:
    """Rater → the display seen last, but for those that turned out to be another rater's."""
    records = DisplayRecord.objects.filter(session__study=study).exclude(is_same_screen=False).order_by("pk")
    return {
        record.pop("session__rater_id"): record
        for record in records.values("session__rater_id", *DISPLAY_COLUMNS).iterator(chunk_size=1000)
    }


# Pairs, images, scenes


def _pair_row(pair: Pair, names: Names) -> dict[str, Any]:
    """The smaller ID first: the order says nothing of recipes, and is the same after an import."""
    a, b = sorted((names.images[pair.image_a_id], names.images[pair.image_b_id]))
    return {
        "pair_id": pair.public_id,
        "scene_id": pair.scene.public_id,
        "image_a": a,
        "image_b": b,
        "delta_e": pair.delta_e,
    }


def _images(study: Study, protocol: Protocol, pairs: Sequence[Pair]) -> list[Rendition]:
    """The images of the pairs, and a neutral one of every scene of the study that has one."""
    shown = {key for pair in pairs for key in (pair.image_a_id, pair.image_b_id)}
    images = _renditions(shown)
    have_neutral = {image.scene_id for image in images if image.recipe == NEUTRAL}
    neutral = Rendition.objects.filter(
        scene__studies=study, recipe=NEUTRAL, state=Rendition.State.RENDERED
    ).select_related("scene")
    fitting = sorted(neutral, key=lambda image: _misfit(image, protocol))
    for scene, candidates in itertools.groupby(sorted(fitting, key=_scene_key), key=_scene_key):
        if scene not in have_neutral:
            images.append(next(candidates))
    return sorted(images, key=lambda image: image.public_id)


def _misfit(image: Rendition, protocol: Protocol) -> tuple[bool, bool, str]:
    """Orders the neutral renditions of a scene: the one like those that were shown comes first."""
    return image.long_side != protocol.long_side, image.encoding != protocol.encoding, image.public_id


def _scene_key(image: Rendition) -> int:
    return image.scene_id


def _image_row(image: Rendition) -> dict[str, Any]:
    return {
        "image_id": image.public_id,
        "scene_id": image.scene.public_id,
        "file_name": _file_name(image),
        "source_type": image.source_type,
        "recipe": _json(image.recipe),
        "width": image.width,
        "height": image.height,
        "sha256": image.sha256,
    }


def _file_name(image: Rendition) -> str:
    return f"images/{image.public_id}{Path(image.image.name or '').suffix}"


def _scene_rows(study: Study, images: Sequence[Rendition]) -> Iterator[dict[str, Any]]:
    splits = dict(StudyScene.objects.filter(study=study).values_list("scene_id", "split"))
    scenes = {image.scene_id: image.scene for image in images}
    for scene in sorted(scenes.values(), key=lambda scene: scene.public_id):
        yield _scene_row(scene, splits.get(scene.pk, Split.NONE.value))


def _scene_row(scene: Scene, split: str) -> dict[str, Any]:
    return {
        "scene_id": scene.public_id,
        "category": scene.category or None,
        "source_type": scene.source_type,
        "width": scene.width,
        "height": scene.height,
        "licence": scene.licence or None,
        "attribution": scene.attribution or None,
        "split": split,
    }


def _write_images(writer: FolderWriter, images: Sequence[Rendition], report: Report) -> None:
    def write(image: Rendition) -> None:
        writer.write_image(_file_name(image), _content(image))

    with ThreadPoolExecutor(COPIES_AT_A_TIME) as pool:
        try:
            for done, _ in enumerate(pool.map(write, images)):
                report(done, len(images), "copying images")
        finally:
            pool.shutdown(cancel_futures=True)
    report(len(images), len(images), "copying images")


def _content(image: Rendition) -> bytes:
    """The bytes that were shown, or JobError."""
    try:
        with image.image.open("rb") as file:
            content: bytes = file.read()
    except (OSError, ValueError) as error:
        raise JobError(f"the file of image {image.public_id} cannot be read: {error}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != image.sha256:
        raise JobError(
            f"the file {image.image.name} of image {image.public_id} has sha256 {found}; "
            f"what was rendered had {image.sha256 or 'none on record'}. Restore the file from a backup."
        )
    return content


# protocol.json


def _protocol_json(
    study: Study, protocol: Protocol, version_number: int | None, raters: Collection[int]
) -> str:
    document = {
        "format": {"name": "tonalist dataset folder", "version": VERSION},
        **({"dataset_version": version_number} if version_number else {}),
        "study": {
            "id": study.public_id,
            "slug": study.slug,
            "name": study.name,
            "simulated": study.is_simulated,
            "purpose": study.purpose,
            "licence": study.licence,
            "citation": study.citation,
        },
        "protocol": protocol.to_json(),
        "protocol_sha256": protocol.sha256,
        "rule_set": protocol.rules.name,
        **_earlier_protocols(study, raters),
        "software": {"name": "tonalist", "version": version("tonalist")},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _earlier_protocols(study: Study, raters: Collection[int]) -> dict[str, Any]:
    """Every version that raters of the dataset were asked by, where there are several: `protocol` is the last one."""
    versions = protocol_versions(study)
    if len(versions) < 2:
        return {}
    asked = defaultdict(set)
    for key, rater, sha256 in study.sessions.values_list("rater", "rater__public_id", "protocol_hash"):
        if key in raters:
            asked[sha256].add(rater)
    return {
        "protocol_versions": [
            {
                "number": version.number,
                "sha256": version.sha256,
                "since": version.made_at.isoformat(),
                "raters": sorted(asked[version.sha256]),
                "protocol": version.protocol.to_json(),
            }
            for version in reversed(versions)
        ]
    }


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _pairs_asked(keys: Iterable[int]) -> list[Pair]:
    found = itertools.chain.from_iterable(
        Pair.objects.filter(pk__in=batch).select_related("scene") for batch in _batches(keys)
    )
    return sorted(found, key=lambda pair: pair.public_id)


def _renditions(keys: Iterable[int]) -> list[Rendition]:
    return list(
        itertools.chain.from_iterable(
            Rendition.objects.filter(pk__in=batch).select_related("scene") for batch in _batches(keys)
        )
    )


def _batches(keys: Iterable[int]) -> Iterator[list[int]]:
    remaining = iter(sorted(keys))
    while batch := list(itertools.islice(remaining, KEYS_AT_A_TIME)):
        yield batch
