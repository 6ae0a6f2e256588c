"""A dataset folder → a study: all of it or nothing."""

import datetime as dt
import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pyarrow.parquet as pq
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, models, transaction

from collection.design.protocol import Protocol
from collection.export.check import Fault, check_folder, read_json
from collection.export.format import LATER_COLUMNS, SCREENINGS, TIE
from collection.export.judgments import QUESTIONNAIRE_COLUMNS
from collection.export.published_read import PublishedError, is_published, published_convert
from collection.models import (
    Device,
    DisplayRecord,
    Person,
    PhaseRecord,
    Question,
    Rater,
    Session,
    Study,
    StudyPair,
    StudyScene,
    Verdict,
)
from collection.services.studies import study_create
from collection.services.texts import consent_version_in
from collection.services.verdicts import verdicts_compute
from variants.models import Encoding, Pair, Rendition, Scene, SourceType
from variants.pairing import NEUTRAL, pair_kind
from variants.progress import Report, silent
from variants.tone.recipes import NEUTRAL as NEUTRAL_RECIPE

ENCODINGS = {".webp": Encoding.WEBP_LOSSLESS, ".png": Encoding.PNG, ".jpg": Encoding.JPEG_444}
DISPLAY_TEXTS = ("color_gamut", "dynamic_range", "platform")
DISPLAY_NUMBERS = ("screen_width", "screen_height", "pixel_ratio", "color_depth")
ROWS_AT_A_TIME = 5000
NOT_WHOLE = "{} is no whole dataset; nothing was imported"
NO_PROTOCOL = (
    "Imported from a dataset folder without a protocol: its questions, texts and thresholds are not known, "
    "and those of this study are only as near as the answers tell."
)
BEFORE_PHASES: dict[str, object] = {
    "phases": ["consent", "display", "practice", "main"],
    "practice_tries": 1,
    "block_size": 0,
}
"""What every study was like whose protocol says nothing of phases."""

Row = dict[str, Any]


class DatasetError(ValueError):
    """A dataset folder cannot be imported; the message names files and rows, `faults` holds them."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__("\n".join([message, *(f"  {fault}" for fault in faults)]))
        self.faults = list(faults)


def dataset_import(folder: Path, report: Report = silent, *, slug: str | None = None) -> Study:
    """Import a dataset folder as a closed study; scenes, images and people that are here already are used.

    Args:
        folder: the dataset, or one in the layout of the published PPSD; everything in it is checked first.
        report: told of progress.
        slug: short name of the study, instead of the one in protocol.json.

    Raises:
        DatasetError: the folder has faults, or what it holds is here already and differs.
        StudyError: the slug is taken.
    """
    folder = Path(folder)
    if is_published(folder):
        with _converted(folder, report) as converted:
            return dataset_import(converted, report, slug=slug)
    if folder.suffix == ".csv":
        raise DatasetError(
            f"{folder} is a table of choices; a dataset needs the images that were compared. What it says: "
            "manage.py statistics --choices FILE (docs/statistics.md)"
        )
    if faults := check_folder(folder, report):
        raise DatasetError(NOT_WHOLE.format(folder), faults)
    plan = _Plan(folder, slug or "")
    _refuse_what_is_here(plan)
    with _stored_images(plan, report), _clashes_named(), transaction.atomic():
        _create(plan, report)
    return plan.study


@contextmanager
def _converted(folder: Path, report: Report) -> Iterator[Path]:
    """A dataset folder of what is in another layout, for as long as the block takes."""
    with TemporaryDirectory() as parent:
        converted = Path(parent) / (folder.resolve().name or "dataset")
        try:
            published_convert(folder, converted, report)
        except PublishedError as error:
            raise DatasetError(NOT_WHOLE.format(folder), error.faults) from error
        yield converted


@dataclass(slots=True)
class _Plan:
    """One import under way: the folder, and the database keys of what it names."""

    folder: Path
    slug: str
    facts: Mapping[str, Any] = field(init=False)
    """`study` of protocol.json."""
    protocol: Protocol = field(init=False)
    has_protocol: bool = field(init=False)
    study: Study = field(init=False)
    stored: dict[str, str] = field(default_factory=dict)
    """Image ID → its name in storage, of the new ones."""
    scenes: dict[str, int] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    pairs: dict[str, int] = field(default_factory=dict)
    raters: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        path = self.folder / "protocol.json"
        document = read_json(path.read_text(encoding="utf-8")) if path.exists() else {}
        self.facts = document.get("study", {})
        self.has_protocol = "protocol" in document
        self.protocol = _protocol_of(document["protocol"]) if self.has_protocol else _likely_protocol(self)

    def rows(self, table: str, *columns: str) -> Iterator[Row]:
        """Rows of a table as dicts, a few thousand in memory at a time; columns of a later version are null."""
        lacking = dict.fromkeys(LATER_COLUMNS.get(table, ()))
        with pq.ParquetFile(self.folder / f"{table}.parquet") as file:
            for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME, columns=list(columns) or None):
                yield from (lacking | row for row in batch.to_pylist())

    def column(self, table: str, column: str) -> set[str]:
        return {row[column] for row in self.rows(table, column)}


def _protocol_of(settings: Mapping[str, Any]) -> Protocol:
    return Protocol.from_json(settings if "phases" in settings else BEFORE_PHASES | dict(settings))


def _likely_protocol(plan: _Plan) -> Protocol:
    """Numbers as the answers have them, all else by default."""
    asked = Counter(
        (row["rater_id"], row["is_check"]) for row in plan.rows("judgments", "rater_id", "is_check")
    )
    most = {kind: max((n for (_, k), n in asked.items() if k is kind), default=0) for kind in (False, True)}
    images = list(plan.rows("images", "width", "height", "file_name"))
    long_side = max((max(row["width"], row["height"]) for row in images), default=768)
    suffixes = Counter(Path(row["file_name"]).suffix for row in images)
    n_main = min(max(most[False], 1), 1000)
    return Protocol(
        phases=("main",),
        n_practice=0,
        n_main=n_main,
        allow_tie=TIE in plan.column("judgments", "chosen_side"),
        n_checks=min(most[True], n_main, 500),
        long_side=min(max(long_side, 64), 4096),
        encoding=ENCODINGS[suffixes.most_common(1)[0][0]].value if suffixes else "webp_lossless",
    )


def _refuse_what_is_here(plan: _Plan) -> None:
    study_id = plan.facts.get("id")
    if study_id and (here := Study.objects.filter(public_id=study_id).first()):
        raise DatasetError(f"this study is already here, as {here.slug}")
    raters = _existing(Rater, plan.column("raters", "rater_id"))
    if withdrawn := [rater.public_id for rater in raters.values() if rater.withdrawn_at]:
        raise DatasetError(f"rater {withdrawn[0]} has withdrawn: their answers may not come back")
    if raters:
        rater = next(iter(raters.values()))
        raise DatasetError(f"rater {rater.public_id} is already here, in the study {rater.study.slug}")


# Files


@contextmanager
def _stored_images(plan: _Plan, report: Report) -> Iterator[None]:
    """Copy the files of new images into storage; take them out again when the block fails."""
    here = _existing(Rendition, plan.column("images", "image_id"))
    total, done = pq.read_metadata(plan.folder / "images.parquet").num_rows, 0
    try:
        for row in plan.rows("images", "image_id", "file_name", "sha256"):
            report(done, total, "storing images")
            done += 1
            if row["image_id"] not in here:
                plan.stored[row["image_id"]] = _store(plan.folder, row)
        report(total, total, "storing images")
        yield
    except BaseException:  # also when cancelled: nothing half-done stays
        for name in plan.stored.values():
            default_storage.delete(name)
        raise


def _store(folder: Path, row: Row) -> str:
    content = (folder / row["file_name"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise DatasetError(f"{row['file_name']} changed while it was read")
    suffix = Path(row["file_name"]).suffix
    return default_storage.save(f"renditions/{row['image_id']}{suffix}", ContentFile(content))


@contextmanager
def _clashes_named() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise DatasetError(
            f"something in the folder clashes with what is here already, and nothing was imported ({error})"
        ) from error


# Rows


def _create(plan: _Plan, report: Report) -> None:
    plan.study = _create_study(plan)
    _create_scenes(plan)
    _create_images(plan)
    _create_pairs(plan)
    _create_raters(plan)
    _create_answers(plan, report)
    verdicts_compute(plan.study)
    _keep_verdicts_of_file(plan)


def _create_study(plan: _Plan) -> Study:
    name = str(plan.facts.get("name") or plan.folder.resolve().name)[:200]
    study = study_create(
        name,
        slug=plan.slug or plan.facts.get("slug"),
        protocol=plan.protocol,
        scenes=(),
        simulated=all(row["simulated"] for row in plan.rows("raters", "simulated")),
        purpose="\n\n".join(
            filter(None, [plan.facts.get("purpose"), "" if plan.has_protocol else NO_PROTOCOL])
        ),
        licence=plan.facts.get("licence") or "other",
        citation=plan.facts.get("citation", ""),
    )
    study.public_id = plan.facts.get("id") or study.public_id
    study.is_simulated = plan.facts.get("simulated", study.is_simulated)
    study.status = Study.Status.CLOSED
    times = [row["answered_at"] for row in plan.rows("judgments", "answered_at")]
    study.opened_at, study.closed_at = min(times, default=None), max(times, default=None)
    study.save()
    return study


def _create_scenes(plan: _Plan) -> None:
    rows = list(plan.rows("scenes"))
    here = _existing(Scene, {row["scene_id"] for row in rows})
    for row in rows:
        _compare(
            here.get(row["scene_id"]), "scene", row["scene_id"], width=row["width"], height=row["height"]
        )
    new = [_scene(row) for row in rows if row["scene_id"] not in here]
    plan.scenes = _keys(Scene.objects.bulk_create(new), here.values())
    StudyScene.objects.bulk_create(
        StudyScene(study=plan.study, scene_id=plan.scenes[row["scene_id"]], split=row["split"])
        for row in rows
    )


def _scene(row: Row) -> Scene:
    return Scene(
        public_id=row["scene_id"],
        name=row["scene_id"],
        category=row["category"] or "",
        source_type=row["source_type"],
        width=row["width"],
        height=row["height"],
        licence=row["licence"] or "",
        attribution=row["attribution"] or "",
        ingest={"from": "dataset folder"},
    )


def _create_images(plan: _Plan) -> None:
    rows = list(plan.rows("images"))
    here = _existing(Rendition, {row["image_id"] for row in rows})
    for row in rows:
        _compare(
            here.get(row["image_id"]), "image", row["image_id"],
            sha256=row["sha256"], scene_id=plan.scenes[row["scene_id"]],
        )  # fmt: skip
    new = [_rendition(row, plan) for row in rows if row["image_id"] not in here]
    plan.images = _keys(Rendition.objects.bulk_create(new), here.values())


def _rendition(row: Row, plan: _Plan) -> Rendition:
    longer = max(row["width"], row["height"])
    return Rendition(
        public_id=row["image_id"],
        scene_id=plan.scenes[row["scene_id"]],
        source_type=row["source_type"],
        recipe=read_json(row["recipe"]),
        # Of its own: recipes of other generators may be alike where their images are not.
        recipe_key=hashlib.sha256(f"imported {row['image_id']}".encode()).hexdigest(),
        long_side=max(longer, plan.protocol.long_side),
        encoding=ENCODINGS[Path(row["file_name"]).suffix],
        state=Rendition.State.RENDERED,
        image=plan.stored[row["image_id"]],
        sha256=row["sha256"],
        width=row["width"],
        height=row["height"],
    )


def _create_pairs(plan: _Plan) -> None:
    rows = list(plan.rows("pairs"))
    here = _existing(Pair, {row["pair_id"] for row in rows})
    pairs = []
    kinds = {row["image_id"]: _kind(row) for row in plan.rows("images", "image_id", "source_type", "recipe")}
    for row in rows:
        a, b = sorted((plan.images[row["image_a"]], plan.images[row["image_b"]]))
        _compare(here.get(row["pair_id"]), "pair", row["pair_id"], image_a_id=a, image_b_id=b)
        if row["pair_id"] not in here:
            scene = plan.scenes[row["scene_id"]]
            pairs.append(
                Pair(
                    public_id=row["pair_id"],
                    scene_id=scene,
                    image_a_id=a,
                    image_b_id=b,
                    source_type=pair_kind(kinds[row["image_a"]], kinds[row["image_b"]]) or SourceType.D,
                    delta_e=row["delta_e"],
                )
            )
    plan.pairs = _keys(Pair.objects.bulk_create(pairs), here.values())
    asked = Counter(
        row["pair_id"] for row in plan.rows("judgments", "pair_id", "is_check") if not row["is_check"]
    )
    StudyPair.objects.bulk_create(
        StudyPair(study=plan.study, pair_id=key, exposures=asked[pair_id])
        for pair_id, key in plan.pairs.items()
    )


def _kind(row: Row) -> str:
    """Of an image, for the source type of its pairs."""
    return NEUTRAL if read_json(row["recipe"]) == NEUTRAL_RECIPE.to_json() else str(row["source_type"])


def _create_raters(plan: _Plan) -> None:
    rows = list(plan.rows("raters"))
    people = _existing(Person, {row["person_id"] for row in rows})
    simulated = {row["person_id"]: row["simulated"] for row in rows}
    new_people = [Person(public_id=p, is_simulated=s) for p, s in simulated.items() if p not in people]
    person_keys = _keys(Person.objects.bulk_create(new_people), people.values())

    devices = _existing(Device, {row["device_id"] for row in rows})
    new_devices = dict.fromkeys(row["device_id"] for row in rows if row["device_id"] not in devices)
    device_keys = _keys(
        Device.objects.bulk_create(Device(public_id=d) for d in new_devices), devices.values()
    )

    raters = [
        Rater(
            public_id=row["rater_id"],
            study=plan.study,
            person_id=person_keys[row["person_id"]],
            device_id=device_keys[row["device_id"]],
            split=row["split"],
            simulation=None if row["simulation"] is None else read_json(row["simulation"]),
        )
        for row in rows
    ]
    plan.raters = _keys(Rater.objects.bulk_create(raters), ())


# Answers


@dataclass(slots=True)
class _Sitting:
    """A session as the answers tell it; a question index that comes again begins the next one."""

    rater_id: str
    first: dt.datetime
    last: dt.datetime
    indices: set[int] = field(default_factory=set)
    session: Session | None = None

    def add(self, row: Row) -> None:
        self.indices.add(row["question_index"])
        self.first, self.last = min(self.first, row["answered_at"]), max(self.last, row["answered_at"])


def _create_answers(plan: _Plan, report: Report) -> None:
    sittings, sitting_of = _sittings(plan)
    _create_sessions(plan, sittings)
    total, done, keys = len(sitting_of), 0, dict[str, int]()
    repeated = plan.column("judgments", "repeats_judgment")
    # Checks point at the rows that they repeat, which need keys first.
    for checks in (False, True):
        rows = ((n, row) for n, row in enumerate(plan.rows("judgments")) if row["is_check"] is checks)
        while batch := list(itertools.islice(rows, ROWS_AT_A_TIME)):
            questions = [_question(row, sittings[sitting_of[n]], keys, plan) for n, row in batch]
            Question.objects.bulk_create(questions)
            keys |= {q.public_id: q.pk for q in questions if q.public_id in repeated}
            done += len(batch)
            report(done, total, "storing answers")


def _sittings(plan: _Plan) -> tuple[list[_Sitting], list[int]]:
    """All sessions, and for each judgment the place of its session among them."""
    sittings, places, current = list[_Sitting](), list[int](), dict[str, list[int]]()
    for row in plan.rows("judgments", "rater_id", "question_index", "answered_at"):
        own = current.setdefault(row["rater_id"], [])
        place = next((n for n in own if row["question_index"] not in sittings[n].indices), None)
        if place is None:
            place = len(sittings)
            own.append(place)
            sittings.append(_Sitting(row["rater_id"], row["answered_at"], row["answered_at"]))
        sittings[place].add(row)
        places.append(place)
    return sittings, places


def _create_sessions(plan: _Plan, sittings: Sequence[_Sitting]) -> None:
    raters = {row["rater_id"]: row for row in plan.rows("raters")}
    last_of = {sitting.rater_id: sitting for sitting in sittings}
    for sitting in sittings:
        row = raters[sitting.rater_id]
        reasons = (row["exclusion_reason"] or "").split(",")
        unfinished = "too_few_answers" in reasons and last_of[sitting.rater_id] is sitting
        sitting.session = Session(
            study=plan.study,
            rater_id=plan.raters[sitting.rater_id],
            protocol_hash=plan.protocol.sha256,
            seed=0,
            language=row["language"] or "",
            **_consent(plan, row["language"], sitting.first),
            started_at=sitting.first,
            finished_at=None if unfinished else sitting.last,
        )
    Session.objects.bulk_create(sitting.session for sitting in sittings if sitting.session)
    displays = [_display(sitting.session, raters[rater]) for rater, sitting in last_of.items()]
    DisplayRecord.objects.bulk_create(display for display in displays if display)
    PhaseRecord.objects.bulk_create(
        record for rater, sitting in last_of.items() for record in _phases(sitting.session, raters[rater])
    )


def _consent(plan: _Plan, language: str | None, at: dt.datetime) -> dict[str, Any]:
    if not plan.has_protocol:
        return {"consent_version": "not known"}
    if "consent" not in plan.protocol.phases:
        return {}
    version = consent_version_in(plan.protocol, language or plan.protocol.language)
    return {"consent_version": version, "consented_at": at}


def _display(session: Session | None, row: Row) -> DisplayRecord | None:
    known = {name: row[name] for name in (*DISPLAY_NUMBERS, *DISPLAY_TEXTS) if row[name] is not None}
    return DisplayRecord(session=session, **known) if known else None


def _phases(session: Session | None, row: Row) -> Iterator[PhaseRecord]:
    for phase in SCREENINGS:
        if row[phase]:
            yield PhaseRecord(session=session, phase=phase, outcome=row[phase])
    said = {field: row[column] for column, field in QUESTIONNAIRE_COLUMNS.items() if row[column]}
    if said:
        yield PhaseRecord(session=session, phase="questionnaire", answers=said)


def _question(row: Row, sitting: _Sitting, keys: Mapping[str, int], plan: _Plan) -> Question:
    return Question(
        public_id=row["judgment_id"],
        session=sitting.session,
        index=row["question_index"],
        kind=Question.Kind.CHECK if row["is_check"] else Question.Kind.MAIN,
        pair_id=plan.pairs[row["pair_id"]],
        left_id=plan.images[row["left_image"]],
        right_id=plan.images[row["right_image"]],
        repeats_id=keys[row["repeats_judgment"]] if row["is_check"] else None,
        policy=row["policy"] or "imported",
        propensity=row["propensity"],
        chosen_side=row["chosen_side"],
        response_ms=row["response_ms"],
        answered_at=row["answered_at"],
    )


def _keep_verdicts_of_file(plan: _Plan) -> None:
    """Who is valid is what the dataset says, also where its rules are not known here."""
    verdicts = {
        verdict.rater.public_id: verdict
        for verdict in Verdict.objects.filter(rater__study=plan.study).select_related("rater")
    }
    differing = []
    for row in plan.rows("raters", "rater_id", "valid", "exclusion_reason", "median_response_ms"):
        verdict = verdicts[row["rater_id"]]
        reasons = row["exclusion_reason"].split(",") if row["exclusion_reason"] else []
        stated = (row["valid"], reasons, row["median_response_ms"])
        if stated != (verdict.may_be_used, verdict.reasons, verdict.median_response_ms):
            verdict.evidence["stated_by"] = "dataset folder"
            verdict.may_be_used, verdict.reasons, verdict.median_response_ms = stated
            differing.append(verdict)
    fields = ["may_be_used", "reasons", "median_response_ms", "evidence"]
    Verdict.objects.bulk_update(differing, fields, batch_size=100)


# What is here already


HasPublicId = TypeVar("HasPublicId", Scene, Rendition, Pair, Person, Device, Rater)


def _existing(model: type[HasPublicId], public_ids: Iterable[str]) -> dict[str, HasPublicId]:
    """Rows with these public IDs that are in the database, by public ID."""
    found: dict[str, HasPublicId] = {}
    remaining = iter(sorted(public_ids))
    while batch := list(itertools.islice(remaining, 1000)):
        found |= {row.public_id: row for row in model._default_manager.filter(public_id__in=batch)}
    return found


def _keys(new: Iterable[HasPublicId], here: Iterable[HasPublicId]) -> dict[str, int]:
    return {row.public_id: row.pk for row in itertools.chain(new, here)}


def _compare(row: models.Model | None, what: str, public_id: str, **wanted: object) -> None:
    """Raise DatasetError when a row that is here already is not what the dataset says."""
    for name, value in wanted.items():
        if row is not None and getattr(row, name) != value:
            raise DatasetError(f"{what} {public_id} is already here with another {name.removesuffix('_id')}")
