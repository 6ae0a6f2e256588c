"""Participants' pages: the way in, one page for the whole session, and the ways out."""

import logging
import secrets

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import activate, get_language
from django.views.csrf import csrf_failure
from django.views.decorators.http import require_http_methods, require_safe

from collection.cookies import DEVICE_COOKIE, PERSON_COOKIE, cookie_set
from collection.design.protocol import Protocol
from collection.design.recruiting import Recruiting
from collection.headers import content_policy
from collection.models import Person, Session, Study
from collection.participant.links import INVITATION, Link, LinkError
from collection.participant.pages import (
    MTURK,
    notice_render,
    page_render,
    participant_page,
    speak,
    speak_on,
)
from collection.participant.visitors import Visitor, cookies_set, token_of, visitor_of
from collection.participant.words import duration, text_on
from collection.selectors.looks import look_address, shows_looks
from collection.selectors.people import (
    device_known,
    has_withdrawn,
    person_known,
    rater_elsewhere,
    rater_last_on,
    rater_on,
)
from collection.selectors.protocols import session_protocol
from collection.selectors.recruiting import invitation_with, session_end
from collection.selectors.sessions import (
    session_of,
    session_progress,
    session_with,
    study_at,
    takes_answers,
)
from collection.services.people import device_for, person_for, rater_bind, rater_for
from collection.services.recruiting import session_recruit
from collection.services.sessions import SessionRefused, session_start, session_start_again
from collection.services.texts import consent_version_in, markdown_html, text_in
from collection.services.withdrawal import rater_withdraw

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
@participant_page
def study_landing(request: HttpRequest, study: str) -> HttpResponse:
    found = study_at(study)
    if found is None:
        return notice_render(request, "no_study")
    speak(request, found)
    if _is_in_mturk_frame(request, found):
        return _framed(_arrive(request, found, in_frame=True))
    return _arrive(request, found)


@require_safe
@participant_page
def study_declined(request: HttpRequest, study: str) -> HttpResponse:
    """For whoever does not agree; nothing is stored."""
    found = study_at(study)
    if found is None:
        return notice_render(request, "no_study")
    speak(request, found)
    recruiting = _recruiting(found)
    try:
        panel_id = visitor_of(request, recruiting.panel).link.panel_id
    except LinkError:
        panel_id = ""
    code, address = recruiting.code("no_consent"), recruiting.address("no_consent", panel_id)
    return notice_render(request, "declined", found, code=code, back=address)


@require_http_methods(["GET", "HEAD", "POST"])
@participant_page
def session_detail(request: HttpRequest, token: str) -> HttpResponse:
    session = session_with(token)
    if session is None:
        return notice_render(request, "no_session")
    protocol = speak_on(request, session)
    if not _is_over(session) and not _is_here(request, session):
        return _which_device(request, session)
    response = page_render(
        request,
        "session",
        session.study,
        session=session,
        protocol=protocol,
        question=text_in(protocol, "question", get_language()),
        withdraw_address=_withdraw_address(session),
        text_on_surround=text_on(protocol.surround),
    )
    if "submit_to" in session.recruitment:
        response.headers["Content-Security-Policy"] = content_policy(form_action=f"'self' {MTURK}")
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@participant_page
def session_withdraw(request: HttpRequest, token: str) -> HttpResponse:
    session = session_with(token)
    if session is None:
        return notice_render(request, "no_session")
    speak_on(request, session)
    if request.method != "POST":
        progress = session_progress(session)
        return page_render(request, "withdraw", session.study, session=session, progress=progress)
    rater_withdraw(session, timezone.now())
    response = notice_render(request, "withdrawn", session.study)
    _cookies_forget(request, response)
    return response


def form_refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: participants are told in their language what to do."""
    if request.resolver_match and request.resolver_match.app_name == "participant":
        kind = "too_old" if settings.CSRF_COOKIE_NAME in request.COOKIES else "no_cookies"
        return participant_page(notice_render)(request, kind)
    return csrf_failure(request, reason)


def _arrive(request: HttpRequest, study: Study, *, in_frame: bool = False) -> HttpResponse:
    recruiting = _recruiting(study)
    try:
        visitor = visitor_of(request, recruiting.panel)
    except LinkError as error:
        logger.info("a link to %s is wrong: %s", study.slug, error)
        return notice_render(request, "bad_link", study)
    person = _person_of(visitor)
    if reason := _link_refused(study, recruiting, visitor.link):
        # Who has answered by it may still take it back.
        given = _session_here(study, person, visitor)
        return notice_render(
            request, reason, study, withdraw_address=_withdraw_address(given) if given else ""
        )
    if in_frame and not visitor.link.is_preview:
        return page_render(request, "own_window", study, address=request.get_full_path())

    if session := _session_here(study, person, visitor):
        return _welcome_back(request, session, visitor.link)
    if session := _session_elsewhere(study, person, visitor):
        return _which_device(request, session, visitor.link)
    if reason := _shut(study, person):
        return notice_render(request, reason, study)
    if request.method == "POST" and not visitor.link.is_preview:
        return _begin(request, study, visitor.with_tokens(request.POST.get("visit", "")))
    return _landing(request, study, is_preview=visitor.link.is_preview)


def _recruiting(study: Study) -> Recruiting:
    """Simulated raters come by plain links, whatever panel the study was meant for."""
    return Recruiting() if study.is_simulated else Recruiting.from_json(study.recruiting)


def _link_refused(study: Study, recruiting: Recruiting, link: Link) -> str:
    """The notice for a link that does not let its visitor in; empty for one that does."""
    if link.panel == INVITATION:
        invitation = invitation_with(study, link.panel_id)
        if invitation is None:
            return "invitation_unknown"
        return "invitation_revoked" if invitation.revoked_at else ""
    if recruiting.access == "open" or link.is_preview:
        return ""
    if recruiting.access == "panel":
        return "" if link.panel_id else "panel_only"
    return "invited_only"


def _person_of(visitor: Visitor) -> Person | None:
    return person_known(token=visitor.person_token, panel=visitor.link.panel, panel_id=visitor.link.panel_id)


def _session_here(study: Study, person: Person | None, visitor: Visitor) -> Session | None:
    device = device_known(visitor.device_token)
    if device is None:
        return None
    rater = None
    if person:
        rater = rater_on(study, person, device)
    elif visitor.is_unnamed:
        rater = rater_last_on(study, device)
    return session_of(rater) if rater else None


def _session_elsewhere(study: Study, person: Person | None, visitor: Visitor) -> Session | None:
    rater = rater_elsewhere(study, person, device_known(visitor.device_token)) if person else None
    return session_of(rater) if rater else None


def _shut(study: Study, person: Person | None) -> str:
    """The notice for whoever cannot begin; empty for those who can."""
    if person and has_withdrawn(study, person):
        return "withdrawn_before"
    if study.status != Study.Status.OPEN:
        return study.status
    if study.is_simulated and not (person and person.is_simulated):
        return "simulated"
    return ""


def _welcome_back(request: HttpRequest, session: Session, link: Link) -> HttpResponse:
    study = session.study
    # Whoever came by a panel's link is the one whom the link names.
    may_be_someone_else = not link.panel_id and study.status == Study.Status.OPEN
    if _is_over(session):
        return notice_render(
            request,
            "finished",
            study,
            session=session,
            may_be_someone_else=may_be_someone_else,
            look_address=look_address(session),
        )
    if not takes_answers(study.status, session_protocol(session)):
        end = session_end(session) if study.status == Study.Status.CLOSED else None
        code, address = (end["code"], end["address"]) if end else ("", "")
        return notice_render(
            request, study.status, study, code=code, back=address, withdraw_address=_withdraw_address(session)
        )
    if request.method == "POST":
        session_recruit(session, link.recruitment)
        return redirect("participant:session-detail", session.token)
    return page_render(
        request,
        "welcome_back",
        study,
        session=session,
        progress=session_progress(session),
        link=link,
        may_be_someone_else=may_be_someone_else,
        look_address=look_address(session),
    )


def _landing(
    request: HttpRequest, study: Study, *, is_preview: bool = False, text_changed: bool = False
) -> HttpResponse:
    protocol, language = Protocol.from_json(study.protocol), get_language()
    return page_render(
        request,
        "landing",
        study,
        question=text_in(protocol, "question", language),
        consent_html=markdown_html(text_in(protocol, "consent", language)),
        consent_version=consent_version_in(protocol, language),
        asks_for_consent="consent" in protocol.phases,
        shows_looks=shows_looks(study),
        duration=duration(protocol),
        n_questions=protocol.n_main + protocol.n_checks,
        is_preview=is_preview,
        text_changed=text_changed,
        visit=secrets.token_urlsafe(32),
    )


def _begin(request: HttpRequest, study: Study, visitor: Visitor) -> HttpResponse:
    posted = request.POST.get("language", "")
    if posted in Protocol.from_json(study.protocol).languages_offered:
        activate(posted)
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
    link = visitor.link
    person = person_for(token=visitor.person_token, panel=link.panel, panel_id=link.panel_id)
    return session_start(
        study,
        rater_for(study, person, device_for(visitor.device_token)),
        consent_version=consent_version,
        language=get_language(),
        recruitment=link.recruitment,
        now=timezone.now(),
    )


def _refused(request: HttpRequest, study: Study, refused: SessionRefused) -> HttpResponse:
    if refused.code == "consent_changed":
        return _landing(request, study, text_changed=True)
    if refused.code == "too_few_pairs":
        logger.error("no session can begin: %s", refused)
        return notice_render(request, "paused", study)
    study.refresh_from_db()
    told = refused.code if refused.code in ("finished", "simulated") else study.status
    return notice_render(request, told, study)


def _withdraw_address(session: Session) -> str:
    return reverse("participant:session-withdraw", args=[session.token])


def _is_over(session: Session) -> bool:
    return bool(session.finished_at or session.screened_out_at)


def _is_here(request: HttpRequest, session: Session) -> bool:
    """Whether the browser is the one that the session is on."""
    device = device_known(token_of(request, DEVICE_COOKIE))
    return device is not None and device.pk == session.rater.device_id


def _which_device(request: HttpRequest, session: Session, link: Link | None = None) -> HttpResponse:
    """The person is known and the device is not: they say whether it is the same, and are asked once."""
    rater, token = session.rater, token_of(request, DEVICE_COOKIE)
    device = device_known(token)
    here = rater_on(session.study, rater.person, device) if device else None
    if own := session_of(here) if here else None:
        return redirect("participant:session-detail", own.token)
    if session.screened_out_at:
        return redirect("participant:session-detail", session.token)
    answer = request.POST.get("device")
    if answer in ("same", "another") and link:
        session_recruit(session, link.recruitment)
    if answer == "same":
        return _same_device(request, session, token)
    if answer == "another":
        return _another_device(request, session, token)
    return page_render(request, "device", session.study, session=session)


def _same_device(request: HttpRequest, session: Session, token: str) -> HttpResponse:
    return _to_session(request, session, rater_bind(session.rater, token))


def _another_device(request: HttpRequest, session: Session, token: str) -> HttpResponse:
    token = token or secrets.token_urlsafe(32)
    try:
        # All or nothing: who cannot begin leaves no device behind.
        with transaction.atomic():
            new = session_start_again(session, device_for(token), timezone.now())
    except SessionRefused as refused:
        return _refused(request, session.study, refused)
    return _to_session(request, new, token)


def _to_session(request: HttpRequest, session: Session, device_token: str) -> HttpResponse:
    response = redirect("participant:session-detail", session.token)
    cookie_set(request, response, DEVICE_COOKIE, device_token)
    return response


def _cookies_forget(request: HttpRequest, response: HttpResponse) -> None:
    """Cookies by which nobody is known any more go too."""
    if not person_known(token=token_of(request, PERSON_COOKIE)):
        response.delete_cookie(PERSON_COOKIE)
    if not device_known(token_of(request, DEVICE_COOKIE)):
        response.delete_cookie(DEVICE_COOKIE)


def _is_in_mturk_frame(request: HttpRequest, study: Study) -> bool:
    return _recruiting(study).panel == "mturk" and request.headers.get("Sec-Fetch-Dest") == "iframe"


def _framed(response: HttpResponse) -> HttpResponse:
    """MTurk shows its tasks in a frame, where browsers keep no cookies; nobody else may."""
    response.headers["Content-Security-Policy"] = content_policy(frame_ancestors=MTURK)
    response.xframe_options_exempt = True
    return response
