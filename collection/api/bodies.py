"""What comes in and how it is refused: small JSON objects, and errors with a code and a sentence."""

import json
from typing import Any, NoReturn

from django.http import HttpRequest, JsonResponse

from collection.services.fields import json_kind

MAX_BODY = 16_384


class Refusal(Exception):
    """A request that is not done; the browser reads `code`, people read `detail`."""

    def __init__(self, status: int, code: str, detail: str, *, retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.retry_after = status, code, detail, retry_after

    def response(self) -> JsonResponse:
        body: dict[str, Any] = {"error": self.code, "detail": self.detail}
        headers = {}
        if self.retry_after:
            body["retry_after"] = self.retry_after
            headers["Retry-After"] = str(self.retry_after)
        return JsonResponse(body, status=self.status, headers=headers)


def body_read(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that was sent. Raises Refusal."""
    if request.content_type != "application/json":
        raise Refusal(415, "unsupported_media_type", "the body must be sent as application/json")
    # Without a length the server has read the chunks already.
    if (
        int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY
        or len(body := request.read(MAX_BODY + 1)) > MAX_BODY
    ):
        raise Refusal(413, "too_large", f"the body is larger than {MAX_BODY} bytes")
    try:
        data = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "invalid", "the body is no JSON") from error
    if not isinstance(data, dict):
        raise Refusal(
            400, "invalid", f"the body is {json_kind(data)}; it must be an object with named fields"
        )
    return data


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
