"""Writes a dataset folder: beside its target, renamed when it is whole.

Pure: pyarrow and files only. The site exports through it, and simulated datasets
are made by it without a database.

    write_folder(
        Path("my-study"),
        tables={"scenes": scene_rows, "images": …, "pairs": …, "raters": …, "judgments": …},
        images=[("images/4f0c….webp", content), …],
        documents={"protocol.json": text},
    )

Rows are dicts with the columns of `collection.export.format.TABLES`; any iterable
will do, and none is held as a whole. README.md, DATASHEET.md and croissant.json are made
from what was written unless `documents` has them; MANIFEST.sha256 is written last.
"""

import hashlib
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from collection.export.card import dataset_card
from collection.export.croissant import croissant_metadata
from collection.export.datasheet import datasheet
from collection.export.facts import Facts, facts_of
from collection.export.format import DOCUMENTS, ROW_GROUP, TABLES
from collection.export.manifest import manifest_write
from collection.export.partial import partial_beside
from variants.progress import Report, silent

Row = Mapping[str, Any]

BATCH = 5_000
"""Rows that stand in memory as dicts at a time; as Arrow columns they take a tenth of that."""


def write_folder(
    target: Path,
    tables: Mapping[str, Iterable[Row]],
    images: Iterable[tuple[str, bytes | Path]],
    documents: Mapping[str, str],
    report: Report = silent,
) -> None:
    """Write a whole dataset folder, or nothing.

    Args:
        target: the folder; it must not be there yet.
        tables: rows of each of the five tables.
        images: (file_name as in the images table, its content or where to copy it from).
        documents: file name → text; the others are made when absent.
        report: told of each table and each image.

    Raises:
        FileExistsError: the target is already there.
        ValueError: rows or images do not fit the format; the message names them.
    """
    with folder_writing(target) as folder:
        for done, name in enumerate(TABLES):
            report(done, len(TABLES), "writing tables")
            folder.write_table(name, tables[name])
        report(len(TABLES), len(TABLES), "writing tables")
        for done, (file_name, content) in enumerate(images, start=1):
            folder.write_image(file_name, content)
            report(done, max(done, folder.rows["images"]), "writing images")
        for name, text in documents.items():
            folder.write_document(name, text)


@contextmanager
def folder_writing(target: Path) -> Iterator["FolderWriter"]:
    """A dataset folder to write into; it gets its name at the end of the block, or goes away on any error."""
    with written_beside(target) as partial:
        writer = FolderWriter(partial)
        yield writer
        writer.finish()


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """An empty folder beside the target, which gets its name at the end of the block or goes away on any error."""
    target = Path(target)
    if target.exists() or target.is_symlink():
        raise FileExistsError(f"{target} is already there; a dataset folder is never overwritten")
    with partial_beside(target) as partial:
        yield partial
        if target.exists():  # since the first look; rename would replace an empty folder
            raise FileExistsError(f"{target} is already there; a dataset folder is never overwritten")
        partial.rename(target)


class FolderWriter:
    """One dataset folder under way; `rows` counts what each table holds so far."""

    facts: Facts
    """Once it is finished."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = dict.fromkeys(TABLES, 0)
        self._sha256_of_image: dict[str, str] = {}
        (folder / "images").mkdir()

    def write_table(self, name: str, rows: Iterable[Row]) -> int:
        """Write one table, at most one row group of it in memory; return the number of rows."""
        schema = TABLES[name]
        with pq.ParquetWriter(self.folder / f"{name}.parquet", schema, compression="zstd") as writer:
            for group in _row_groups(_batches(name, rows)):
                writer.write_table(group, row_group_size=ROW_GROUP)
                self.rows[name] += group.num_rows
        return self.rows[name]

    def write_image(self, file_name: str, content: bytes | Path) -> None:
        path = self._image_path(file_name)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
            content = path.read_bytes()
        else:
            path.write_bytes(content)
        self._sha256_of_image[file_name] = hashlib.sha256(content).hexdigest()

    def write_document(self, name: str, text: str) -> None:
        if name not in DOCUMENTS:
            raise ValueError(f"{name!r} is not a document of a dataset folder ({', '.join(DOCUMENTS)})")
        (self.folder / name).write_text(text, encoding="utf-8", newline="\n")

    def finish(self) -> None:
        """See that the folder is whole, write the documents that nobody gave, then the manifest."""
        for name in TABLES:
            if not (self.folder / f"{name}.parquet").exists():
                raise ValueError(f"the table {name!r} was not written")
        self._compare_images()
        self._write_missing_documents()
        manifest_write(self.folder, self._sha256_of_image)

    def _image_path(self, file_name: str) -> Path:
        path = Path(file_name)
        if path.is_absolute() or path.parts[:1] != ("images",) or len(path.parts) != 2:
            raise ValueError(f"an image's file_name is images/<image_id>.<ext>, not {file_name!r}")
        if file_name in self._sha256_of_image:
            raise ValueError(f"{file_name} comes twice")
        return self.folder / path

    def _compare_images(self) -> None:
        """The images written are exactly those of the table, with the same bytes."""
        table = pq.read_table(self.folder / "images.parquet", columns=["file_name", "sha256"])
        listed = dict(zip(*(column.to_pylist() for column in table.columns), strict=True))
        for file_name in listed.keys() ^ self._sha256_of_image.keys():
            where = "images table" if file_name in listed else "files"
            raise ValueError(f"{file_name} is only among the {where}")
        for file_name, sha256 in self._sha256_of_image.items():
            if listed[file_name] != sha256:
                raise ValueError(f"{file_name} has sha256 {sha256}, its row says {listed[file_name]}")

    def _write_missing_documents(self) -> None:
        if not (self.folder / "protocol.json").exists():
            self.write_document("protocol.json", "{}\n")
        study = json.loads((self.folder / "protocol.json").read_text(encoding="utf-8"))
        self.facts = facts = facts_of(self.folder)
        if not (self.folder / "README.md").exists():
            self.write_document("README.md", dataset_card(facts, study))
        if not (self.folder / "DATASHEET.md").exists():
            self.write_document("DATASHEET.md", datasheet(facts, study))
        if not (self.folder / "croissant.json").exists():
            metadata = croissant_metadata(self.folder, facts, study)
            self.write_document("croissant.json", json.dumps(metadata, indent=2, ensure_ascii=False) + "\n")


def dataset_sha256(folder: Path) -> str:
    """One hash for a dataset: of its five tables, which hold the hash of every image.

    The documents are left out: a better-worded README is not another dataset.
    """
    total = hashlib.sha256()
    for name in TABLES:
        with (Path(folder) / f"{name}.parquet").open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _batches(name: str, rows: Iterable[Row]) -> Iterator[pa.RecordBatch]:
    """Rows as Arrow columns, BATCH at a time."""
    schema, remaining, first = TABLES[name], iter(rows), 0
    while batch := list(itertools.islice(remaining, BATCH)):
        if unknown := set(batch[0]) - set(schema.names):
            raise ValueError(f"{name} has no column {sorted(unknown)}")
        try:
            yield pa.RecordBatch.from_pylist(batch, schema=schema)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise ValueError(f"{name}, rows {first} to {first + len(batch) - 1}: {error}") from error
        first += len(batch)


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of ROW_GROUP rows each, the last one shorter."""
    while group := list(itertools.islice(batches, ROW_GROUP // BATCH)):
        yield _without_forbidden_nulls(pa.Table.from_batches(group))


def _without_forbidden_nulls(table: pa.Table) -> pa.Table:
    for column in table.schema:
        if not column.nullable and table[column.name].null_count:
            raise ValueError(f"{column.name} has {table[column.name].null_count} rows without a value")
    return table
