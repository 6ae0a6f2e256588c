"""The OpenAPI description of /api/v1, made from what the operations say of themselves."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from django.utils.text import capfirst
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from collection.api.v1.bodies import Strict
from collection.api.v1.examples import example_of
from collection.api.v1.problems import MEDIA_TYPE, PROBLEMS

Json = dict[str, Any]

PATH_PARAMETERS = {
    "slug": OpenApiParameter(
        "slug",
        {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"},
        "path",
        description="The study's short name.",
    ),
    "public_id": OpenApiParameter(
        "public_id", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,32}$"}, "path", description="Its ID."
    ),
    "index": OpenApiParameter("index", {"type": "integer", "minimum": 0}, "path", description="The photo's."),
    "picture": OpenApiParameter(
        "picture",
        {"type": "string", "enum": ["before", "after", "result"]},
        "path",
        description="Small as it was, small as it became, or the photo in full size.",
    ),
}
NAMED_FILE = OpenApiParameter(
    "name", {"type": "string"}, "path", description="The file's path inside the folder."
)
AN_OBJECT: Json = {"type": "object", "additionalProperties": {}}
MEDIA_SCHEMAS = {"application/json": AN_OBJECT, "application/yaml": AN_OBJECT}
"""Of replies that no serializer writes; others are texts or bytes."""
ALWAYS = (400, 401, 403, 406, 422, 429, 500)
"""Every operation may be answered with one of these."""
CHANGES = (409, 413, 415)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": "^[!-~]+$",
        "examples": ["0d1f5c1e-5b8a-4f0e-9a39-6f9f6c2b7d11"],
    },
    "header",
    description="Chosen by you, new for each new request: sent again with the same key within 24 hours, "
    "the request gets the first reply and nothing is done twice.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "maxLength": 200},
    "header",
    description="The ETag that you read: when somebody has changed it since, you get 412 and nothing is stored.",
)
RANGES = [
    OpenApiParameter(
        "Range",
        {"type": "string"},
        "header",
        description="One part of it, such as bytes=1000- or bytes=0-499.",
    ),
    OpenApiParameter(
        "If-Range",
        {"type": "string"},
        "header",
        description="The ETag of the part that you have: with another file you get all of it, and 200.",
    ),
    OpenApiParameter(
        "If-None-Match", {"type": "string"}, "header", description="An ETag: 304 while the file has it."
    ),
]
PROBLEM = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Where this kind is described."},
        "title": {"type": "string", "description": "The kind, in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong with this request, and what mends it."},
        "instance": {"type": "string", "format": "uri-reference", "description": "The address asked."},
        "code": {"type": "string", "enum": sorted(code for code, _ in PROBLEMS.values())},
        "errors": {
            "type": "array",
            "description": "Each wrong field or parameter, of `invalid` alone.",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
        "retry_after": {"type": "integer", "description": "Seconds to wait, of `throttled` alone."},
    },
}


class EndpointSchema(AutoSchema):
    """Reads the `@operation` of an action."""

    view: Any

    @property
    def operation(self) -> Any:
        return self.view.operation

    def get_operation_id(self) -> str:
        return f"{self.view.resource}_{self.view.action}"

    def get_tags(self) -> list[str]:
        return [self.view.tag]

    def get_summary(self) -> str:
        return str(self.operation.summary)

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular overrides it
        return inspect.cleandoc(getattr(self.view, self.view.action).__doc__ or "")

    def get_override_parameters(self) -> list[Any]:
        names = re.findall(r"{(\w+)}", self.path)
        query = self.operation.query
        return [
            *([IF_MATCH] if self.operation.matches else []),
            *([IDEMPOTENCY_KEY] if self.method == "POST" and not self.operation.secret else []),
            *(PATH_PARAMETERS.get(name, NAMED_FILE) for name in names),
            *([query] if query().fields else []),
            *(RANGES if self.operation.ranges else []),
        ]

    def get_request_serializer(self) -> Any:
        """A body that is a file of its own kind is a text."""
        return {
            parser.media_type: self.operation.body
            if parser.media_type in ("application/json", "multipart/form-data")
            else {"type": "string"}
            for parser in self.operation.parsers
            if self.operation.body
        }

    def get_response_serializers(self) -> Any:
        found = self.operation
        if found.media:
            schema = MEDIA_SCHEMAS.get(found.media, {"type": "string"})
            parts = {(206, found.media): schema, 304: None} if found.ranges else {}
            return {(found.status, found.media): schema, **parts}
        if found.reply is None:
            return {204: None}
        return {found.status: found.reply(many=True) if found.pages else found.reply}

    def _is_list_view(self, serializer: Any = None) -> bool:
        return bool(self.operation.pages)

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"PageOf{serializer_name}"

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Json:
        schema: Json = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, Strict):
            schema["additionalProperties"] = False
            if serializer.example:
                schema["example"] = serializer.example
        return schema


class UploadedFileSchema(OpenApiSerializerFieldExtension):
    target_class = "collection.api.v1.bodies.UploadedFileField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        return {"type": "string", "format": "binary"}


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "collection.api.v1.identity.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> Json:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token made under Account, API tokens: `Authorization: Bearer ton_…`.",
        }


def completed(result: Json, generator: Any, request: Any, public: bool) -> Json:
    """What all operations share: problem details, idempotency keys, an example of each body."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    components["responses"] = {
        f"{capfirst(code)}": {
            "description": title,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _problem_example(status, code, title),
                }
            },
        }
        for status, (code, title) in PROBLEMS.items()
    }
    for path, method, operation in list(_operations(result)):
        if "206" in operation["responses"]:
            operation["responses"]["416"] = {"$ref": f"#/components/responses/{capfirst(PROBLEMS[416][0])}"}
        for status in _problems_of(path, method):
            code, _ = PROBLEMS[status]
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/{capfirst(code)}"}
        for content in _contents(operation):
            if "example" not in content and "examples" not in content:
                content["example"] = example_of(content["schema"], components["schemas"])
        if "206" in operation["responses"]:
            result["paths"][path]["head"] = _head(operation)
    return result


def _head(operation: Json) -> Json:
    """The same without bodies, and of the whole."""
    told = {status: reply for status, reply in operation["responses"].items() if status not in ("206", "416")}
    return {
        **operation,
        "operationId": f"{operation['operationId']}_head",
        "summary": f"{operation['summary']}: size and ETag alone",
        "responses": {
            status: {"description": reply.get("description", PROBLEMS.get(int(status), ("", ""))[1])}
            for status, reply in told.items()
        },
        "parameters": [each for each in operation["parameters"] if each["name"] not in ("Range", "If-Range")],
    }


def _problems_of(path: str, method: str) -> list[int]:
    statuses = {*ALWAYS}
    if "{" in path:
        statuses.add(404)
    if method != "get":
        statuses |= {*CHANGES}
    if method == "patch":
        statuses.add(412)
    return sorted(statuses)


def _problem_example(status: int, code: str, title: str) -> Json:
    example: Json = {
        "type": f"/api/v1/docs/#{code}",
        "title": title,
        "status": status,
        "detail": f"{title}.",
        "instance": "/api/v1/studies/autumn-light/",
        "code": code,
    }
    if code == "invalid":
        wrong = "There is no field 'n_mian'; did you mean 'n_main'?"
        example |= {"detail": wrong, "errors": [{"field": "protocol.n_mian", "detail": wrong}]}
    if code == "throttled":
        example["retry_after"] = 12
    return example


def _operations(result: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "patch", "put", "delete"):
                yield path, method, operation


def _contents(operation: Json) -> Iterator[Json]:
    """Media types of the request and of replies that are no problem."""
    yield from operation.get("requestBody", {}).get("content", {}).values()
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()
