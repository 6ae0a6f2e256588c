"""The schema of /api/v1 as a page to read."""

import json
import re
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import get_text_list

from collection.api.v1.problems import PROBLEMS

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    name: str
    place: str
    """path, query or header."""
    kind: str
    """Its type and bounds, in words."""
    required: bool
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationPage:
    id: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    sent: str
    """An example body; empty where there is none."""
    status: str
    """Of the reply that means done."""
    got: str
    media: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    name: str
    operations: list[OperationPage]


def api_tags(document: Json) -> list[Tag]:
    """The operations by tag, as they stand in the schema."""
    tags: dict[str, list[OperationPage]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            tags.setdefault(operation["tags"][0], []).append(_page(path, method, operation))
    return [Tag(name=name, operations=operations) for name, operations in sorted(tags.items())]


def api_problems() -> list[tuple[int, str, str]]:
    """Status, code and title of everything that can go wrong."""
    return [(status, code, title) for status, (code, title) in PROBLEMS.items()]


def _page(path: str, method: str, operation: Json) -> OperationPage:
    status, reply = next(
        (status, reply) for status, reply in operation["responses"].items() if status < "300"
    )
    contents: Json = reply.get("content", {"": {}})
    media, content = next(iter(contents.items()))
    sent = operation.get("requestBody", {}).get("content", {})
    return OperationPage(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=_told(operation.get("description", "")),
        parameters=[_parameter(each) for each in operation.get("parameters", [])],
        sent=_sent(sent),
        status=status,
        got=_shown(content.get("example")) if media == "application/json" else "",
        media=media,
    )


def _sent(contents: Json) -> str:
    """The example of a JSON body; of a form one field a line, as curl takes it."""
    if form := contents.get("multipart/form-data"):
        fields = form["example"].items()
        lists = [
            (name, each) for name, value in fields for each in (value if isinstance(value, list) else [value])
        ]
        return "\n".join(f"-F {name}={each}" for name, each in lists)
    return _shown(contents.get("application/json", {}).get("example"))


def _parameter(each: Json) -> Parameter:
    return Parameter(
        name=each["name"],
        place=each["in"],
        kind=_kind(each["schema"]),
        required=each.get("required", False),
        description=_told(each.get("description", "")),
    )


def _kind(schema: Json) -> str:
    """`integer, 1 to 1000, 100 where left out`."""
    if "enum" in schema:
        words = get_text_list([str(value) for value in schema["enum"]], "or")
    else:
        words = {"date-time": "time, ISO 8601"}.get(schema.get("format", ""), str(schema.get("type", "")))
    if "minimum" in schema and "maximum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    if "default" in schema:
        words += f"; {schema['default']} where left out"
    return words


def _told(text: str) -> SafeString:
    """With `code` as code."""
    return mark_safe(re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)))


def _shown(example: Any) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
