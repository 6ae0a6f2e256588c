"""Tables of choices from elsewhere: CSVs as pwcmp and Pick-a-Pic have them, and a plain one of our own.

Each row is one answer to "a, or b?" between two named items; images need not be there. Which kind of table
it is shows in its columns, whatever their order and whatever other columns there are.

    rater,a,b,choice[,scene]                                             choice is a, b or tie
    observer,scene,condition_A,condition_B,is_A_selected                 pwcmp; 1 or 0
    observer,scene,dist_type1,dist_level1,dist_type2,dist_level2,selected  pwcmp, light fields; 1 or 2
    user_id,caption,image_0_uid,image_1_uid,label_0,label_1[,has_label]  Pick-a-Pic; 1 and 0, or 0.5 twice for a tie

Of Pick-a-Pic, a row has no answer where `has_label` is false, or where it is empty or absent and both labels are empty.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from collection.design.choices import Choices

MOST_FAULTS = 10
MOST_ROWS = 20_000_000
LONGEST = 500
"""Characters of a name; a caption of Pick-a-Pic may be longer and is cut."""

Row = Mapping[str, str]


class Reader(Protocol):
    """As `csv.reader` gives it."""

    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


Answer = tuple[str, str, str, str, str]
"""Rater, item a, item b, choice, scene."""


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    columns: tuple[str, ...]
    answer: Callable[[Row], Answer]
    """ValueError for a wrong one."""
    is_without: Callable[[Row], bool] = lambda row: False
    """Whether a row says that it holds no answer."""
    hint: str = ""
    """How it says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceTable:
    choices: Choices
    kind: str
    without_answer: int
    """Rows that say so themselves; they are left out."""


class ChoiceTableError(ValueError):
    """The table cannot be taken; the message names the first ten rows and what is wrong with each."""


def read_choices(lines: Iterable[str]) -> ChoiceTable:
    """The answers of a CSV; of all of its rows, or none.

    Args:
        lines: of the file, the columns' names first; a byte order mark is passed over.

    Raises:
        ChoiceTableError: unknown columns, a wrong value, or no answer at all.
    """
    numbered = enumerate(lines, start=1)
    reader = csv.reader((_clean(number, line) for number, line in numbered), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        kind = _kind(columns)
        answers, without = _answers(kind, columns, reader)
    except csv.Error as error:
        raise ChoiceTableError(f"line {reader.line_num} is not CSV: {error}") from error
    if not answers:
        raise ChoiceTableError("there is no answer in it")
    rater, a, b, choice, scene = zip(*answers, strict=True)
    return ChoiceTable(
        choices=Choices.from_labels(rater, a, b, choice, scene), kind=kind.name, without_answer=without
    )


def _clean(number: int, line: str) -> str:
    if "\0" in line:
        raise ChoiceTableError(f"line {number} holds a NUL byte; this is not a text file")
    return line.removeprefix("\ufeff") if number == 1 else line


def _kind(columns: list[str]) -> _Kind:
    if len(set(columns)) < len(columns):
        raise ChoiceTableError(f"a column comes twice: {', '.join(columns)}")
    for kind in KINDS:
        if set(kind.columns) <= set(columns):
            return kind
    known = "; ".join(f"{kind.name}: {', '.join(kind.columns)}" for kind in KINDS)
    raise ChoiceTableError(
        f"its columns ({', '.join(columns) or 'none'}) are of no known table. Known are {known}"
    )


def _answers(kind: _Kind, columns: list[str], reader: Reader) -> tuple[list[Answer], int]:
    answers: list[Answer] = []
    faults: list[str] = []
    without = 0
    last = reader.line_num
    for cells in reader:
        n, last = last + 1, reader.line_num  # a row may have several lines
        if not cells:
            continue  # an empty line
        try:
            answer = _answer(kind, columns, cells)
        except ValueError as error:
            faults.append(f"line {n}: {error}")
            if len(faults) == MOST_FAULTS:
                break
            continue
        if answer is None:
            without += 1
        else:
            answers.append(answer)
        if len(answers) > MOST_ROWS:
            raise ChoiceTableError(f"it has more than {MOST_ROWS:,} rows")
    if faults:
        raise ChoiceTableError("\n  ".join(["some rows are wrong; nothing is computed", *faults]))
    return answers, without


def _answer(kind: _Kind, columns: list[str], cells: list[str]) -> Answer | None:
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} cells, and there are {len(columns)} columns")
    row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
    if kind.is_without(row):
        return None
    if empty := next((name for name in kind.columns if not row[name]), None):
        raise ValueError(f"{empty} is empty{kind.hint}")
    answer = kind.answer(row)
    if answer[1] == answer[2]:
        raise ValueError(f"compares {answer[1][:60]!r} with itself")
    return answer


def _plain(row: Row) -> Answer:
    choice = _one_of(row, "choice", {"a": "a", "b": "b", "tie": "tie"})
    return _name(row, "rater"), _name(row, "a"), _name(row, "b"), choice, row.get("scene", "")[:LONGEST]


def _pwcmp(row: Row) -> Answer:
    choice = _one_of(row, "is_A_selected", {"1": "a", "0": "b"})
    return (
        _name(row, "observer"), _name(row, "condition_A"), _name(row, "condition_B"), choice, _name(row, "scene")
    )  # fmt: skip


def _pwcmp_levels(row: Row) -> Answer:
    choice = _one_of(row, "selected", {"1": "a", "2": "b"})
    a, b = (f"{_name(row, f'dist_type{k}')}_{_name(row, f'dist_level{k}')}" for k in (1, 2))
    return _name(row, "observer"), a, b, choice, _name(row, "scene")


def _has_no_label(row: Row) -> bool:
    has_label = row.get("has_label", "").lower()
    return has_label in ("false", "0") or not (has_label or row["label_0"] or row["label_1"])


def _pick_a_pic(row: Row) -> Answer:
    labels = tuple(_number(row, name) for name in ("label_0", "label_1"))
    choices = {(1.0, 0.0): "a", (0.0, 1.0): "b", (0.5, 0.5): "tie"}
    if labels not in choices:
        raise ValueError(
            f"label_0 and label_1 are {labels[0]:g} and {labels[1]:g}; they must be 1 and 0, or 0.5 twice"
        )
    a, b = _name(row, "image_0_uid"), _name(row, "image_1_uid")
    return _name(row, "user_id"), a, b, choices[labels], row["caption"][:LONGEST]


def _name(row: Row, column: str) -> str:
    if len(row[column]) > LONGEST:
        raise ValueError(f"{column} is longer than {LONGEST} characters")
    return row[column]


def _one_of(row: Row, column: str, choices: Mapping[str, str]) -> str:
    if row[column] not in choices:
        raise ValueError(f"{column} is {row[column][:60]!r}; it must be {' or '.join(choices)}")
    return choices[row[column]]


def _number(row: Row, column: str) -> float:
    try:
        return float(row[column])
    except ValueError:
        raise ValueError(f"{column} is {row[column][:60]!r}; it must be a number") from None


KINDS = (
    _Kind("plain", ("rater", "a", "b", "choice"), _plain),
    _Kind("pwcmp", ("observer", "scene", "condition_A", "condition_B", "is_A_selected"), _pwcmp),
    _Kind(
        "pwcmp with levels",
        ("observer", "scene", "dist_type1", "dist_level1", "dist_type2", "dist_level2", "selected"),
        _pwcmp_levels,
    ),
    _Kind(
        "Pick-a-Pic",
        ("user_id", "caption", "image_0_uid", "image_1_uid", "label_0", "label_1"),
        _pick_a_pic,
        _has_no_label,
        "; a row without an answer has no label at all, or has_label says false",
    ),
)
