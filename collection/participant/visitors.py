"""Who is at the door: a panel's ID in the link, or random tokens in first-party cookies."""

import secrets
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponseBase

PERSON_COOKIE = "tonalist_person"
DEVICE_COOKIE = "tonalist_device"
COOKIE_SECONDS = 400 * 24 * 3600  # browsers keep none longer
MIN_TOKEN = 20  # characters; a shorter one is not ours and could be guessed
MAX_PANEL_ID = 200
PLAIN_PANEL = "pid"


class LinkError(ValueError):
    """The link itself is wrong; nothing that the visitor does on the page mends it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    device_token: str = ""
    person_token: str = ""
    panel: str = ""
    panel_id: str = ""

    def with_tokens(self) -> "Visitor":
        """The same visitor, with new tokens where there are none."""
        return replace(
            self,
            device_token=self.device_token or secrets.token_urlsafe(32),
            person_token=self.person_token or secrets.token_urlsafe(32),
        )


def visitor_of(request: HttpRequest) -> Visitor:
    panel_id = request.GET.get("pid", "").strip()
    if len(panel_id) > MAX_PANEL_ID or not panel_id.isprintable():
        raise LinkError(f"pid must be at most {MAX_PANEL_ID} printable characters")
    return Visitor(
        device_token=_token(request, DEVICE_COOKIE),
        person_token=_token(request, PERSON_COOKIE),
        panel=PLAIN_PANEL if panel_id else "",
        panel_id=panel_id,
    )


def cookies_set(request: HttpRequest, response: HttpResponseBase, visitor: Visitor) -> None:
    """Know the visitor again. A panel's ID comes with each link, so its person needs no cookie."""
    cookies = {DEVICE_COOKIE: visitor.device_token}
    if not visitor.panel_id:
        cookies[PERSON_COOKIE] = visitor.person_token
    for name, value in cookies.items():
        response.set_cookie(
            name,
            value,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="Lax",
            secure=request.is_secure(),
        )


def _token(request: HttpRequest, name: str) -> str:
    token = request.COOKIES.get(name, "")
    return token if len(token) >= MIN_TOKEN else ""
