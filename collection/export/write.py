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
from typing import Any, NamedTuple, cast

from django.db.models import BigIntegerField, Func, QuerySet

from collection.design.protocol import Protocol, RuleSet
from collection.design.rules import Outcome, RaterAnswer, Side, judge_rater
from collection.design.splits import split_assign
from collection.export.facts import Facts
from collection.export.folder import FolderWriter, dataset_sha256, folder_writing
from collection.export.format import LATER_COLUMNS, SCREENINGS, VERSION
from collection.export.manifest import MANIFEST, file_sha256
from collection.export.partial import partial_beside
from collection.export.published_write import published_write
from collection.models import (
    DisplayRecord,
    Export,
    PhaseRecord,
    Question,
    Rater,
    Session,
    Study,
    StudyScene,
    Verdict,
)
from collection.models.studies import Split
from collection.selectors.protocols import protocol_versions
from collection.selectors.rules import protocol_in_force
from collection.services.removal import exported_raters_keep
from collection.services.verdicts import verdicts_compute
from variants.jobs import JobError
from variants.models import Pair, Rendition, Scene
from variants.progress import Report, silent, throttled

QUESTIONNAIRE_COLUMNS = {"night_mode": "night_mode", "room_light": "room_light", "device_kind": "device"}
"""Column → field of the answers in a PhaseRecord."""
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
        answers = _Answers(study, protocol.rules, report)
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
    side: Side
    response_ms: int | None
    elapsed_ms: int | None
    position: int
    policy: str
    propensity: float | None
    answered_ms: int
    """Since 1970."""


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
        self.told = _told(study)
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
            verdict = stored.get(rater)
            self.judged[rater] = (
                _as_stored(verdict)
                if verdict and verdict.n_answers == len(rows)
                else self._judge(rows, finished=rater in finished)
            )
            self.pairs.update(row.pair for row in rows)
            done += len(rows)
            self.report(min(done, total), total, "writing judgments")

    def _judgments(self, rows: Sequence[_Row]) -> Iterator[dict[str, Any]]:
        images, public_ids = self.names.images, {row.pk: row.public_id for row in rows}
        for row in rows:
            left, right = images[row.left], images[row.right]
            preferred, rejected = {"left": (left, right), "right": (right, left)}.get(row.side, (None, None))
            yield {
                "judgment_id": row.public_id,
                "rater_id": self.names.raters[row.rater],
                "pair_id": self.names.pairs[row.pair],
                "preferred_image": preferred,
                "rejected_image": rejected,
                "left_image": left,
                "right_image": right,
                "chosen_side": row.side,
                "response_ms": row.response_ms,
                "is_check": row.repeats is not None,
                "repeats_judgment": None if row.repeats is None else public_ids[row.repeats],
                "question_index": row.position,
                "policy": row.policy,
                "propensity": row.propensity,
                "answered_at": row.answered_ms,
            }

    def _judge(self, rows: Sequence[_Row], *, finished: bool) -> _Judged:
        """Of the rows that are written, where answers came in since the rater was judged."""
        row_of = {row.pk: row for row in rows}
        answers = [
            RaterAnswer(
                side=row.side,
                response_ms=row.response_ms,
                elapsed_ms=None if self.study.is_simulated else row.elapsed_ms,
                is_check=row.repeats is not None,
                agrees=None if row.repeats is None else _agrees(row, row_of[row.repeats]),
            )
            for row in rows
        ]
        told = self.told[rows[0].rater]
        screenings = {name: cast(Outcome, told[name]) for name in SCREENINGS if name in told}
        found = judge_rater(answers, self.rules, finished=finished, screenings=screenings)
        return _Judged(
            found.n_answers, found.may_be_used, found.reasons, found.consistency, found.median_response_ms
        )


def _answered(study: Study) -> QuerySet[Question]:
    """Answered questions of people who did not withdraw, practice left out."""
    return Question.objects.filter(
        session__study=study, session__rater__withdrawn_at=None, answered_at__isnull=False
    ).exclude(kind=Question.Kind.PRACTICE)


def _rows(questions: QuerySet[Question]) -> Iterator[_Row]:
    """By rater, then as they were asked: an order that does not hang on database keys of raters."""
    ordered = questions.order_by("session__rater__public_id", "session_id", "index")
    columns = (
        "pk", "public_id", "session__rater_id", "kind", "pair_id", "left_id", "right_id", "repeats_id",
        "chosen_side", "response_ms", "elapsed_ms", "index", "policy", "propensity",
    )  # fmt: skip
    rows = ordered.values_list(*columns, _Milliseconds("answered_at"))
    return itertools.starmap(_Row, rows.iterator(chunk_size=5000))


class _Milliseconds(Func):
    """A time as whole milliseconds since 1970: a million of them are read in a tenth of the time of datetimes."""

    output_field = BigIntegerField()
    template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has times as texts, whose fraction may be missing, and rounds where it reads it."""
        seconds = "ROUND((julianday(SUBSTR(%(expressions)s, 1, 19)) - 2440587.5) * 86400)"
        fraction = "CAST(SUBSTR(%(expressions)s || '000', 21, 3) AS INTEGER)"
        template = f"CAST({seconds} * 1000 AS INTEGER) + {fraction}"
        return self.as_sql(compiler, connection, template=template, **context)


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


def _as_stored(verdict: Verdict) -> _Judged:
    return _Judged(
        verdict.n_answers,
        verdict.may_be_used,
        verdict.reasons,
        verdict.consistency,
        verdict.median_response_ms,
    )


def _agrees(row: _Row, first: _Row) -> bool | None:
    """Whether a check chose the image of the first answer; None where one of the two is a tie."""
    image, before = _chosen(row), _chosen(first)
    return None if image is None or before is None else image == before


def _chosen(row: _Row) -> int | None:
    return {"left": row.left, "right": row.right}.get(row.side)


# Raters


def _rater_rows(study: Study, protocol: Protocol, answers: _Answers) -> Iterator[dict[str, Any]]:
    _assign_splits(study, protocol, [pk for pk, judged in answers.judged.items() if judged.may_be_used])
    displays = _last_displays(study)
    raters = Rater.objects.filter(study=study).select_related("person", "device").order_by("public_id")
    for rater in raters.iterator(chunk_size=1000):
        if rater.pk in answers.judged:
            seen = displays.get(rater.pk, {}) | answers.told[rater.pk]
            yield _rater_row(rater, answers.judged[rater.pk], seen)


def _rater_row(rater: Rater, judged: _Judged, seen: Mapping[str, Any]) -> dict[str, Any]:
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


def _told(study: Study) -> defaultdict[int, dict[str, str]]:
    """Rater → language, screenings and questionnaire, each as it was last; what was written freely stays here."""
    told: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for rater, language in study.sessions.order_by("pk").values_list("rater_id", "language"):
        told[rater]["language"] = language
    records = PhaseRecord.objects.filter(session__study=study, phase__in=(*SCREENINGS, "questionnaire"))
    columns = ("session__rater_id", "phase", "outcome", "answers")
    for rater, phase, outcome, answers in (
        records.order_by("pk").values_list(*columns).iterator(chunk_size=5000)
    ):
        if phase == "questionnaire":
            told[rater] |= {column: answers.get(field, "") for column, field in QUESTIONNAIRE_COLUMNS.items()}
        else:
            told[rater][phase] = outcome
    return told


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
