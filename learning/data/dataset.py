"""A dataset folder as learners see it: scenes, images, raters, and who preferred what.

The folder is the seam between the site and the learners (collection.export.format);
nothing else is read. A million judgments are kept as four arrays, not as objects, and
images are decoded when they are asked for.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image as PillowImage

from collection.export import format as ppsd
from collection.export.folder import dataset_sha256
from learning.data.cache import BoundedCache

Pixels = npt.NDArray[np.float32]
"""(H, W, 3) sRGB in [0, 1]."""
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
class Judgment:
    """One main answer that is no tie: of two images of one scene, which the rater preferred."""

    rater_id: str
    scene_id: str
    preferred_image: str
    rejected_image: str


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


class PreferenceDataset:
    """The five tables of a dataset folder, checked, and its images on demand.

    Attributes:
        scenes, images, raters: by their ids, in the files' order.
        judgments: main answers (flipped checks and ties left out) as arrays.
        sha256: of the five tables; images count through their hashes in images.parquet.
    """

    def __init__(
        self,
        folder: Path,
        *,
        scenes: Mapping[str, Scene],
        images: Mapping[str, Image],
        raters: Mapping[str, Rater],
        judgments: JudgmentArrays,
        sha256: str,
        cache_bytes: int,
    ) -> None:
        self.folder = folder
        self.scenes = scenes
        self.images = images
        self.raters = raters
        self.judgments = judgments
        self.sha256 = sha256
        self.image_ids = list(images)
        self.scene_ids = list(scenes)
        self.rater_ids = list(raters)
        self._rater_index = {rater_id: index for index, rater_id in enumerate(raters)}
        self._neutral = {image.scene_id: image.id for image in images.values() if image.is_neutral}
        self._cache: BoundedCache[tuple[str, int], Pixels] = BoundedCache(cache_bytes)

    @classmethod
    def load(cls, folder: Path | str, *, cache_bytes: int = 512 * 2**20) -> Self:
        """Read and check a dataset folder.

        Args:
            folder: with the five Parquet tables and images/.
            cache_bytes: how much memory decoded images may take.

        Raises:
            DatasetError: a file or column is missing or broken, or a row names what is not there.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DatasetError(f"{folder} is not a folder; a dataset is the folder that an export makes")
        for name in ppsd.TABLES:
            _open(folder, name).close()
        scenes = _read_scenes(folder)
        images = _read_images(folder, scenes)
        raters = _read_raters(folder)
        return cls(
            folder,
            scenes=scenes,
            images=images,
            raters=raters,
            judgments=_read_judgments(folder, scenes, images, raters),
            sha256=dataset_sha256(folder),
            cache_bytes=cache_bytes,
        )

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def is_simulated(self) -> bool:
        """Whether any rater is simulated: then every number made from it is marked so."""
        return any(rater.is_simulated for rater in self.raters.values())

    def judgments_of(self, rater_id: str) -> list[Judgment]:
        """A rater's main answers in the order in which they were given, flipped checks and ties left out."""
        rows = self.judgments.rows_of(self._rater_index[rater_id])
        return [
            Judgment(
                rater_id=rater_id,
                scene_id=self.scene_ids[scene],
                preferred_image=self.image_ids[preferred],
                rejected_image=self.image_ids[rejected],
            )
            for scene, preferred, rejected in zip(
                self.judgments.scene[rows].tolist(),
                self.judgments.preferred[rows].tolist(),
                self.judgments.rejected[rows].tolist(),
                strict=True,
            )
        ]

    def training_raters(self) -> list[str]:
        """Valid raters of the split `train`; all valid ones where raters are not split at all."""
        return self._raters_for("train")

    def validation_raters(self) -> list[str]:
        """Valid raters of the split `validation`: nothing of theirs is trained on."""
        return [r.id for r in self.raters.values() if r.valid and r.split == "validation"]

    def training_scenes(self) -> list[str]:
        """All scenes but those held out."""
        return [s.id for s in self.scenes.values() if s.split != "validation"]

    def validation_scenes(self) -> list[str]:
        """Scenes held out of all training; none where a dataset has no such split."""
        return [s.id for s in self.scenes.values() if s.split == "validation"]

    def neutral_image_of(self, scene_id: str) -> str | None:
        """The image that was rendered without any step, where the dataset has it."""
        return self._neutral.get(scene_id)

    def image(self, image_id: str, long_side: int) -> Pixels:
        """An image whose longer side is at most `long_side` pixels; never scaled up.

        The array is kept for the next time, so it is read-only: copy it before writing.

        Raises:
            DatasetError: the file is missing, is not an image, or is not the one exported.
        """
        key = (image_id, long_side)
        pixels = self._cache.get(key)
        if pixels is None:
            opened = self.opened(image_id)
            if max(opened.size) > long_side:
                opened = _scaled(opened, long_side / max(opened.size))
            pixels = np.asarray(opened, np.float32) / np.float32(255)
            pixels.setflags(write=False)
            self._cache.put(key, pixels, pixels.nbytes)
        return pixels

    def opened(self, image_id: str, *, short_side: int | None = None) -> PillowImage.Image:
        """An image decoded to 8-bit RGB, not kept; its shorter side is at most `short_side` pixels.

        Raises:
            DatasetError: the file is missing, is not an image, or is not the one exported.
        """
        image = self.images[image_id]
        path = self.folder / image.file_name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(content).hexdigest() != image.sha256:
            raise DatasetError(
                f"{path} is not the file that was exported (its sha256 differs from images.parquet); "
                "copy the dataset again"
            )
        opened = _decoded(content, path)
        if short_side is not None and min(opened.size) > short_side:
            opened = _scaled(opened, short_side / min(opened.size))
        return opened

    def _raters_for(self, split: str) -> list[str]:
        is_split = any(rater.split != "none" for rater in self.raters.values())
        wanted = split if is_split else "none"
        return [r.id for r in self.raters.values() if r.valid and r.split == wanted]


def _decoded(content: bytes, path: Path) -> PillowImage.Image:
    try:
        with PillowImage.open(io.BytesIO(content)) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DatasetError(f"{path} is not an image that can be decoded: {error}") from error


def _scaled(image: PillowImage.Image, scale: float) -> PillowImage.Image:
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, PillowImage.Resampling.LANCZOS, reducing_gap=3.0)


def _read_scenes(folder: Path) -> dict[str, Scene]:
    rows = _rows(folder, "scenes", ["scene_id", "category", "split"])
    _check_splits(folder, "scenes", rows)
    return _by_id(
        folder,
        "scenes",
        [Scene(id=row["scene_id"], category=row["category"] or "", split=row["split"]) for row in rows],
    )


def _read_images(folder: Path, scenes: Mapping[str, Scene]) -> dict[str, Image]:
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


def _read_raters(folder: Path) -> dict[str, Rater]:
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


def _read_judgments(
    folder: Path, scenes: Mapping[str, Scene], images: Mapping[str, Image], raters: Mapping[str, Rater]
) -> JudgmentArrays:
    """Batch by batch: only the arrays are ever whole in memory."""
    file = _open(folder, "judgments")
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


def _open(folder: Path, table: str) -> pq.ParquetFile:
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
    file = _open(folder, table)
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
        others = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
        raise DatasetError(f"{folder / missing[0]}{others} is missing; images.parquet names it")


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
