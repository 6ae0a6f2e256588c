"""Whatever goes wrong under /api/v1, as problem details (RFC 9457)."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import UnreadablePostError
from django.utils.encoding import escape_uri_path
from rest_framework import exceptions

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
DOCS = "/api/v1/docs/"
PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("bad_request", "The request cannot be read"),
    401: ("not_authenticated", "Nobody is signed in"),
    403: ("not_allowed", "This is not allowed"),
    404: ("not_found", "There is nothing here"),
    405: ("method_not_allowed", "The address does not take this method"),
    406: ("not_acceptable", "The reply cannot be given in this form"),
    409: ("conflict", "The present state does not allow it"),
    412: ("changed_meanwhile", "Somebody has changed it meanwhile"),
    413: ("too_large", "The body is too large"),
    415: ("unsupported_media_type", "The body is of a type that is not read here"),
    416: ("range_not_satisfiable", "The file has no such part"),
    422: ("invalid", "A field or parameter is wrong"),
    429: ("throttled", "Too many requests"),
    500: ("server_error", "Something went wrong on our side"),
    503: ("unavailable", "This cannot be done at the moment"),
}
"""Status → code, which programs go by and which stays, and title."""

MOST_TOLD = 3
"""Wrong fields of which `detail` tells; `errors` has all."""
SIGN_IN = "Sign in, or send a token: `Authorization: Bearer ton_…`."


class Conflict(exceptions.APIException):
    """What the services refuse: the study is closed, the export is not done."""

    status_code = 409


class ChangedMeanwhile(exceptions.APIException):
    status_code = 412


class BodyTooLarge(exceptions.APIException):
    status_code = 413


def problem(
    request: HttpRequest,
    status: int,
    detail: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JsonResponse:
    code, title = PROBLEMS.get(status) or PROBLEMS[400 if status < 500 else 500]
    body = {
        "type": f"{DOCS}#{code}",
        "title": title,
        "status": status,
        "detail": detail or f"{title}.",
        "instance": escape_uri_path(request.path),
        "code": code,
        **members,
    }
    return JsonResponse(
        body,
        status=status,
        content_type=MEDIA_TYPE,
        headers=dict(headers or {}),
        json_dumps_params={"ensure_ascii": False},
    )


def problem_of(error: Exception, context: Mapping[str, Any]) -> HttpResponse:
    """What REST framework calls for whatever an endpoint raises."""
    request: HttpRequest = context["request"]
    if isinstance(error, exceptions.ValidationError):
        errors = list(_errors(error.detail))
        detail = " ".join(dict.fromkeys(each["detail"] for each in errors[:MOST_TOLD]))
        if len(errors) > MOST_TOLD:
            detail += f" {len(errors) - MOST_TOLD} more are wrong: see errors."
        return problem(request, 422, detail, errors=errors)
    if isinstance(error, exceptions.NotAuthenticated):
        return problem(request, 401, SIGN_IN, **_more(error))
    if isinstance(error, exceptions.APIException):
        return problem(request, error.status_code, str(error.detail), **_more(error))
    if isinstance(error, Http404):
        return problem(request, 404, str(error) if error.args and isinstance(error.args[0], str) else "")
    if isinstance(error, PermissionDenied):
        return problem(request, 403, str(error))
    if isinstance(error, RequestDataTooBig):
        return problem(request, 413)
    if isinstance(error, SuspiciousOperation | UnreadablePostError):
        return problem(request, 400)
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    got_request_exception.send(sender=None, request=request)
    return problem(
        request, 500, "The error is in the server's log. Send it again later, or tell whoever runs the site."
    )


def _more(error: exceptions.APIException) -> dict[str, Any]:
    headers = {}
    members: dict[str, Any] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
        members["retry_after"] = int(wait)
    return {"headers": headers, **members}


def _errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """One line for each wrong field, named with dots: protocol.rules.min_consistency."""
    if isinstance(detail, Mapping):
        for name, inside in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            yield from _errors(inside, ".".join(filter(None, (path, step))))
    elif isinstance(detail, list):
        for index, inside in enumerate(detail):
            nested = isinstance(inside, dict | list)
            yield from _errors(inside, f"{path}.{index}" if nested else path)
    else:
        yield {"field": path, "detail": str(detail)}
