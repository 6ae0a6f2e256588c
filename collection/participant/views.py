"""Participants' pages: the way in, and one page for the whole session."""

import logging
from collections.abc import Callable
from functools import wraps

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from collection.design.protocol import Protocol
from collection.models import Session, Study
from collection.participant.visitors import LinkError, Visitor, cookies_set, visitor_of
from collection.participant.words import consent_html, duration, notice, text_on
from collection.selectors.people import person_known, rater_known
from collection.selectors.sessions import session_of, session_progress, session_with, study_at
from collection.services.people import device_for, person_for, rater_for
from collection.services.sessions import SessionRefused, session_start

logger = logging.getLogger(__name__)

NOTICE_STATUS = {
    "draft": 404,
    "paused": 503,
    "closed": 410,
    "finished": 200,
    "simulated": 403,
    "not_found": 404,
    "bad_link": 400,
}
# Nothing from elsewhere, and no script or style inside the page.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

View = Callable[..., HttpResponse]


def participant_page(view: View) -> View:
    @wraps(view)
    def with_headers(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        return response

    return never_cache(with_headers)


@require_http_methods(["GET", "HEAD", "POST"])
@participant_page
def study_landing(request: HttpRequest, study: str) -> HttpResponse:
    found = study_at(study)
    if found is None:
        return _notice(request, "not_found")
    try:
        visitor = visitor_of(request)
    except LinkError:
        return _notice(request, "bad_link", found)
    if session := _session_known(found, visitor):
        return _welcome_back(request, session)
    if found.status != Study.Status.OPEN:
        return _notice(request, found.status, found)
    if found.is_simulated and not _is_simulated(visitor):
        return _notice(request, "simulated", found)
    if request.method == "POST":
        return _begin(request, found, visitor.with_tokens())
    return _landing(request, found)


@require_GET
@participant_page
def session_detail(request: HttpRequest, token: str) -> HttpResponse:
    session = session_with(token)
    if session is None:
        return _notice(request, "not_found")
    protocol = Protocol.from_json(session.study.protocol)
    progress = session_progress(session)
    context = {
        "study": session.study,
        "session": session,
        "protocol": protocol,
        "text_on_surround": text_on(protocol.surround),
        "n_practice": progress.practice,
        "n_questions": progress.total - progress.practice,
    }
    return render(request, "participant/session.html", context)


def _session_known(study: Study, visitor: Visitor) -> Session | None:
    rater = rater_known(
        study,
        person_token=visitor.person_token,
        panel=visitor.panel,
        panel_id=visitor.panel_id,
        device_token=visitor.device_token,
    )
    return session_of(rater) if rater else None


def _is_simulated(visitor: Visitor) -> bool:
    person = person_known(token=visitor.person_token, panel=visitor.panel, panel_id=visitor.panel_id)
    return person is not None and person.is_simulated


def _welcome_back(request: HttpRequest, session: Session) -> HttpResponse:
    if session.finished_at:
        return _notice(request, "finished", session.study)
    if session.study.status == Study.Status.CLOSED:
        return _notice(request, "closed", session.study)
    if request.method == "POST":
        return redirect("participant:session-detail", session.token)
    context = {"study": session.study, "session": session, "progress": session_progress(session)}
    return render(request, "participant/welcome_back.html", context)


def _landing(request: HttpRequest, study: Study, *, text_changed: bool = False) -> HttpResponse:
    protocol = Protocol.from_json(study.protocol)
    context = {
        "study": study,
        "protocol": protocol,
        "consent_html": consent_html(protocol),
        "duration": duration(protocol.n_questions),
        "n_questions": protocol.n_main + protocol.n_checks,
        "text_changed": text_changed,
    }
    return render(request, "participant/landing.html", context)


def _begin(request: HttpRequest, study: Study, visitor: Visitor) -> HttpResponse:
    try:
        # All or nothing: who cannot begin leaves no rows behind.
        with transaction.atomic():
            session = _session_begin(study, visitor, request.POST.get("consent_version", ""))
    except SessionRefused as refused:
        return _refused(request, study, refused)
    response = redirect("participant:session-detail", session.token)
    cookies_set(request, response, visitor)
    return response


def _session_begin(study: Study, visitor: Visitor, consent_version: str) -> Session:
    person = person_for(token=visitor.person_token, panel=visitor.panel, panel_id=visitor.panel_id)
    rater = rater_for(study, person, device_for(visitor.device_token))
    return session_start(study, rater, consent_version=consent_version, now=timezone.now())


def _refused(request: HttpRequest, study: Study, refused: SessionRefused) -> HttpResponse:
    if refused.code == "consent_changed":
        return _landing(request, study, text_changed=True)
    if refused.code == "too_few_pairs":
        logger.error("no session can begin: %s", refused)
        return _notice(request, "paused", study)
    study.refresh_from_db()
    told = refused.code if refused.code in ("finished", "simulated") else study.status
    return _notice(request, told, study)


def _notice(request: HttpRequest, kind: str, study: Study | None = None) -> HttpResponse:
    heading, text = notice(kind)
    context = {"heading": heading, "text": text, "study": study}
    return render(request, "participant/notice.html", context, status=NOTICE_STATUS[kind])
