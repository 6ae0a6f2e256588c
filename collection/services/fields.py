"""Checks for what browsers send: bounded, and unknown rather than wrong where nothing hangs on it."""

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[object], bool]

MAX_DROPPED = 20


class FieldError(ValueError):
    """A field that has to be right is not; the message names it and says what it must be."""


def json_kind(value: object) -> str:
    """What a JSON value is called by people who write no Python."""
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def whole(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number(low: float, high: float) -> Check:
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and low <= value <= high
    )


def text(max_length: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= max_length and value.isprintable()


def prose(max_length: int) -> Check:
    """Whatever people write and a database can hold: no zero byte, no half of a character."""
    return lambda value: (
        isinstance(value, str)
        and len(value) <= max_length
        and not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)
    )


def one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def flag(value: object) -> bool:
    return isinstance(value, bool)


def record_clean(data: object, checks: Mapping[str, Check], name: str) -> dict[str, Any]:
    """Keep the fields that pass their checks; the others' names stand under "dropped".

    A browser that reports nonsense about its window must not lose its answer for it.
    """
    if not isinstance(data, Mapping):
        raise FieldError(f"{name} is {json_kind(data)}; it must be an object with named fields")
    # repr: a name with a zero byte could not be stored.
    given = {
        key if key.isprintable() else repr(key): value
        for key, value in ((str(key)[:40], value) for key, value in data.items())
        if value is not None
    }
    kept = {key: value for key, value in given.items() if key in checks and checks[key](value)}
    dropped = sorted(given.keys() - kept.keys())[:MAX_DROPPED]
    return {**kept, "dropped": dropped} if dropped else kept
