"""Settings of a config that a command says otherwise: `--set name=value,other.name=value`."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from learning.training.settings import from_json, to_json

C = TypeVar("C")


def parse_switch(text: str) -> dict[str, str]:
    """`name=value,name=value` → names and values; ValueError for what is no such text."""
    switched = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise ValueError(
                f"--set {text}: {part!r} is not NAME=VALUE, such as gate=false or reader.layers=1"
            )
        switched[name.strip()] = value.strip()
    return switched


def with_settings(config: C, settings: Mapping[str, str]) -> C:
    """A config with some settings changed, by dotted names and texts; values are read as JSON, else as words.

    Raises:
        ValueError: a name is unknown, is a group of settings, or the value is not of its kind or out of range.
    """
    data = to_json(config)
    for name, text in settings.items():
        *groups, leaf = name.split(".")
        inside: Any = data
        for depth, group in enumerate(groups):
            inside = _inside(inside, group, ".".join(groups[:depth]), name)
            if not isinstance(inside, dict):
                raise ValueError(f"--set {name}: {'.'.join(groups[: depth + 1])} is one value, no group")
        before = _inside(inside, leaf, ".".join(groups), name)
        if isinstance(before, dict):
            raise ValueError(f"--set {name}: it is a group of settings: {_named(name, before)}")
        inside[leaf] = _value(name, text, before)
    try:
        return from_json(type(config), data)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"--set {', '.join(f'{n}={t}' for n, t in settings.items())}: {error}") from error


def _inside(group: Any, key: str, where: str, name: str) -> Any:
    if key not in group:
        raise ValueError(f"--set {name}: there is no setting {key!r}; there are: {_named(where, group)}")
    return group[key]


def _named(where: str, group: Mapping[str, Any]) -> str:
    return ", ".join(f"{where}.{key}" if where else key for key in group)


def _value(name: str, text: str, before: Any) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(before, str) and not isinstance(value, str):
        value = text
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word", list: "a list"}
    kind = next((kind for kind in kinds if isinstance(before, kind)), None)
    fits = (
        before is None
        or value is None
        or (kind is bool and isinstance(value, bool))
        or (kind is int and isinstance(value, int) and not isinstance(value, bool))
        or (kind is float and isinstance(value, int | float) and not isinstance(value, bool))
        or (kind in (str, list) and isinstance(value, kind))
    )
    if not fits:
        raise ValueError(f"--set {name}: {text!r} is not {kinds[kind] if kind else 'of its kind'}")
    return value
