"""How the log is written: what stands in a line, and what never does."""

import datetime as dt
import json
import logging
from typing import Any

from django.core.exceptions import PermissionDenied

from config.operations.redaction import redacted
from config.operations.request_ids import current_request_id


class RefusalsInOneLine(logging.Filter):
    """Whoever may not see a page is no fault of the program: no trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], PermissionDenied):
            record.exc_info = None
        return True


class TextFormatter(logging.Formatter):
    """For a person at a terminal: the message, and its trace."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """For a machine that collects logs: one JSON object a line, under the same names everywhere.

    `extra={"fields": {…}}` adds to it; values that are texts are redacted like the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        if request_id := current_request_id():
            line["request_id"] = request_id
        for name, value in getattr(record, "fields", {}).items():
            line[name] = redacted(value) if isinstance(value, str) else value
        if record.exc_info:
            line["trace"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)
