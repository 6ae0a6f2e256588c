"""Around each request: its ID, a line in the log, and its count in the metrics."""

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.operations.request_ids import HEADER, current_request_id, request_id_begin, request_id_end

logger = logging.getLogger("tonalist.requests")
QUIET = frozenset({"health-live", "health-ready", "metrics"})
"""Asked every few seconds by machines."""


class RequestMiddleware:
    """The first of all, so that it sees the time that all others take, and their refusals.

    The log names the view, never the address: addresses hold tokens.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.observe: Callable[..., None] | None = None
        if settings.METRICS_TOKEN:
            from config.operations.metrics import request_observe

            self.observe = request_observe

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = request_id_begin(request.headers.get(HEADER, ""))
        try:
            begun = time.perf_counter()
            response = self.get_response(request)
            seconds = time.perf_counter() - begun
            response[HEADER] = current_request_id()
            view = view_name(request)
            if self.observe is not None:
                self.observe(request, response, view, seconds)
            if view not in QUIET and logger.isEnabledFor(logging.INFO):
                fields = {
                    "method": request.method if request.method in METHODS else "other",
                    "view": view,
                    "status": response.status_code,
                    "ms": round(1000 * seconds, 1),
                }
                logger.info("%(method)s %(view)s %(status)s %(ms)s ms", fields, extra={"fields": fields})
            return response
        finally:
            request_id_end(token)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def view_name(request: HttpRequest) -> str:
    """A name of a view of ours, and never what somebody asked for."""
    match = request.resolver_match
    if match is None:
        return "none"
    return match.view_name or match.route
