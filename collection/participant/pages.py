"""What all of the participants' pages share: language, headers, and the notice."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import activate, get_language, override
from django.views.decorators.cache import never_cache

from collection.design.protocol import LANGUAGES, Protocol
from collection.models import Session, Study
from collection.participant.languages import language_choose, language_links, language_remember
from collection.participant.links import MTURK_HOST
from collection.participant.words import notice
from collection.selectors.protocols import session_protocol
from collection.throttling import PAGES, address_of, seconds_to_wait

MTURK = f"https://*.{MTURK_HOST}"
NOTICE_STATUS = {
    "draft": 404,
    "paused": 503,
    "closed": 410,
    "simulated": 403,
    "no_study": 404,
    "no_session": 404,
    "bad_link": 400,
    "panel_only": 403,
    "invited_only": 403,
    "invitation_unknown": 404,
    "invitation_revoked": 410,
    "withdrawn_before": 410,
    "no_cookies": 403,
    "too_old": 403,
    "too_many": 429,
}
"""Of the notices that are not what was asked for; the others have 200."""

View = Callable[..., HttpResponse]


def participant_page(view: View) -> View:
    """In the visitor's language, kept by nobody."""

    @wraps(view)
    def page(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        with override(language_choose(request, LANGUAGES)):
            wait = seconds_to_wait(PAGES, address_of(request))
            response = _too_many(request, wait) if wait else view(request, *args, **kwargs)
            response.headers["Content-Language"] = get_language()
            language_remember(request, response)
        return response

    return never_cache(page)


def _too_many(request: HttpRequest, wait: int) -> HttpResponse:
    response = notice_render(request, "too_many")
    response.headers["Retry-After"] = str(wait)
    return response


def speak(request: HttpRequest, study: Study) -> None:
    """Go on in a language that the study offers."""
    activate(language_choose(request, Protocol.from_json(study.protocol).languages_offered, ""))


def speak_on(request: HttpRequest, session: Session) -> Protocol:
    """Go on in the language that was agreed in, or another of the session's. Returns the session's protocol."""
    protocol = session_protocol(session)
    activate(language_choose(request, protocol.languages_offered, session.language))
    return protocol


def page_render(
    request: HttpRequest,
    template: str,
    study: Study | None = None,
    *,
    status: int = 200,
    session: Session | None = None,
    **context: object,
) -> HttpResponse:
    """A page with its languages to choose from."""
    protocol = session_protocol(session) if session else Protocol.from_json(study.protocol) if study else None
    offered = protocol.languages_offered if protocol else LANGUAGES
    context |= {
        "study": study,
        "session": session,
        "title": protocol.title if protocol else "",
        "languages": language_links(request, offered),
    }
    return render(request, f"participant/{template}.html", context, status=status)


def notice_render(
    request: HttpRequest,
    kind: str,
    study: Study | None = None,
    *,
    session: Session | None = None,
    **context: object,
) -> HttpResponse:
    heading, text = notice(kind)
    status = NOTICE_STATUS.get(kind, 200)
    return page_render(
        request, "notice", study, status=status, session=session, heading=heading, text=text, **context
    )
