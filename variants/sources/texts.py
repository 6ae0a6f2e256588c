"""Instructions and prompts from files: one a line, or a CSV with a column for them."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from variants.sources.manifest import Fault, ManifestError

MAX_LENGTH = 1000
"""Characters: text encoders read some hundred words at most, and cut off the rest in silence."""


@dataclass(frozen=True, kw_only=True)
class Text:
    text: str
    where: str
    """For messages: `prompts.txt, line 7`."""
    fields: dict[str, str] = field(default_factory=dict)
    """What else the CSV says of it."""


def read_texts(path: Path, column: str, optional: tuple[str, ...] = ()) -> tuple[list[Text], list[Fault]]:
    """Read the texts of a file, and say what in it cannot be used; the rest can.

    Args:
        path: With the ending .csv a file with a header; any other holds one text a line.
        column: Of the CSV, and what a text is called in messages.
        optional: Columns of the CSV that go into `fields`.

    Raises:
        ManifestError: the file cannot be read, or has no such column.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8; save it so" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ManifestError(f"{path.name}: {reason}") from error
    rows = _csv_rows(path, text, column, optional) if path.suffix.lower() == ".csv" else _lines(path, text)
    faults = [Fault(where=row.where, reason=fault) for row in rows if (fault := _fault(row.text, column))]
    return [row for row in rows if not _fault(row.text, column)], faults


def _lines(path: Path, text: str) -> list[Text]:
    return [
        Text(text=_one_line(line), where=f"{path.name}, line {n}")
        for n, line in enumerate(text.splitlines(), 1)
    ]


def _csv_rows(path: Path, text: str, column: str, optional: tuple[str, ...]) -> list[Text]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    rows = []
    try:
        names = [str(name).strip() for name in reader.fieldnames or []]
        if column not in names:
            there = ", ".join(names) or "nothing"
            raise ManifestError(f"{path.name}, line 1: the column {column} is missing; there is {there}")
        for row in reader:
            fields = {str(name).strip(): _one_line(str(value or "")) for name, value in row.items()}
            rows.append(
                Text(
                    text=fields[column],
                    where=f"{path.name}, line {reader.line_num}",
                    fields={name: fields.get(name, "") for name in optional},
                )
            )
    except csv.Error as error:
        raise ManifestError(f"{path.name}, line {reader.line_num + 1}: {error}") from error
    return rows


def _fault(text: str, column: str) -> str:
    if not text:
        return f"the {column} is empty"
    if len(text) > MAX_LENGTH:
        return f"the {column} has {len(text)} characters; at most {MAX_LENGTH} are taken"
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
