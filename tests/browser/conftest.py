"""A real Chromium in front of the real site."""

from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import expect, sync_playwright

from tests.browser.participant import Participant
from tests.chromium import ADVICE, ARGUMENTS, find_chromium

WAIT_MS = 30_000  # for what is expected to come; a busy machine takes its time
expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            # Ten processes share a small machine's cores here; what is truly broken fails twice.
            item.add_marker(pytest.mark.flaky(reruns=1))
    if connection.vendor == "sqlite":
        # The live server's threads and the tests each have a connection of their own; SQLite in
        # memory cannot keep them apart, SQLite in a file can.
        connection.settings_dict["TEST"]["NAME"] = str(settings.TONALIST_DATA / "test.sqlite3")


@pytest.fixture(scope="session")
def browser():
    path = find_chromium()
    if path is None:
        pytest.fail(ADVICE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """One browser profile, with what went wrong in it."""

    def __init__(self, browser, home, **options):
        self.home = home
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(WAIT_MS)
        self.faults = []
        self.requests = []
        self.finished = set()  # addresses from which everything has arrived
        self.context.on("requestfinished", lambda request: self.finished.add(request.url))
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.context.on("console", lambda message: self._console(message))
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def page(self):
        return self.context.new_page()

    def foreign(self):
        """Requests that went anywhere but home."""
        return [url for url in self.requests if not url.startswith((self.home, "data:", "blob:"))]


@pytest.fixture
def visit(browser, live_server):
    """`visit(width, height, touch=False)` opens a profile; each is looked over at the end."""
    visits = []

    def make(width=1440, height=900, *, touch=False, scale=1):
        options = {
            "viewport": {"width": width, "height": height},
            "has_touch": touch,
            "is_mobile": touch,
            "device_scale_factor": scale,
        }
        visits.append(Visit(browser, live_server.url, **options))
        return visits[-1]

    yield make
    for visited in visits:
        visited.context.close()
    assert [visited.foreign() for visited in visits] == [[] for _ in visits]
    assert [fault for each in visits for fault in each.faults if "Content Security Policy" in fault] == []


@pytest.fixture
def participant(visit):
    return lambda *args, **options: Participant(visit(*args, **options))
