"""What goes over the wire, and what comes back."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import httpx

from tonalist_client.rows import Row


def json_of(response: httpx.Response) -> Row:
    if not response.content:
        return {}
    found: Row = response.json()
    return found


def parameters_of(parameters: Mapping[str, Any]) -> dict[str, Any] | None:
    """Times as ISO 8601; without those that are None. None at all for none: an address may have its own."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return {
        name: value.isoformat() if isinstance(value, dt.date) else value for name, value in given.items()
    } or None


def id_of(row: Row | str) -> str:
    return row if isinstance(row, str) else str(row["id"])
