"""Configs as JSON and back: frozen dataclasses, nested, of numbers, words, tuples and one another."""

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

T = TypeVar("T")


def to_json(config: Any) -> dict[str, Any]:
    """A dataclass as JSON gives it back: lists for tuples."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain


def from_json(kind: type[T], data: dict[str, Any]) -> T:
    """What `to_json` wrote; a field that may be of several dataclasses is told by its names.

    Raises:
        ValueError, TypeError, KeyError: for what `to_json` did not write, or values that are out of range.
    """
    hints = typing.get_type_hints(kind)
    unknown = sorted(data.keys() - hints.keys())
    if unknown:
        raise ValueError(f"there is no setting {unknown[0]!r}")
    return kind(**{name: _value(hints[name], value) for name, value in data.items()})


def _value(hint: Any, value: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        choices = typing.get_args(hint)
    else:
        choices = (hint,)
    if isinstance(value, dict):
        for choice in choices:
            if dataclasses.is_dataclass(choice) and _fits(value, choice, is_only=len(choices) == 1):
                assert isinstance(choice, type)
                return from_json(choice, value)
        if not any(typing.get_origin(choice) is dict for choice in choices):
            raise ValueError(f"{sorted(value)} are the settings of nothing that this can be")
    if isinstance(value, list) and any((typing.get_origin(c) or c) is tuple for c in choices):
        return tuple(_value(Any, item) for item in value)
    return value


def _fits(value: dict[str, Any], choice: Any, *, is_only: bool) -> bool:
    """Whether these are the settings of this dataclass; where it can be no other, newer ones have their defaults."""
    names = {field.name for field in dataclasses.fields(choice)}
    return value.keys() <= names if is_only else value.keys() == names
