"""A study → its dataset folder, with constant memory.

The answers pass by once, rater by rater. What they touched (raters, pairs, images, scenes) is
written from what passed, so that the tables agree with each other even while people answer.
"""

import datetime as dt
import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import QuerySet

from collection.design.protocol import Protocol, RuleSet
from collection.design.rules import RaterAnswer, judge_rater
from collection.design.splits import split_assign
from collection.export.facts import Facts, facts_of
from collection.export.folder import FolderWriter, dataset_sha256, folder_writing
from collection.models import DisplayRecord, Export, Question, Rater, Session, Study, StudyScene, Verdict
from collection.models.studies import Split
from collection.services.verdicts import verdicts_compute
from variants.jobs import JobError
from variants.models import Pair, Rendition, Scene
from variants.progress import Report, silent, throttled

NEUTRAL: dict[str, list[object]] = {"steps": []}
DISPLAY_COLUMNS = (
    "screen_width", "screen_height", "pixel_ratio", "color_gamut", "dynamic_range", "color_depth", "platform",
)  # fmt: skip
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
    facts = dataset_export(export.study, folder, report)
    export.sha256 = dataset_sha256(folder)
    export.counts = facts.rows | {
        "valid_raters": facts.valid_raters,
        "simulated_raters": facts.simulated_raters,
    }
    export.save(update_fields=["sha256", "counts"])


def dataset_export(study: Study, folder: Path, report: Report = silent) -> Facts:
    """Write the dataset folder of a study; the same answers make the same bytes.

    Verdicts that are missing or have not seen all answers are computed, and valid raters without
    a split get one. Practice is left out, and whoever withdrew.

    Raises:
        FileExistsError: the folder is already there.
        JobError: an image's file is missing or is not the one that was shown.
    """
    protocol = Protocol.from_json(study.protocol)
    verdicts_compute(study, only_stale=True)
    with folder_writing(folder) as writer:
        answers = _Answers(study, protocol.rules, report)
        writer.write_table("judgments", answers)
        writer.write_table("raters", _rater_rows(study, protocol, answers))
        pairs = _pairs_asked(answers.pairs)
        writer.write_table("pairs", (_pair_row(pair, answers.names) for pair in pairs))
        images = _images(study, protocol, pairs)
        writer.write_table("images", map(_image_row, images))
        writer.write_table("scenes", _scene_rows(study, images))
        _write_images(writer, images, report)
        writer.write_document("protocol.json", _protocol_json(study, protocol))
    return facts_of(folder)


# Judgments


class _Row(NamedTuple):
    pk: int
    public_id: str
    rater: int
    kind: str
    pair: int
    left: int
    right: int
    repeats: int | None
    side: str
    response_ms: int | None
    position: int
    answered_at: dt.datetime


class _Names(NamedTuple):
    """Database key → public ID."""

    raters: dict[int, str]
    images: dict[int, str]
    pairs: dict[int, str]


class _Judged(NamedTuple):
    """What the raters table says of a rater."""

    n_answers: int
    may_be_used: bool
    reasons: Sequence[str]
    consistency: float | None
    median_response_ms: int | None


class _Answers:
    """The rows of the judgments table; what passed by stands in `judged` and `pairs` afterwards."""

    def __init__(self, study: Study, rules: RuleSet, report: Report) -> None:
        self.study, self.rules, self.report = study, rules, report
        self.names = _names(study)
        self.pairs: set[int] = set()
        self.judged: dict[int, _Judged] = {}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        questions = _answered(self.study)
        total, done = questions.count(), 0
        finished = _finished_raters(self.study)
        stored = _stored_verdicts(self.study, self.rules)
        for rater, group in itertools.groupby(_rows(questions), key=lambda row: row.rater):
            rows = _with_first_answers(group)
            yield from self._judgments(rows)
            self.judged[rater] = _judged(rows, stored.get(rater), self.rules, rater in finished)
            self.pairs.update(row.pair for row in rows)
            done += len(rows)
            self.report(min(done, total), total, "writing judgments")

    def _judgments(self, rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
        images, public_ids = self.names.images, {row.pk: row.public_id for row in rows}
        for row in rows:
            left, right = images[row.left], images[row.right]
            on_left = row.side == "left"
            yield {
                "judgment_id": row.public_id,
                "rater_id": self.names.raters[row.rater],
                "pair_id": self.names.pairs[row.pair],
                "preferred_image": left if on_left else right,
                "rejected_image": right if on_left else left,
                "left_image": left,
                "right_image": right,
                "chosen_side": row.side,
                "response_ms": row.response_ms,
                "is_check": row.repeats is not None,
                "repeats_judgment": None if row.repeats is None else public_ids[row.repeats],
                "question_index": row.position,
                "answered_at": row.answered_at.replace(
                    microsecond=row.answered_at.microsecond // 1000 * 1000
                ),
            }


def _answered(study: Study) -> QuerySet[Question]:
    """Answered questions of people who did not withdraw, practice left out."""
    return Question.objects.filter(
        session__study=study, session__rater__person__withdrawn_at=None, answered_at__isnull=False
    ).exclude(kind=Question.Kind.PRACTICE)


def _rows(questions: QuerySet[Question]) -> Iterator[_Row]:
    """By rater, then as they were asked: an order that does not hang on database keys of raters."""
    ordered = questions.order_by("session__rater__public_id", "session_id", "index")
    columns = (
        "pk", "public_id", "session__rater_id", "kind", "pair_id", "left_id", "right_id", "repeats_id",
        "chosen_side", "response_ms", "index", "answered_at",
    )  # fmt: skip
    return itertools.starmap(_Row, ordered.values_list(*columns).iterator(chunk_size=5000))


def _with_first_answers(group: Iterable[_Row]) -> list[_Row]:
    """Without checks whose first answer is not there (yet): they repeat nothing."""
    rows = list(group)
    answered = {row.pk for row in rows}
    return [row for row in rows if row.repeats is None or row.repeats in answered]


def _names(study: Study) -> _Names:
    raters = Rater.objects.filter(study=study)
    images = Rendition.objects.filter(scene__studies=study)
    pairs = Pair.objects.filter(scene__studies=study)
    return _Names(*(dict(rows.order_by().values_list("pk", "public_id")) for rows in (raters, images, pairs)))


def _finished_raters(study: Study) -> set[int]:
    sessions = Session.objects.filter(study=study, finished_at__isnull=False)
    return set(sessions.order_by().values_list("rater_id", flat=True))


def _stored_verdicts(study: Study, rules: RuleSet) -> dict[int, Verdict]:
    verdicts = Verdict.objects.filter(rater__study=study, rule_set=rules.name).defer("evidence")
    return {verdict.rater_id: verdict for verdict in verdicts}


def _judged(rows: Sequence[_Row], stored: Verdict | None, rules: RuleSet, finished: bool) -> _Judged:
    """The stored verdict, or where answers came in since it was computed, one of the rows written."""
    if stored and stored.n_answers == len(rows):
        return _Judged(
            stored.n_answers,
            stored.may_be_used,
            stored.reasons,
            stored.consistency,
            stored.median_response_ms,
        )
    found = judge_rater(_rater_answers(rows), rules, finished=finished)
    return _Judged(
        found.n_answers, found.may_be_used, found.reasons, found.consistency, found.median_response_ms
    )


def _rater_answers(rows: Sequence[_Row]) -> list[RaterAnswer]:
    chosen = {row.pk: row.left if row.side == "left" else row.right for row in rows}
    return [
        RaterAnswer(
            side="left" if row.side == "left" else "right",
            response_ms=row.response_ms,
            is_check=row.repeats is not None,
            agrees=None if row.repeats is None else chosen[row.pk] == chosen[row.repeats],
        )
        for row in rows
    ]


# Raters


def _rater_rows(study: Study, protocol: Protocol, answers: _Answers) -> Iterator[dict[str, Any]]:
    _assign_splits(study, protocol, [pk for pk, judged in answers.judged.items() if judged.may_be_used])
    displays = _last_displays(study)
    raters = Rater.objects.filter(study=study).select_related("person", "device").order_by("public_id")
    for rater in raters.iterator(chunk_size=1000):
        if rater.pk in answers.judged:
            yield _rater_row(rater, answers.judged[rater.pk], displays.get(rater.pk, {}))


def _rater_row(rater: Rater, judged: _Judged, display: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rater_id": rater.public_id,
        "person_id": rater.person.public_id,
        "device_id": rater.device.public_id,
        **{column: display.get(column) or None for column in DISPLAY_COLUMNS},
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
    """Rater → the display seen last."""
    records = DisplayRecord.objects.filter(session__study=study).order_by("pk")
    return {
        record.pop("session__rater_id"): record
        for record in records.values("session__rater_id", *DISPLAY_COLUMNS).iterator(chunk_size=1000)
    }


# Pairs, images, scenes


def _pair_row(pair: Pair, names: _Names) -> dict[str, Any]:
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
    for done, image in enumerate(images):
        report(done, len(images), "copying images")
        writer.write_image(_file_name(image), _content(image))
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


def _protocol_json(study: Study, protocol: Protocol) -> str:
    document = {
        "format": {"name": "tonalist dataset folder", "version": 1},
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
        "software": {"name": "tonalist", "version": version("tonalist")},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


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
