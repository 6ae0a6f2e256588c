"""Simulated raters who come through the front door: the pages and the API that browsers use.

What they want is read from the database, what they are asked and how they answer goes
over HTTP, with nothing but the standard library. It is a load test as well: it says how
many answers a second were stored, and how long one took.
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
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import numpy as np
from django.db import connection

from collection.models import Rater, Session, Study
from collection.selectors.sessions import session_with
from collection.services.people import person_for, rater_mark_simulated
from collection.services.verdicts import verdicts_compute
from evaluation.services.simulations import (
    DISPLAY,
    PANEL,
    StudyViews,
    answer_seed,
    device_token_of,
    panel_id_of,
    study_claim_for_simulation,
)
from evaluation.simulation.raters import CROWDS, Crowd, SimulatedRater, simulate_rater
from variants.progress import Report, silent

TRIES = 5
"""Of one request, when the server is too busy: answers that are sent twice are stored once."""
START_SECONDS = 30
AT_A_TIME = 20


class HttpFailed(Exception):
    """The site did not answer as it should; the message says where and what it said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpResult:
    made: int
    found: int
    answers: int
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

    def begin(self, study: Study, panel_id: str) -> str | None:
        """Agree on the study's page; the session's token, or None where the rater has finished."""
        path = f"/s/{study.slug}/?pid={quote(panel_id)}"
        _, page, _ = self._request("GET", path)
        if b'name="csrfmiddlewaretoken"' not in page:
            return None
        form = {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")}
        if version := re.search(rb'name="consent_version"\s+value="([^"]*)"', page):
            form["consent_version"] = version[1].decode()
        status, body, headers = self._request("POST", path, form=form)
        location = headers.get("location", "")
        token = re.search(r"/session/([^/]+)/", location)
        if status != 302 or not token:
            raise HttpFailed(
                f"POST {path} answered {status} instead of a redirect to the session: {body[:200]!r}"
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
            raise HttpFailed(f"{method} {path} answered {status}: {body[:300].decode(errors='replace')}")
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
            else:
                if reply[0] < 500 or attempt == TRIES - 1:
                    return reply
            time.sleep(0.2 * 2**attempt)
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
    views = StudyViews(study)
    browsers: list[Browser] = []
    begun = time.monotonic()
    with ThreadPoolExecutor(concurrency) as pool:
        waiting = [
            pool.submit(_visit, study, index, address, seed, crowd, views) for index in range(n_raters)
        ]
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                browsers.append(future.result())
                report(done, n_raters, "simulated raters answer through HTTP")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    seconds = time.monotonic() - begun
    verdicts_compute(study, only_stale=True)
    times = [ms for browser in browsers for ms in browser.answer_ms]
    made = sum(bool(browser.answer_ms) for browser in browsers)
    return HttpResult(
        made=made,
        found=n_raters - made,
        answers=len(times),
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
    command += ["--port", str(port), "--workers", "2", "--no-log", "config.wsgi:application"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            _wait_until_it_answers(server, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _visit(study: Study, index: int, address: str, seed: int, crowd: Crowd, views: StudyViews) -> Browser:
    """One rater's whole visit; a browser without answers where they had finished before."""
    browser = Browser(address=address, cookies={"tonalist_device": device_token_of(seed, index)})
    try:
        if not _has_finished(study, panel_id_of(seed, index)):
            # Known as simulated before the door opens: people are turned away from a simulated study.
            person_for(panel=PANEL, panel_id=panel_id_of(seed, index), is_simulated=True)
            token = browser.begin(study, panel_id_of(seed, index))
            if token:
                taste = _taste(token, index, seed, crowd)
                browser.post(f"sessions/{token}/display/", DISPLAY)
                _answer_all(browser, token, taste, views, answer_seed(seed, index))
    finally:
        browser.close()
        connection.close()  # this thread's own
    return browser


def _has_finished(study: Study, panel_id: str) -> bool:
    raters = Rater.objects.filter(study=study, person__panel=PANEL, person__panel_id=panel_id)
    return Session.objects.filter(rater__in=raters, finished_at__isnull=False).exists()


def _taste(token: str, index: int, seed: int, crowd: Crowd) -> SimulatedRater:
    """The rater's taste, stored before the first answer, so that no answer ever looks like a person's."""
    session = session_with(token)
    if session is None:
        raise HttpFailed("the site has another database than this command; both need the same settings")
    if session.rater.simulation is None:
        rater_mark_simulated(session.rater, simulate_rater(index, seed=seed, crowd=crowd).to_json())
    return SimulatedRater.from_json(session.rater.simulation or {})


def _answer_all(browser: Browser, token: str, taste: SimulatedRater, views: StudyViews, seed: int) -> None:
    """Answer in order until nothing is left to ask."""
    while questions := browser.get(f"sessions/{token}/questions/?limit={AT_A_TIME}")["questions"]:
        for question in questions:
            left, right = (question[side].rstrip("/").rpartition("/")[2] for side in ("left", "right"))
            choice = views.choice(
                taste, left, right, index=question["index"], total=question["total"], seed=seed
            )
            answer = {"question": question["token"], "side": choice.side, "response_ms": choice.response_ms}
            begun = time.monotonic()
            browser.post(f"sessions/{token}/answers/", answer)
            browser.answer_ms.append(1000 * (time.monotonic() - begun))


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
