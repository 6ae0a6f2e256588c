"""What is wrong with a dataset folder, by file and row. Pure: pyarrow, numpy and files only.

Nothing in a folder is trusted: sizes are looked at before anything is read, text columns
are read as dictionaries (one long value repeated a million times is held once), and no link
is followed.
"""

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from collection.design.active import ACTIVE_POLICIES
from collection.design.protocol import Protocol
from collection.export.format import (
    IMAGE_SUFFIXES,
    LATER_COLUMNS,
    MAX_ID,
    OUTCOMES,
    QUESTIONNAIRE,
    SCREENINGS,
    SIDES,
    SOURCE_TYPES,
    SPLITS,
    TABLES,
    TIE,
)
from variants.progress import Report, silent

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]

MOST_FAULTS = 10
MAX_TABLE_BYTES = 4 * 2**30
"""Of one table, uncompressed; a million judgments take 0.2 GiB."""
MAX_ROWS = 100_000_000
MAX_DOCUMENT_BYTES = 10_000_000
ID = rf"^[A-Za-z0-9_-][A-Za-z0-9._-]{{0,{MAX_ID - 1}}}$"
FIRST_TIME, LAST_TIME = 946_684_800_000, 4_102_444_800_000
"""Years 2000 to 2100, in milliseconds since 1970."""
LENGTHS = {
    ("scenes", "category"): 50,
    ("scenes", "licence"): 200,
    ("scenes", "attribution"): 300,
    ("images", "recipe"): 1_000_000,
    ("raters", "color_gamut"): 20,
    ("raters", "dynamic_range"): 20,
    ("raters", "platform"): 50,
    ("raters", "language"): 10,
    ("judgments", "policy"): 30,
    ("raters", "exclusion_reason"): 500,
    ("raters", "simulation"): 1_000_000,
}
"""Characters that a text may have at most; IDs have their own limit."""
STUDY_TEXTS = {"id": MAX_ID, "slug": 50, "name": 200, "purpose": 20_000, "licence": 50, "citation": 20_000}
"""Of `study` in protocol.json."""
ENUMS = {
    "source_type": SOURCE_TYPES,
    "split": SPLITS,
    "chosen_side": (*SIDES, TIE),
    **dict.fromkeys(SCREENINGS, OUTCOMES),
    **QUESTIONNAIRE,
}
FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    file: str
    row: int | None = None
    """Counted from 0, as data frames count."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.message}"


def check_folder(folder: Path, report: Report = silent) -> list[Fault]:
    """The first ten faults of a dataset folder; none means that it can be imported."""
    folder = Path(folder)
    if not folder.is_dir():
        return [Fault(file=str(folder), message="is not a folder")]
    faults = _first(_file_faults(folder))
    if faults:
        return faults
    try:
        tables = {name: _Table(folder, name) for name in TABLES}
    except _Unreadable as error:
        return [error.fault]
    return (
        _first(_column_value_faults(tables))
        or _first(_relation_faults(tables))
        or _first(_image_faults(folder, tables["images"], report))
        or _first(_sum_faults(folder))
    )


def _first(faults: Iterator[Fault]) -> list[Fault]:
    return list(itertools.islice(faults, MOST_FAULTS))


# Files, sizes, columns: before anything is read


def _file_faults(folder: Path) -> Iterator[Fault]:
    for name in TABLES:
        yield from _parquet_faults(folder / f"{name}.parquet", TABLES[name], LATER_COLUMNS.get(name, ()))
    if (folder / "images").is_symlink() or not (folder / "images").is_dir():
        yield Fault(file="images", message="is missing or is no folder of its own")
    yield from protocol_faults(folder / "protocol.json")


def _parquet_faults(path: Path, wanted: pa.Schema, may_lack: Sequence[str]) -> Iterator[Fault]:
    if problem := not_a_file(path):
        yield Fault(file=path.name, message=problem)
        return
    try:
        metadata, schema = pq.read_metadata(path), pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        yield Fault(file=path.name, message=f"is no whole Parquet file ({_short(error)})")
        return
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups))
    if size > MAX_TABLE_BYTES or metadata.num_rows > MAX_ROWS:
        yield Fault(file=path.name, message=f"is too large: {metadata.num_rows} rows, {size} bytes unpacked")
    yield from _column_faults(path.name, schema, wanted, may_lack)


def _column_faults(
    file: str, schema: pa.Schema, wanted: pa.Schema, may_lack: Sequence[str]
) -> Iterator[Fault]:
    for name in sorted({name for name in schema.names if schema.names.count(name) > 1}):
        yield Fault(file=file, message=f"has the column {name!r} twice")
    for column in wanted:
        if column.name not in schema.names:
            if column.name not in may_lack:
                yield Fault(file=file, message=f"has no column {column.name!r}")
        elif schema.names.count(column.name) == 1 and schema.field(column.name).type != column.type:
            found = schema.field(column.name).type
            yield Fault(file=file, message=f"column {column.name!r} is {found}; it must be {column.type}")
    for name in schema.names:
        if name not in wanted.names:
            yield Fault(file=file, message=f"has a column {quoted(name)} that the format does not know")


def protocol_faults(path: Path) -> Iterator[Fault]:
    """The folder can be read without protocol.json; what is there must be right."""
    if not path.exists() and not path.is_symlink():
        return
    if problem := not_a_file(path):
        yield Fault(file=path.name, message=problem)
    elif path.stat().st_size > MAX_DOCUMENT_BYTES:
        yield Fault(file=path.name, message=f"is larger than {MAX_DOCUMENT_BYTES} bytes")
    else:
        yield from _document_faults(path)


def _sum_faults(folder: Path) -> Iterator[Fault]:
    """Tables that are not those that croissant.json was written with; it is needed never, but believed."""
    try:
        document = read_json((folder / "croissant.json").read_text(encoding="utf-8"))
        sums = {str(part["name"]): part["sha256"] for part in document["distribution"] if "sha256" in part}
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        yield Fault(file="croissant.json", message=f"cannot be read: {_short(error)}")
        return
    for name in (f"{table}.parquet" for table in TABLES):
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if sums.get(name, found) != found:
            yield Fault(
                file=name,
                message="has another sha256 than croissant.json says; if it was changed on purpose, remove croissant.json",
            )


def _document_faults(path: Path) -> Iterator[Fault]:
    try:
        document = read_json(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or not isinstance(document.get("study", {}), dict):
            raise ValueError("it must be an object, and `study` in it too")
        _check_study(document.get("study", {}))
        if "protocol" in document:
            Protocol.from_json(document["protocol"])
    except (ValueError, RecursionError) as error:
        yield Fault(file=path.name, message=f"cannot be read: {_short(error)}")


def _check_study(study: dict[str, Any]) -> None:
    for name, longest in STUDY_TEXTS.items():
        value = study.get(name, "")
        if not isinstance(value, str) or len(value) > longest or "\0" in value:
            raise ValueError(f"study.{name} must be a text of at most {longest} characters")
    if study.get("id") and not re.match(ID, study["id"]):
        raise ValueError(f"study.id has 1 to {MAX_ID} letters, digits, - and _")
    if not isinstance(study.get("simulated", False), bool):
        raise ValueError("study.simulated must be true or false")


def not_a_file(path: Path) -> str | None:
    if path.is_symlink():
        return "is a link; links are not followed (`cp -rL` copies a folder with what they point to)"
    return None if path.is_file() else "is missing"


# Tables


class _Unreadable(Exception):
    def __init__(self, file: str, error: Exception) -> None:
        super().__init__(file)
        self.fault = Fault(file=file, message=f"cannot be read: {_short(error)}")


@dataclass(frozen=True, slots=True)
class _Text:
    """A text column: each distinct value once, and for each row which one it is (-1 for null)."""

    codes: Codes
    values: pa.Array

    def __getitem__(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else str(self.values[code].as_py())

    def where(self, right: pa.BooleanArray) -> Mask:
        """Rows whose value is among those marked; null is not."""
        return np.append(right.to_numpy(zero_copy_only=False), False)[self.codes]

    def rows_of(self, keys: "_Text") -> Codes:
        """For each row the row of `keys` (a column of distinct IDs) with the same value; -1 for none."""
        first_row = np.full(len(keys.values) + 1, -1)
        first_row[keys.codes[::-1]] = np.arange(len(keys.codes))[::-1]
        place = pc.fill_null(pc.index_in(self.values, keys.values), len(keys.values))
        in_keys = np.append(place.to_numpy(zero_copy_only=False).astype(np.int64), len(keys.values))
        found: Codes = first_row[in_keys[self.codes]]
        return found


class _Table:
    """One table in memory, its texts as dictionaries."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.file = name, f"{name}.parquet"
        texts = [column.name for column in TABLES[name] if column.type == pa.string()]
        try:
            data = pq.read_table(folder / self.file, read_dictionary=texts, memory_map=False)
            data.validate(full=True)
        except (pa.ArrowException, OSError) as error:
            raise _Unreadable(self.file, error) from error
        self.n_rows = data.num_rows
        self._data = data
        lacking = _Text(np.full(self.n_rows, -1), pa.array([], pa.string()))
        self._texts = {text: _as_text(data[text]) if text in data.column_names else lacking for text in texts}

    def has(self, column: str) -> bool:
        return column in self._data.column_names

    def text(self, column: str) -> _Text:
        return self._texts[column]

    def numbers(self, column: str) -> npt.NDArray[Any]:
        """Without nulls for integers and bools; NaN stands for null in floats."""
        data = self._data[column]
        if pa.types.is_timestamp(data.type):
            data = data.cast(pa.int64())
        if data.null_count and pa.types.is_integer(data.type):
            data = pc.fill_null(data, 0)
        return np.asarray(data.to_numpy())

    def nulls(self, column: str) -> Mask:
        return np.asarray(self._data[column].is_null().to_numpy())


def _as_text(column: pa.ChunkedArray) -> _Text:
    if not column.num_chunks or not len(column):
        return _Text(np.empty(0, np.int64), pa.array([], pa.string()))
    whole = column.unify_dictionaries().combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.chunk(0)
    values = pc.unique(whole.dictionary)  # a crafted dictionary may hold one value twice
    place = pc.index_in(whole.dictionary, values).to_numpy(zero_copy_only=False).astype(np.int64)
    codes = pc.fill_null(whole.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return _Text(np.append(place, -1)[codes], values)


def _column_value_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    """What can be seen of a column by itself, and whether what it points at is there."""
    for table in tables.values():
        yield from _value_faults(table)
    yield from _key_faults(tables)


def _relation_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    """What has to fit together; all IDs are known to be there."""
    for check in (_scene_faults, _image_row_faults, _pair_faults, _judgment_faults, _rater_faults):
        yield from check(tables)


def _value_faults(table: _Table) -> Iterator[Fault]:
    """Nulls where there must be none, IDs, lengths, enums."""
    for column in TABLES[table.name]:
        name = column.name
        if not column.nullable:
            yield from _at(table, table.nulls(name), f"{name} is missing")
        if column.type != pa.string():
            continue
        text = table.text(name)
        if allowed := ENUMS.get(name):
            bad = text.where(pc.invert(pc.is_in(text.values, pa.array(allowed))))
            what = f"it must be one of {', '.join(allowed)}"
        elif name == "sha256":
            bad = text.where(pc.invert(pc.match_substring_regex(text.values, "^[0-9a-f]{64}$")))
            what = "it must be 64 hex digits"
        elif _is_id(table.name, name):
            bad = text.where(pc.invert(pc.match_substring_regex(text.values, ID)))
            what = f"an ID has 1 to {MAX_ID} letters, digits, - and _"
        else:
            bad, what = _bad_lengths(table.name, name, text)
        yield from _at(table, bad, f"{name} is {{}}; {what}", text)


def _is_id(table: str, column: str) -> bool:
    return column.endswith("_id") or column in REFERENCES.get(table, {}) or column == "repeats_judgment"


def _bad_lengths(table: str, column: str, text: _Text) -> tuple[Mask, str]:
    limit = LENGTHS.get((table, column), 300)
    too_long = pc.greater(pc.utf8_length(text.values), limit)
    bad = pc.or_(too_long, pc.match_substring(text.values, "\0"))
    return text.where(bad), f"it may have {limit} characters, none of them NUL"


KEYS = {
    "scenes": "scene_id",
    "images": "image_id",
    "pairs": "pair_id",
    "raters": "rater_id",
    "judgments": "judgment_id",
}
REFERENCES = {
    "images": {"scene_id": "scenes"},
    "pairs": {"scene_id": "scenes", "image_a": "images", "image_b": "images"},
    "judgments": {
        "rater_id": "raters",
        "pair_id": "pairs",
        "preferred_image": "images",
        "rejected_image": "images",
        "left_image": "images",
        "right_image": "images",
    },
}


def _key_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    """IDs are distinct, and what is pointed at is there."""
    for name, key in KEYS.items():
        ids = tables[name].text(key)
        yield from _at(
            tables[name],
            _repeated(ids.codes),
            f"{key} {{}} is there twice",
            ids,
        )
    for name, references in REFERENCES.items():
        for column, target in references.items():
            text = tables[name].text(column)
            lost = (text.rows_of(tables[target].text(KEYS[target])) < 0) & (text.codes >= 0)
            yield from _at(
                tables[name],
                lost,
                f"{column} {{}} is not in {target}.parquet",
                text,
            )


def _scene_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    yield from _size_faults(tables["scenes"])


def _image_row_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    images = tables["images"]
    yield from _size_faults(images)
    ids, files, recipes = images.text("image_id"), images.text("file_name"), images.text("recipe")
    for row in range(images.n_rows):
        allowed = [f"images/{ids[row]}{suffix}" for suffix in IMAGE_SUFFIXES]
        if files[row] not in allowed:
            message = f"file_name is {quoted(files[row])}; it must be {' or '.join(allowed)}"
            yield Fault(file=images.file, row=row, message=message)
    yield from _json_faults(images, "recipe", recipes)


def _size_faults(table: _Table) -> Iterator[Fault]:
    for side in ("width", "height"):
        pixels = table.numbers(side)
        yield from _at(
            table,
            (pixels < 1) | (pixels > 1_000_000),
            f"{side} is {{}} pixels",
            pixels,
        )


def _json_faults(table: _Table, column: str, text: _Text) -> Iterator[Fault]:
    wrong = pa.array([not _is_json_object(value.as_py()) for value in text.values], pa.bool_())
    yield from _at(table, text.where(wrong), f"{column} is no JSON object: {{}}", text)


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(read_json(text), dict)
    except (ValueError, RecursionError):
        return False


def read_json(text: str) -> Any:
    """JSON that every database takes: no NaN, no infinity, no NUL, no half of a surrogate pair."""
    if "\\u0000" in text:
        raise ValueError("it holds a NUL character")
    data = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if "\\ud" in text.lower():
        json.dumps(data, ensure_ascii=False).encode()  # UnicodeEncodeError is a ValueError
    return data


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is too large a number")
    return value


def _pair_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    pairs, images = tables["pairs"], tables["images"]
    a, b = _image_rows(pairs, images, "image_a", "image_b")
    yield from _at(pairs, (a == b) & (a >= 0), "image_a and image_b are the same")
    scene = pairs.text("scene_id").rows_of(tables["scenes"].text("scene_id"))
    scene_of = np.append(images.text("scene_id").rows_of(tables["scenes"].text("scene_id")), -1)
    for name, image in (("image_a", a), ("image_b", b)):
        elsewhere = (image >= 0) & (scene_of[image] != scene)
        yield from _at(pairs, elsewhere, f"{name} is of another scene than the pair")
    low, high = np.minimum(a, b), np.maximum(a, b)
    yield from _at(
        pairs,
        _repeated(low * (images.n_rows + 1) + high),
        "the same two images are a pair already",
    )
    delta_e = pairs.numbers("delta_e")
    yield from _at(pairs, ~(np.isfinite(delta_e) & (delta_e >= 0)), "delta_e is {}", delta_e)


def _rater_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    raters, judgments = tables["raters"], tables["judgments"]
    people, devices = raters.text("person_id"), raters.text("device_id")
    both = people.codes * (len(devices.values) + 1) + devices.codes
    yield from _at(raters, _repeated(both), "the same person on the same device is a rater already")

    rater = judgments.text("rater_id").rows_of(raters.text("rater_id"))
    counted = np.bincount(rater[rater >= 0], minlength=raters.n_rows)
    stated = raters.numbers("n_answers")
    yield from _at(
        raters,
        counted != stated,
        "n_answers is {}, judgments.parquet has {} of this rater",
        stated,
        counted,
    )
    yield from _consistency_faults(raters, judgments, rater)
    ratio = raters.numbers("pixel_ratio")
    outside = ~((ratio > 0) & (ratio <= 100)) & ~raters.nulls("pixel_ratio")
    yield from _at(raters, outside, "pixel_ratio is {}", ratio)
    for name in ("screen_width", "screen_height", "color_depth", "median_response_ms"):
        values = raters.numbers(name)
        yield from _at(raters, values < 0, f"{name} is {{}}", values)
    yield from _validity_faults(raters)
    yield from _json_faults(raters, "simulation", raters.text("simulation"))


def _consistency_faults(raters: _Table, judgments: _Table, rater: Codes) -> Iterator[Fault]:
    """It is the part of the rater's checks that chose the image of the first answer; ties say nothing."""
    first = judgments.text("repeats_judgment").rows_of(judgments.text("judgment_id"))
    chosen = judgments.text("preferred_image").codes
    decided = chosen >= 0
    counts = (first >= 0) & (rater >= 0) & decided & decided[first]
    answered = np.bincount(rater[counts], minlength=raters.n_rows)
    agreed = np.bincount(rater[counts & (chosen == chosen[first])], minlength=raters.n_rows)
    stated = raters.numbers("consistency")
    found = np.where(answered > 0, agreed / np.maximum(answered, 1), np.nan)
    wrong = ~np.isclose(stated, found, atol=1e-3, equal_nan=True)
    yield from _at(raters, wrong, "consistency is {}, {} of {} checks agree", stated, agreed, answered)


def _validity_faults(raters: _Table) -> Iterator[Fault]:
    valid = raters.numbers("valid").astype(bool)
    has_reason = ~raters.nulls("exclusion_reason")
    split = raters.text("split")
    in_split = split.where(pc.not_equal(split.values, "none"))
    yield from _at(raters, valid & has_reason, "a valid rater has an exclusion_reason")
    yield from _at(raters, ~valid & ~has_reason, "a rater is not valid without an exclusion_reason")
    yield from _at(raters, ~valid & in_split, "a rater who is not valid is in split {}", split)


def _judgment_faults(tables: dict[str, _Table]) -> Iterator[Fault]:
    judgments, images, pairs = tables["judgments"], tables["images"], tables["pairs"]
    left, right = _image_rows(judgments, images, "left_image", "right_image")
    pair = judgments.text("pair_id").rows_of(pairs.text("pair_id"))
    a, b = (np.append(rows, -1)[pair] for rows in _image_rows(pairs, images, "image_a", "image_b"))
    shown = ((left == a) & (right == b)) | ((left == b) & (right == a))
    yield from _at(judgments, ~shown, "left_image and right_image are not the pair's two images")

    side = judgments.text("chosen_side")
    on_left, tie = (side.where(pc.equal(side.values, word)) for word in ("left", TIE))
    for name, wanted, place in (
        ("preferred_image", np.where(on_left, left, right), "of"),
        ("rejected_image", np.where(on_left, right, left), "beside"),
    ):
        (found,) = _image_rows(judgments, images, name)
        yield from _at(judgments, tie & (found >= 0), f"{name} is {{}} in a tie", judgments.text(name))
        yield from _at(
            judgments,
            ~tie & (found != wanted),
            f"{name} is not the image {place} the side chosen, {{}}",
            side,
        )
    for name in ("response_ms", "question_index"):
        values = judgments.numbers(name)
        yield from _at(judgments, values < 0, f"{name} is {{}}", values)
    yield from _propensity_faults(judgments)
    times = judgments.numbers("answered_at")
    outside = (times < FIRST_TIME) | (times > LAST_TIME)
    yield from _at(judgments, outside, "answered_at is not between the years 2000 and 2100")
    yield from _repeat_faults(judgments, left, right, pair)


def _propensity_faults(judgments: _Table) -> Iterator[Fault]:
    if not (judgments.has("policy") and judgments.has("propensity")):
        return  # before version 3
    propensity, policy = judgments.numbers("propensity"), judgments.text("policy")
    wrong = (propensity <= 0) | (propensity > 1) | np.isinf(propensity)
    yield from _at(judgments, wrong, "propensity is {}; it must be above 0 and at most 1", propensity)
    active = policy.where(pc.is_in(policy.values, pa.array(ACTIVE_POLICIES)))
    lacking = active & np.isnan(propensity)
    yield from _at(judgments, lacking, "policy is {}, which needs a propensity", policy)


def _repeat_faults(judgments: _Table, left: Codes, right: Codes, pair: Codes) -> Iterator[Fault]:
    """A check shows a pair of the same rater's main answers again, flipped."""
    is_check = judgments.numbers("is_check").astype(bool)
    repeats = judgments.text("repeats_judgment")
    first = repeats.rows_of(judgments.text("judgment_id"))
    rater = judgments.text("rater_id").codes
    points = repeats.codes >= 0
    found = is_check & points & (first >= 0)
    for wrong, message in (
        (is_check & ~points, "a check without repeats_judgment"),
        (~is_check & points, "repeats_judgment stands in a judgment that is no check"),
        (points & (first < 0), "repeats_judgment is not in judgments.parquet"),
        (found & is_check[first], "repeats_judgment is a check itself"),
        (found & (rater[first] != rater), "repeats_judgment is another rater's"),
        (found & (pair[first] != pair), "repeats_judgment is of another pair"),
        (found & ((left[first] != right) | (right[first] != left)), "the sides are not flipped"),
    ):
        yield from _at(judgments, wrong, message + " ({})", repeats)


def _image_rows(table: _Table, images: _Table, *columns: str) -> tuple[Codes, ...]:
    keys = images.text("image_id")
    return tuple(table.text(column).rows_of(keys) for column in columns)


def _repeated(codes: Codes) -> Mask:
    """Rows whose value stood in an earlier row."""
    first = np.zeros(len(codes), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    repeated: Mask = ~first
    return repeated


def _at(table: _Table, wrong: Mask, message: str, *values: _Text | npt.NDArray[Any]) -> Iterator[Fault]:
    """A fault for each wrong row; each {} in the message is the next of `values` in that row."""
    for row in np.flatnonzero(wrong)[:MOST_FAULTS].tolist():
        shown = [quoted(value[row]) if isinstance(value, _Text) else value[row] for value in values]
        yield Fault(file=table.file, row=row, message=message.format(*shown))


# Images


def _image_faults(folder: Path, images: _Table, report: Report) -> Iterator[Fault]:
    files, hashes = images.text("file_name"), images.text("sha256")
    sizes = (images.numbers("width"), images.numbers("height"))
    for row in range(images.n_rows):
        report(row, images.n_rows, "checking images")
        size = (int(sizes[0][row]), int(sizes[1][row]))
        if problem := _image_problem(folder / str(files[row]), str(hashes[row]), size):
            yield Fault(file=str(files[row]), message=f"{problem} (images.parquet, row {row})")
    report(images.n_rows, images.n_rows, "checking images")


def _image_problem(path: Path, sha256: str, size: Sequence[int]) -> str | None:
    if problem := not_a_file(path):
        return problem
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        return f"has sha256 {found}, its row says {sha256}"
    try:
        with Image.open(path, formats=[FORMATS[path.suffix]]) as image:
            seen = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"is no {FORMATS[path.suffix]} image"
    return None if tuple(seen) == tuple(size) else f"is {seen[0]}×{seen[1]}, its row says {size[0]}×{size[1]}"


def quoted(value: object) -> str:
    """The value as it may stand in a message: short, and with nothing that moves a terminal."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _short(error: Exception) -> str:
    return re.sub(r"\s+", " ", str(error))[:200]
