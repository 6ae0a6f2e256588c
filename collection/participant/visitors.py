"""Who is at the door: a panel's ID in the link, or random tokens in first-party cookies."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace

from django.http import HttpRequest, HttpResponseBase

from collection.cookies import DEVICE_COOKIE, PERSON_COOKIE, cookie_set
from collection.participant.links import Link, link_read

TOKEN_LENGTHS = range(20, 201)  # characters; a shorter one is not ours and could be guessed


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    device_token: str = ""
    person_token: str = ""
    link: Link = field(default_factory=Link)
    is_someone_else: bool = False
    """Than the person whom the cookie knows."""

    @property
    def is_unnamed(self) -> bool:
        """Whether nothing says who it is."""
        return not (self.link.panel_id or self.person_token or self.is_someone_else)

    def with_tokens(self, visit: str) -> "Visitor":
        """The same visitor, with new tokens where there are none.

        They are made from the form's random `visit`: a form that is sent twice is from one person.
        """
        visit = visit if len(visit) in TOKEN_LENGTHS else secrets.token_urlsafe(32)
        return replace(
            self,
            device_token=self.device_token or _made_from(visit, "device"),
            person_token=self.person_token or _made_from(visit, "person"),
        )


def visitor_of(request: HttpRequest, panel: str) -> Visitor:
    """Raises LinkError."""
    link = link_read(request.GET, panel)
    is_someone_else = "someone_else" in request.GET and not link.panel_id
    return Visitor(
        device_token=token_of(request, DEVICE_COOKIE),
        person_token="" if is_someone_else else token_of(request, PERSON_COOKIE),
        link=link,
        is_someone_else=is_someone_else,
    )


def token_of(request: HttpRequest, cookie: str) -> str:
    token = request.COOKIES.get(cookie, "")
    return token if len(token) in TOKEN_LENGTHS else ""


def cookies_set(request: HttpRequest, response: HttpResponseBase, visitor: Visitor) -> None:
    """Know the visitor again. A panel's ID comes with each link, so its person needs no cookie."""
    cookie_set(request, response, DEVICE_COOKIE, visitor.device_token)
    if not visitor.link.panel_id:
        cookie_set(request, response, PERSON_COOKIE, visitor.person_token)


def _made_from(visit: str, purpose: str) -> str:
    return hashlib.sha256(f"{purpose} {visit}".encode()).hexdigest()
