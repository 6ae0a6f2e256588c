"""Simulated raters who come through the front door: the pages and the API that browsers use.

What they want, and what an eye would see, is read from the database: which rendition stands
where, the seed of the plates. What they are asked and how they answer goes over HTTP, with
nothing but the standard library. It is a load test as well: it says how many answers a second
were stored, and how long one took.
"""

import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
from django.db import connection
from django.db.models import Q

from collection.models import Question, Session, Study
from collection.selectors.protocols import session_protocol
from collection.selectors.sessions import session_with
from collection.services.people import person_for, rater_mark_simulated
from collection.services.verdicts import verdicts_compute
from evaluation.services.simulations import (
    DISPLAY,
    ENDS,
    PANEL,
    Respondent,
    StudyViews,
    Visit,
    Visitor,
    study_claim_for_simulation,
    study_visitors,
    visitor_taste,
)
from evaluation.simulation.raters import CROWDS, Crowd, SimulatedRater
from variants.progress import Report, silent

TRIES = 5
"""Of one request, when the server is too busy: answers that are sent twice are stored once."""
START_SECONDS = 30
AT_A_TIME = 20
TOO_MANY = 429


class HttpFailed(Exception):
    """The site did not answer as it should; the message says where and what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResult:
    made: int
    found: int
    answers: int
    screened_out: int
    answers_per_second: float
    p95_ms: float
    """Of one answer, from sending it to the reply."""


@dataclass(kw_only=True)
class Browser:
    """One visitor's connection and cookies."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    answer_ms: list[float] = field(default_factory=list)
    _connection: http.client.HTTPConnection | None = None

    def begin(self, path: str) -> str:
        """Send the form of a study's page as it stands; the token of the session."""
        _, page, _ = self._request("GET", path)
        form = _form_fields(page.decode())
        if not form:
            raise HttpFailed(f"GET {path} has no form to begin with: {_text(page)}")
        status, body, headers = self._request("POST", path, form=form)
        token = re.search(r"/session/([^/]+)/", headers.get("location", ""))
        if status != 302 or not token:
            raise HttpFailed(
                f"POST {path} answered {status} instead of a redirect to the session: {_text(body)}"
            )
        return token[1]

    def get(self, path: str) -> dict[str, Any]:
        return self._json("GET", path, None)

    def post(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        return self._json("POST", path, data)

    def close(self) -> None:
        if self._connection:
            self._connection.close()

    def _json(self, method: str, path: str, data: dict[str, Any] | None) -> dict[str, Any]:
        status, body, _ = self._request(method, f"/api/participant/{path}", data=data)
        if status != 200:
            raise HttpFailed(f"{method} {path} answered {status}: {_text(body)}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        data: dict[str, Any] | None = None,
        form: dict[str, str] | None = None,
    ) -> tuple[int, bytes, dict[str, str]]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if data is not None:
            body, headers["Content-Type"] = json.dumps(data), "application/json"
        elif form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
            headers["Referer"] = self.address + path
        for attempt in range(TRIES):
            try:
                reply = self._send(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                self._connection = None
                if attempt == TRIES - 1:
                    raise HttpFailed(f"{self.address} does not answer {method} {path}: {error}") from error
                wait = 0.2 * 2**attempt
            else:
                status, _, told = reply
                if (status < 500 and status != TOO_MANY) or attempt == TRIES - 1:
                    return reply
                wait = float(told.get("retry-after", 0.2 * 2**attempt))
            time.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _send(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        if self._connection is None:
            self._connection = _connection(self.address)
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        for line in reply.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return reply.status, content, {name.lower(): value for name, value in reply.headers.items()}


def raters_simulate_through_http(
    study: Study,
    n_raters: int,
    *,
    address: str,
    concurrency: int = 4,
    seed: int = 0,
    crowd: Crowd = CROWDS["clear"],
    report: Report = silent,
) -> HttpResult:
    """`raters_simulate`, as `concurrency` browsers at a time on the site at `address`.

    Raises:
        SimulationRefused: as `raters_simulate`.
        HttpFailed: the site does not answer, or not as it should.
    """
    study_claim_for_simulation(study)
    views, visitors = StudyViews(study), study_visitors(study, n_raters, seed)
    browsers, visits = [Browser(address=address) for _ in visitors], []
    begun = time.monotonic()
    with ThreadPoolExecutor(concurrency) as pool:
        waiting = [
            pool.submit(_visit, browser, study, visitor, crowd, views)
            for browser, visitor in zip(browsers, visitors, strict=True)
        ]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                visits += [visit] if (visit := future.result()) else []
                report(done, n_raters, "simulated raters answer through HTTP")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    seconds = time.monotonic() - begun
    verdicts_compute(study, only_stale=True)
    times = [ms for browser in browsers for ms in browser.answer_ms]
    return HttpResult(
        made=len(visits),
        found=n_raters - len(visits),
        answers=len(times),
        screened_out=sum(visit.screened_out for visit in visits),
        answers_per_second=round(len(times) / seconds, 1),
        p95_ms=round(float(np.percentile(times, 95)), 1) if times else 0.0,
    )


@contextmanager
def own_server(url: str) -> Iterator[str]:
    """The address of the site: `url`, or without one of a server that is started and ended here."""
    if url:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise HttpFailed(f"{url!r} is no address of a site, such as http://127.0.0.1:8000")
        yield url.rstrip("/")
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "2", "--blocking-threads", "16", "--no-log"]
    command += ["config.wsgi:application"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            _wait_until_it_answers(server, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _visit(browser: Browser, study: Study, visitor: Visitor, crowd: Crowd, views: StudyViews) -> Visit | None:
    """One rater's whole visit; None where they had come to an end before."""
    browser.cookies["tonalist_device"] = visitor.device_token
    panel_id = visitor.panel_id
    try:
        if _has_ended(study, panel_id):
            return None
        # Known as simulated before the door opens: people are turned away from a simulated study.
        person_for(panel=PANEL, panel_id=panel_id, is_simulated=True)
        token = browser.begin(f"/s/{study.slug}/?{urlencode({'pid': panel_id})}")
        session = _session_marked(token, visitor, crowd)
        respondent = Respondent(
            rater=SimulatedRater.from_json(session.rater.simulation or {}),
            views=views,
            protocol=session_protocol(session),
            session_seed=session.seed,
            seed=visitor.answer_seed,
        )
        browser.post(f"sessions/{token}/display/", DISPLAY)
        end = _go_through(browser, token, respondent)
        return Visit(answers=len(browser.answer_ms), screened_out=end == "screened_out")
    finally:
        browser.close()
        connection.close()  # this thread's own


def _has_ended(study: Study, panel_id: str) -> bool:
    sessions = Session.objects.filter(
        study=study, rater__person__panel=PANEL, rater__person__panel_id=panel_id
    )
    return sessions.exclude(Q(finished_at=None) & Q(screened_out_at=None)).exists()


def _session_marked(token: str, visitor: Visitor, crowd: Crowd) -> Session:
    """The session, its rater's taste stored before the first answer: none ever looks like a person's."""
    session = session_with(token)
    if session is None:
        raise HttpFailed("the site has another database than this command; both need the same settings")
    if session.rater.simulation is None:
        rater_mark_simulated(session.rater, visitor_taste(session.study, visitor, crowd))
    return session


def _go_through(browser: Browser, token: str, respondent: Respondent) -> str:
    """Do what each phase asks for; the phase in which the visit ends."""
    rows = Question.objects.filter(session__token=token)
    columns = ("token", "left__public_id", "right__public_id")
    shown = {question: sides for question, *sides in rows.values_list(*columns)}
    while (phase := browser.get(f"sessions/{token}/")["phase"]) not in ENDS:
        if phase in ("practice", "main"):
            _answer_all(browser, token, respondent, shown)
        else:
            browser.post(f"sessions/{token}/phases/{phase}/", respondent.phase_body(phase))
    return str(phase)


def _answer_all(browser: Browser, token: str, respondent: Respondent, shown: dict[str, list[str]]) -> None:
    """Answer in order until nothing is left to ask."""
    while questions := browser.get(f"sessions/{token}/questions/?limit={AT_A_TIME}")["questions"]:
        for question in questions:
            choice = respondent.choice(
                *shown[question["token"]],
                index=question["index"],
                instructed_side=question["instructed"] or "",
            )
            answer = {"question": question["token"], "side": choice.side, "response_ms": choice.response_ms}
            begun = time.monotonic()
            browser.post(f"sessions/{token}/answers/", answer)
            browser.answer_ms.append(1000 * (time.monotonic() - begun))


class _HiddenFields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given.get("name") or ""] = given.get("value") or ""


def _form_fields(page: str) -> dict[str, str]:
    parser = _HiddenFields()
    parser.feed(page)
    return parser.fields


def _text(body: bytes) -> str:
    """What a page or a JSON body says, short."""
    words = re.sub(r"<(head|script).*?</\1>|<[^>]*>", " ", body.decode(errors="replace"), flags=re.DOTALL)
    return " ".join(words.split())[:200]


def _connection(address: str) -> http.client.HTTPConnection:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=30)


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise HttpFailed(f"the server ended with code {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise HttpFailed(f"the server did not answer on port {port} within {START_SECONDS} s")
