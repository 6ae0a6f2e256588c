"""What a link says of its visitor: a panel's IDs, or an invitation's code."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.http import QueryDict

MAX_ID = 200
INVITATION = "invitation"
"""The panel of people who come by a personal link; their ID is its code."""
MTURK_PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"
MTURK_HOST = "mturk.com"
MTURK_SUBMIT = "/mturk/externalSubmit"
UNFILLED = re.compile(r"[{}%]|^(undefined|null|none|nan)$", re.IGNORECASE)
"""What stands in a link when a panel left its placeholder there: all of its people would be the same person."""


class LinkError(ValueError):
    """The link itself is wrong; nothing that the visitor does on the page mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    panel: str = ""
    panel_id: str = ""
    recruitment: dict[str, str] = field(default_factory=dict)
    """What the panel calls this visit; kept with the session."""
    is_preview: bool = False
    """MTurk shows the task to somebody who has not accepted it."""


def link_read(query: QueryDict, panel: str) -> Link:
    """The visitor of a study that recruits from `panel`. An invitation comes before a panel's ID.

    Raises LinkError for an ID that cannot be one and for one that is given twice and differs.
    """
    if code := _id(query, "invite"):
        return Link(panel=INVITATION, panel_id=code)
    return {"prolific": _prolific, "mturk": _mturk}.get(panel, _plain)(query)


def _plain(query: QueryDict) -> Link:
    panel_id = _id(query, "pid")
    return Link(panel="pid", panel_id=panel_id) if panel_id else Link()


def _prolific(query: QueryDict) -> Link:
    panel_id = _id(query, "PROLIFIC_PID")
    visit = {"study": _id(query, "STUDY_ID"), "submission": _id(query, "SESSION_ID")}
    return Link(panel="prolific", panel_id=panel_id, recruitment=visit) if panel_id else Link()


def _mturk(query: QueryDict) -> Link:
    assignment, panel_id = _id(query, "assignmentId"), _id(query, "workerId")
    if assignment == MTURK_PREVIEW:
        return Link(is_preview=True)
    visit = {"assignment": assignment, "hit": _id(query, "hitId"), "submit_to": _submit_to(query)}
    if not (assignment and panel_id):
        return Link()
    return Link(panel="mturk", panel_id=panel_id, recruitment=visit)


def _submit_to(query: QueryDict) -> str:
    """Where the assignment is handed in; a link may name the sandbox, and nobody but MTurk."""
    base = _value(query, "turkSubmitTo") or f"https://www.{MTURK_HOST}"
    try:
        parts = urlsplit(base)
        host, is_plain = parts.hostname or "", parts.netloc == parts.hostname
    except ValueError as error:
        raise LinkError("turkSubmitTo is no address") from error
    if parts.scheme != "https" or not is_plain or not f".{host}".endswith(f".{MTURK_HOST}"):
        raise LinkError(f"turkSubmitTo must be an address of {MTURK_HOST} that begins with https://")
    return f"https://{host}{MTURK_SUBMIT}"


def _id(query: QueryDict, name: str) -> str:
    value = _value(query, name)
    if UNFILLED.search(value):
        raise LinkError(f"{name} is a placeholder that the panel did not fill in")
    return value


def _value(query: QueryDict, name: str) -> str:
    values = {value.strip() for value in query.getlist(name)}
    if len(values) > 1:
        raise LinkError(f"{name} is given twice")
    value = values.pop() if values else ""
    if len(value) > MAX_ID or not value.isprintable():
        raise LinkError(f"{name} must be at most {MAX_ID} printable characters")
    return value
