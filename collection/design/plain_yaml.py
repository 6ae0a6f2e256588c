"""YAML as people mean it: names, lists, texts, numbers, `true` and `false`, and nothing else.

Of YAML 1.2's core schema, so that `no` is a text and not a boolean. Anchors, tags, second documents
and names that come twice are refused; every value's line is known. Read by PyYAML's safe loader,
event by event: what is refused is refused where it stands, before anything is built from it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

MAX_BYTES = 1_000_000
"""A study's texts in five languages, each as long as may be, take half of it."""
MAX_DEPTH = 8
MAX_VALUES = 20_000
"""Bounds the time: the parser takes a minute for a million of them."""
INTEGER = re.compile(r"[-+]?[0-9]+")
NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
"""YAML 1.2.2, section 10.3.2, without octal, hexadecimal, infinity and NaN."""
BOOLEANS = {
    word: value for value in (True, False) for word in (f"{value}".lower(), f"{value}", f"{value}".upper())
}
NULLS = ("", "~", "null", "Null", "NULL")

Place = tuple[str | int, ...]
"""Names and list positions on the way to a value."""


class YamlError(ValueError):
    """What is wrong with a file, and the line, counted from 1, and the field's name with dots, where they are known."""

    def __init__(self, message: str, line: int | None = None, field: str = "") -> None:
        super().__init__(message if line is None else f"line {line}: {message}")
        self.line, self.field = line, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    value: Any
    lines: dict[Place, int]
    """Of each value, the line of its name, counted from 1."""


def read_yaml(content: bytes) -> Document:
    """Read one document; raise YamlError that names the line."""
    if len(content) > MAX_BYTES:
        raise YamlError(f"is larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError("is not UTF-8; save it with that encoding", line) from error
    reader = _Reader(text)
    with _named_errors(text):
        return Document(value=reader.document(), lines=reader.lines)


def write_yaml(data: dict[str, Any]) -> str:
    """Write names with values so that `read_yaml` reads them alike: long texts as blocks, lists of plain values on one line."""
    text: str = yaml.dump(data, Dumper=_Writer, allow_unicode=True, sort_keys=False, width=100)
    return text


class _Reader:
    def __init__(self, text: str) -> None:
        self.lines: dict[Place, int] = {}
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)

    def document(self) -> Any:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise YamlError("is empty")
        value = self._value(next(self._events), ())
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise YamlError("a second document begins here; one is all that is read", _line(event))
        return value

    def _value(self, event: Any, place: Place) -> Any:
        line = _line(event)
        self.lines.setdefault(place, line)
        if len(self.lines) > MAX_VALUES:
            raise YamlError(f"there are more than {MAX_VALUES:,} values up to here", line)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise YamlError("anchors and aliases (& and *) are not read; write the value out", line)
        if event.tag is not None:
            raise YamlError(f"tags such as {event.tag[:60]!r} are not read; write a plain value", line)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, place)
        if len(place) >= MAX_DEPTH:
            raise YamlError("is nested too deep", line)
        return self._list(place) if isinstance(event, yaml.SequenceStartEvent) else self._names(place)

    def _list(self, place: Place) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*place, len(items))))
        return items

    def _names(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.anchor or event.tag:
                raise YamlError("a name must be a plain word", _line(event))
            name = event.value
            if name in found:
                first = self.lines[*place, name]
                raise YamlError(f"{name[:60]!r} is there twice, first in line {first}", _line(event))
            self.lines[*place, name] = _line(event)
            found[name] = self._value(next(self._events), (*place, name))
        return found


def _scalar(event: yaml.ScalarEvent, place: Place) -> str | int | float | bool:
    text: str = event.value
    if event.style is not None:  # quoted, or a block
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise YamlError("a text holds a NUL or half a character", _line(event))
        return text
    if text in NULLS:
        name = f"{place[-1]!r}" if place else "it"
        raise YamlError(f"{name} has no value; write '' for an empty text, or leave it out", _line(event))
    if text in BOOLEANS:
        return BOOLEANS[text]
    if len(text) > 400:  # no number; int() refuses more than 4,300 digits
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


@contextmanager
def _named_errors(text: str) -> Iterator[None]:
    """What the parser raises, as one line that says where."""
    try:
        yield
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(f"the character U+{ord(text[error.position]):04X} cannot stand here", line) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "is no YAML"
        if "'\\t'" in problem:
            problem = "a tab cannot indent; use spaces"
        raise YamlError(" ".join(problem.split())[:200], mark.line + 1 if mark else None) from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, YamlError):
            raise
        raise YamlError(f"an escape or a number is impossible ({error})") from error


class _Writer(yaml.SafeDumper):
    """Quotes whatever this module, or a reader of YAML 1.1, would not read as a text."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _write_text(writer: _Writer, text: str) -> yaml.Node:
    # Unusual line ends are kept in double quotes only. A block that keeps its last newlines would run into
    # what follows.
    style: str | None = None
    if re.search(r"[\x85\u2028\u2029]", text):
        style = '"'
    elif "\n" in text and not re.search(r"\A\n\Z|\n\n\Z", text):
        style = "|"
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _write_list(writer: _Writer, items: list[Any]) -> yaml.Node:
    on_one_line = not any(isinstance(item, dict) for item in items)
    return writer.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=on_one_line)


def _write_names(writer: _Writer, data: dict[str, Any]) -> yaml.Node:
    return writer.represent_mapping("tag:yaml.org,2002:map", data, flow_style=False)


_Writer.add_representer(str, _write_text)
_Writer.add_representer(list, _write_list)
_Writer.add_representer(dict, _write_names)
_Writer.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{NUMBER.pattern})$"), list("-+.0123456789")
)
