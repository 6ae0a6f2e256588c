"""What comes in and how it is refused: small JSON objects, and errors with a code and a sentence."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException
from rest_framework.parsers import BaseParser
from rest_framework.response import Response

MAX_BODY = 16_384


class Refusal(APIException):
    """A request that is not done; the browser reads `code`, people read `detail`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail=detail, code=code)
        self.status_code = status


class SmallJSONParser(BaseParser):
    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise Refusal(413, "too_large", f"the body is larger than {MAX_BODY} bytes")
        try:
            data = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Refusal(400, "invalid", "the body is no JSON") from error
        if not isinstance(data, dict):
            raise Refusal(400, "invalid", f"the body is a JSON {type(data).__name__}, not an object")
        return data


def error_response(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler of these views; None hands on what is a fault of ours."""
    if not isinstance(error, APIException):
        return None
    code = error.get_codes()
    return Response({"error": code, "detail": str(error.detail)}, status=error.status_code)
