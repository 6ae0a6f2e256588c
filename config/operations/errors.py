"""Errors told to Sentry, where SENTRY_DSN is set: the trace, and nothing of a person."""

import importlib.util
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.operations.redaction import redacted
from config.operations.request_ids import current_request_id

DROPPED = ("user", "server_name", "breadcrumbs", "extra", "request")
"""A request's address holds tokens, its body answers, its headers cookies; which view it was stays."""


def sentry_start(dsn: str, *, environment: str, release: str) -> None:
    """Errors go out from now on. Raises ImproperlyConfigured where the SDK is not installed, or the DSN is none."""
    if importlib.util.find_spec("sentry_sdk") is None:
        raise ImproperlyConfigured('SENTRY_DSN is set; install what speaks to it: pip install ".[sentry]"')
    import sentry_sdk
    from sentry_sdk.utils import BadDsn

    try:
        sentry_sdk.init(
            dsn=dsn,
            environment=environment,
            release=release,
            include_local_variables=False,
            include_source_context=True,
            max_request_body_size="never",
            max_breadcrumbs=0,
            traces_sample_rate=0.0,
            auto_session_tracking=False,
            before_send=scrubbed,
        )
    except BadDsn as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN is no DSN, such as https://KEY@sentry.example.org/1"
        ) from error


def scrubbed(event: Any, hint: Any = None) -> Any:
    """The event without user, machine and request; every text in it redacted."""
    event = {name: value for name, value in event.items() if name not in DROPPED}
    event = _redacted(event)
    if request_id := current_request_id():
        event["tags"] = {**(event.get("tags") or {}), "request_id": request_id}
    return event


KEPT_NAMES = frozenset(
    {"event_id", "trace_id", "span_id", "type", "function", "module", "filename", "timestamp"}
)
"""Names of a program and random IDs of Sentry's own."""


def _redacted(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return value if name in KEPT_NAMES else redacted(value)
    if isinstance(value, dict):
        return {key: _redacted(inner, key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(inner, name) for inner in value]
    return value
