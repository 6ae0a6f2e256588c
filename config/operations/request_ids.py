"""One name for all that a request caused: in its reply, in each line of the log, and in the tasks that it sent."""

import re
import secrets
from contextvars import ContextVar, Token
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

HEADER = "X-Request-ID"
FORM = re.compile(r"[0-9a-f]{16,32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What a proxy makes (nginx, Envoy, a UUID). Anything else could be somebody's name, and is not taken over."""

_current: ContextVar[str] = ContextVar("request_id", default="")
_tokens: dict[str, Token[str]] = {}
"""Of tasks under way in this process."""


def current_request_id() -> str:
    """Empty outside of requests, and of tasks that none sent."""
    return _current.get()


def request_id_begin(given: str) -> Token[str]:
    """Take the ID that came in, where it has the form of one, or make one."""
    return _current.set(given if FORM.fullmatch(given) else secrets.token_hex(16))


def request_id_end(token: Token[str]) -> None:
    _current.reset(token)


@before_task_publish.connect
def _send_along(headers: dict[str, Any], **_: Any) -> None:
    if current_request_id():
        headers["request_id"] = current_request_id()


@task_prerun.connect
def _take_over(task_id: str, task: Any, **_: Any) -> None:
    given = task.request.get("request_id") or (task.request.headers or {}).get("request_id") or ""
    _tokens[task_id] = _current.set(given if FORM.fullmatch(str(given)) else "")


@task_postrun.connect
def _let_go(task_id: str, **_: Any) -> None:
    if token := _tokens.pop(task_id, None):
        _current.reset(token)
