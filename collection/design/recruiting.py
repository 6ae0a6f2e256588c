"""How people come to a study and what they take away: links, panels and their codes.

Data beside the protocol, not part of it: a completion code is nobody's business but the
panel's, so it is in no dataset, and it can be changed while a study runs.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote, urlsplit

from collection.design.protocol import check, known_fields

ACCESS = ("open", "panel", "invited")
PANELS = ("", "prolific", "mturk", "pid")
PROLIFIC_COMPLETE = "https://app.prolific.com/submissions/complete?cc={code}"
ENDS = ("completion", "screened_out", "no_consent", "closed")
"""How a visit ends, as panels tell ends apart."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recruiting:
    access: str = "open"
    """open: whoever has the link; panel: with the panel's ID in it; invited: with a code from the list."""
    panel: str = ""
    """prolific, mturk, or pid for any other that puts `?pid=` into the link; needed for access by panel."""
    completion_code: str = ""
    screened_out_code: str = ""
    no_consent_code: str = ""
    closed_code: str = ""
    """For whoever was under way when the study was closed."""
    completion_url: str = ""
    """Where to go at the end; {code} and {pid} in it are filled in. Prolific's own address where empty."""
    screened_out_url: str = ""
    no_consent_url: str = ""
    closed_url: str = ""

    def __post_init__(self) -> None:
        check(self.access in ACCESS, "access", self.access, " or ".join(ACCESS))
        check(self.panel in PANELS, "panel", self.panel, " or ".join(filter(None, PANELS)))
        check(self.access != "panel" or bool(self.panel), "panel", self.panel, "named for access by panel")
        for end in ENDS:
            code, url = getattr(self, f"{end}_code"), getattr(self, f"{end}_url")
            is_code = isinstance(code, str) and len(code) <= 60 and code.isprintable()
            check(is_code, f"{end}_code", code, "a code of at most 60 characters")
            check(_is_address(url), f"{end}_url", url, "an address that begins with https://, or empty")

    def code(self, end: str) -> str:
        """The code to hand to the panel at one of ENDS; empty where there is none."""
        return str(getattr(self, f"{end}_code"))

    def address(self, end: str, panel_id: str = "") -> str:
        """Where the visit goes on at one of ENDS; empty where it ends on our own page."""
        template = getattr(self, f"{end}_url")
        if not template and self.panel == "prolific" and self.code(end):
            template = PROLIFIC_COMPLETE
        filled = template.replace("{code}", quote(self.code(end), safe=""))
        return str(filled.replace("{pid}", quote(panel_id, safe="")))

    def with_settings(self, assignments: Iterable[str]) -> Self:
        """A copy with settings as they are typed: `panel=prolific`, `completion_code=C1ABC`. All are texts."""
        data = self.to_json()
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            check(bool(equals), "recruiting", assignment, "NAME=VALUE, such as panel=prolific")
            data[name] = text
        return type(self).from_json(data)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raise ValueError that names the field for unknown fields and impossible values."""
        return cls(**known_fields(cls, data))


def _is_address(url: object) -> bool:
    if not isinstance(url, str) or len(url) > 500:
        return False
    return not url or (urlsplit(url).scheme == "https" and bool(urlsplit(url).netloc) and url.isprintable())
