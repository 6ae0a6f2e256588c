"""The tables of a dataset folder, read and checked; a million judgments become four arrays, not objects."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from collection.export import format as ppsd

Indices = npt.NDArray[np.int32]

BATCH_ROWS = 100_000
NO_ROWS: Indices = np.empty(0, np.int32)
HasId = TypeVar("HasId", "Scene", "Image", "Rater")


class DatasetError(Exception):
    """The dataset folder cannot be used; the message names the file, the row or the field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    id: str
    category: str
    split: str
    """train, validation or none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    id: str
    scene_id: str
    file_name: str
    is_neutral: bool
    """Rendered without any step: the scene as it was taken."""
    width: int
    height: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rater:
    id: str
    valid: bool
    """Passed the study's filters; the others are never trained or judged on."""
    split: str
    is_simulated: bool
    simulation: str | None
    """JSON text: the taste of a simulated rater."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgmentArrays:
    """Main answers, ties left out, by rater and, within a rater, in the order in which they were given.

    All arrays hold positions in the dataset's `raters`, `images` and `scenes`.
    """

    rater: Indices
    preferred: Indices
    rejected: Indices
    scene: Indices
    starts: npt.NDArray[np.int64]
    """Rater r's judgments are starts[r] to starts[r + 1]."""
    n_ties: int
    """Main answers that say "no difference": they prefer nothing, and are not in the arrays."""

    def __len__(self) -> int:
        return len(self.rater)

    def rows_of(self, rater: int) -> slice:
        return slice(int(self.starts[rater]), int(self.starts[rater + 1]))


def read_scenes(folder: Path) -> dict[str, Scene]:
    rows = _rows(folder, "scenes", ["scene_id", "category", "split"])
    _check_splits(folder, "scenes", rows)
    return _by_id(
        folder,
        "scenes",
        [Scene(id=row["scene_id"], category=row["category"] or "", split=row["split"]) for row in rows],
    )


def read_images(folder: Path, scenes: Mapping[str, Scene]) -> dict[str, Image]:
    rows = _rows(
        folder, "images", ["image_id", "scene_id", "file_name", "recipe", "width", "height", "sha256"]
    )
    for number, row in enumerate(rows):
        if row["scene_id"] not in scenes:
            raise _bad_row(folder, "images", number, "scene_id", row["scene_id"], "is not in scenes.parquet")
    images = [
        Image(
            id=row["image_id"],
            scene_id=row["scene_id"],
            file_name=_inside(folder, number, row["file_name"]),
            is_neutral=_is_neutral(folder, number, row["recipe"]),
            width=row["width"],
            height=row["height"],
            sha256=row["sha256"],
        )
        for number, row in enumerate(rows)
    ]
    _check_files(folder, images)
    return _by_id(folder, "images", images)


def read_raters(folder: Path) -> dict[str, Rater]:
    rows = _rows(folder, "raters", ["rater_id", "valid", "split", "simulated", "simulation"])
    _check_splits(folder, "raters", rows)
    return _by_id(
        folder,
        "raters",
        [
            Rater(
                id=row["rater_id"],
                valid=row["valid"],
                split=row["split"],
                is_simulated=row["simulated"],
                simulation=row["simulation"],
            )
            for row in rows
        ],
    )


def read_judgments(
    folder: Path, scenes: Mapping[str, Scene], images: Mapping[str, Image], raters: Mapping[str, Rater]
) -> JudgmentArrays:
    """Batch by batch: only the arrays are ever whole in memory."""
    file = open_table(folder, "judgments")
    keys = {
        "rater_id": pa.array(raters),
        "preferred_image": pa.array(images),
        "rejected_image": pa.array(images),
    }
    columns = [*keys, "chosen_side", "is_check", "question_index"]
    parts: dict[str, list[Indices]] = {name: [] for name in (*keys, "question_index")}
    first_row = n_ties = 0
    for batch in _batches(file, folder, "judgments", columns):
        is_main = ~np.asarray(batch.column("is_check").to_numpy(zero_copy_only=False), bool)
        is_tie = np.asarray(
            pc.equal(batch.column("chosen_side"), ppsd.TIE).to_numpy(zero_copy_only=False), bool
        )
        rows = np.flatnonzero(is_main & ~is_tie)
        for name, ids in keys.items():
            parts[name].append(_positions(batch.column(name), ids, folder, name, first_row, rows))
        order = batch.column("question_index").to_numpy(zero_copy_only=False).astype(np.int32)
        parts["question_index"].append(order[rows])
        first_row += batch.num_rows
        n_ties += int(np.count_nonzero(is_main & is_tie))
    return _ordered(
        folder,
        {name: np.concatenate(found) if found else NO_ROWS for name, found in parts.items()},
        scene_of_image=_scene_of_image(scenes, images),
        n_raters=len(raters),
        n_ties=n_ties,
    )


def _ordered(
    folder: Path, columns: Mapping[str, Indices], *, scene_of_image: Indices, n_raters: int, n_ties: int
) -> JudgmentArrays:
    order = np.lexsort((columns["question_index"], columns["rater_id"]))
    rater = columns["rater_id"][order]
    preferred, rejected = columns["preferred_image"][order], columns["rejected_image"][order]
    crossed = np.flatnonzero(scene_of_image[preferred] != scene_of_image[rejected])
    if crossed.size:
        raise DatasetError(
            f"{folder / 'judgments.parquet'}: {crossed.size} judgments compare images of two different scenes"
        )
    return JudgmentArrays(
        rater=rater,
        preferred=preferred,
        rejected=rejected,
        scene=scene_of_image[preferred],
        starts=np.searchsorted(rater, np.arange(n_raters + 1)),
        n_ties=n_ties,
    )


def _positions(
    column: pa.Array, ids: pa.Array, folder: Path, name: str, first_row: int, rows: npt.NDArray[np.int64]
) -> Indices:
    """Where the column's values in these rows stand among `ids`."""
    found = pc.index_in(column.take(pa.array(rows)), value_set=ids)
    if found.null_count:
        row = int(rows[np.flatnonzero(pc.is_null(found).to_numpy(zero_copy_only=False))[0]])
        table = "raters" if name == "rater_id" else "images"
        value = column[row].as_py()
        raise _bad_row(folder, "judgments", first_row + row, name, value, f"is not in {table}.parquet")
    return np.asarray(found.to_numpy(zero_copy_only=False), np.int32)


def _scene_of_image(scenes: Mapping[str, Scene], images: Mapping[str, Image]) -> Indices:
    position = {scene_id: index for index, scene_id in enumerate(scenes)}
    return np.array([position[image.scene_id] for image in images.values()], np.int32)


def open_table(folder: Path, table: str) -> pq.ParquetFile:
    path = folder / f"{table}.parquet"
    if not path.is_file():
        raise DatasetError(
            f"{path} is missing; a dataset has {', '.join(f'{t}.parquet' for t in ppsd.TABLES)}"
        )
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} is not a Parquet file that can be read: {error}") from error


def _batches(
    file: pq.ParquetFile, folder: Path, table: str, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Record batches of the columns, cast to the format's types; errors name the file and the column."""
    path = folder / f"{table}.parquet"
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise DatasetError(f"{path} has no column {', '.join(missing)}")
    schema = pa.schema([ppsd.TABLES[table].field(name) for name in columns])
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
            yield batch.select(list(columns)).cast(schema)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def _rows(folder: Path, table: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    file = open_table(folder, table)
    return [row for batch in _batches(file, folder, table, columns) for row in batch.to_pylist()]


def _by_id(folder: Path, table: str, rows: Sequence[HasId]) -> dict[str, HasId]:
    found = {row.id: row for row in rows}
    if len(found) < len(rows):
        raise DatasetError(f"{folder / f'{table}.parquet'} has {len(rows) - len(found)} ids that stand twice")
    if not found:
        raise DatasetError(f"{folder / f'{table}.parquet'} has no rows; there is nothing to learn from")
    return found


def _check_splits(folder: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for number, row in enumerate(rows):
        if row["split"] not in ppsd.SPLITS:
            raise _bad_row(
                folder, table, number, "split", row["split"], f"must be one of {', '.join(ppsd.SPLITS)}"
            )


def _check_files(folder: Path, images: Sequence[Image]) -> None:
    missing = [image.file_name for image in images if not (folder / image.file_name).is_file()]
    if missing:
        are = f"and {len(missing) - 1} more images are" if len(missing) > 1 else "is"
        raise DatasetError(
            f"{folder / missing[0]} {are} missing, and images.parquet names them; copy the dataset's folder again, "
            "with its images, or export it again"
        )


def _inside(folder: Path, number: int, file_name: str) -> str:
    """A path that leaves the folder could read any file of the machine."""
    path = Path(file_name)
    if path.is_absolute() or ".." in path.parts:
        raise _bad_row(folder, "images", number, "file_name", file_name, "must stay inside the folder")
    return file_name


def _is_neutral(folder: Path, number: int, recipe: str) -> bool:
    try:
        data = json.loads(recipe)
    except ValueError as error:
        raise _bad_row(folder, "images", number, "recipe", recipe, "is not JSON") from error
    return bool(data == {"steps": []})


def _bad_row(folder: Path, table: str, row: int, column: str, value: object, why: str) -> DatasetError:
    return DatasetError(f"{folder / f'{table}.parquet'}, row {row + 1}: {column} {value!r} {why}")
