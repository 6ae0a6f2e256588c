"""In which language a participant's page speaks."""

from collections.abc import Sequence
from typing import TypedDict

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import get_language
from django.utils.translation.trans_real import parse_accept_lang_header

from collection.cookies import cookie_set

LANGUAGE_COOKIE = "tonalist_language"


class LanguageLink(TypedDict):
    code: str
    name: str
    """In the language itself."""
    current: bool
    address: str


def language_choose(request: HttpRequest, offered: Sequence[str], agreed: str = "") -> str:
    """What the address asks for, then the cookie, then what was agreed in, then the browser; else the first."""
    wishes = [
        request.GET.get("lang", ""),
        request.COOKIES.get(LANGUAGE_COOKIE, ""),
        agreed,
        *_accepted(request),
    ]
    return next((wish for wish in wishes if wish in offered), offered[0])


def language_links(request: HttpRequest, offered: Sequence[str]) -> list[LanguageLink]:
    """This page in each of the languages; the rest of the address stays."""
    names, current = dict(settings.LANGUAGES), get_language()
    links: list[LanguageLink] = []
    for code in offered:
        query = request.GET.copy()
        query["lang"] = code
        address = f"?{query.urlencode()}"
        links.append({"code": code, "name": names[code], "current": code == current, "address": address})
    return links


def language_remember(request: HttpRequest, response: HttpResponseBase) -> None:
    """Keep a language that was chosen, and was there to choose, for the next page."""
    chosen = request.GET.get("lang", "")
    if chosen and chosen == get_language():
        cookie_set(request, response, LANGUAGE_COOKIE, chosen)


def _accepted(request: HttpRequest) -> list[str]:
    """The browser's languages, the liked best first, without their regions."""
    header = request.headers.get("Accept-Language", "")
    return [tag.partition("-")[0] for tag, _ in parse_accept_lang_header(header)]
