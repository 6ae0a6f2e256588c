"""What may go wrong between a browser and the site: no answer is lost, and none counts twice."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import Error, expect

from collection.models import ConflictingAnswer, PhaseRecord, Question, Session
from tests.browser.conftest import Visit
from tests.browser.participant import EYES_MS, Participant, short_study, stored
from tests.chromium import ARGUMENTS, find_chromium

pytestmark = pytest.mark.django_db(transaction=True)

# Ten times the pace: what waits for a second waits for a tenth of it.
HURRY = "const wait = setTimeout; window.setTimeout = (act, ms) => wait(act, ms / 10);"
# When each photo was painted, in milliseconds of the computer's clock.
PAINTED = """
window.painted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) painted.push(performance.timeOrigin + entry.renderTime);
}).observe({ type: "element", buffered: true });
new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.tagName === "IMG") node.setAttribute("elementtiming", "photo");
  }
}).observe(document, { childList: true, subtree: true });
"""


def count_replies(context):
    """How often the server has said what of an answer; fills as replies come in."""
    replies = Counter()

    def note(response):
        if response.url.endswith("/answers/") and response.ok:
            replies[response.json()["status"]] += 1

    context.on("response", note)
    return replies


def test_after_an_hour_without_a_network_each_answer_arrives_once(participant):
    """And the pair that was looked at meanwhile has no response time, but the reason why."""
    someone = participant()
    someone.page.clock.install()
    someone.begin(short_study())
    replies = count_replies(someone.visit.context)
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)
    someone.has_loaded(2, 3, 4, 5)
    someone.visit.context.set_offline(True)
    kept = sides | someone.answer_from(2, 4)
    someone.ready(5)
    expect(someone.page.get_by_text("Waiting to be sent: 3")).to_be_visible()
    someone.page.clock.fast_forward("01:00:01")
    expect(someone.page.get_by_text("Waiting to be sent: 3")).to_be_visible()
    assert stored() == sides
    someone.visit.context.set_offline(False)
    kept |= someone.answer_from(5, 7)
    someone.section("finished")
    assert stored() == kept
    someone.wait_for(lambda: replies == {"stored": 8})
    times = dict(Question.objects.values_list("index", "response_ms"))
    assert times.pop(5) is None
    assert Question.objects.get(index=5).client["missing_time"] == "more than an hour"
    assert all(0 < ms < 60_000 for ms in times.values())


def test_whoever_loads_the_page_again_without_a_network_loses_nothing(participant):
    someone = participant()
    someone.begin(short_study())
    address = someone.page.url
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)
    someone.has_loaded(2, 3)
    someone.visit.context.set_offline(True)
    kept = sides | someone.answer_from(2, 3)
    expect(someone.page.get_by_text("Waiting to be sent: 2")).to_be_visible()
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        someone.page.reload()
    assert stored().items() <= kept.items()  # a request that begins as its page ends may slip out
    someone.visit.context.set_offline(False)
    someone.page.goto(address)
    kept |= someone.answer_from(4, 7)
    someone.section("finished")
    assert stored() == kept
    assert not ConflictingAnswer.objects.exists()


def test_an_answer_outlives_a_crash_of_its_tab(participant):
    study = short_study()
    someone = participant()
    someone.begin(study)
    someone.ready(0)
    someone.has_loaded(0, 1)
    someone.visit.context.set_offline(True)
    sides = someone.answer_from(0, 1)
    expect(someone.page.get_by_text("Waiting to be sent: 2")).to_be_visible()
    with someone.page.expect_event("crash"), contextlib.suppress(Error):
        someone.page.goto("chrome://crash")
    assert stored().items() <= sides.items()  # a request that begins as its page ends may slip out
    someone.page.close()
    someone.visit.context.set_offline(False)
    someone.page = someone.visit.page()
    someone.open(study)
    someone.page.get_by_role("button", name="Continue").click()
    sides |= someone.answer_from(2, 7)
    someone.section("finished")
    assert stored() == sides


def test_an_answer_outlives_its_browser(browser, live_server, tmp_path):
    """The system ends all of it at once, as phones do when memory is short."""
    study = short_study()

    def opened():
        return Participant(Visit(Profile(browser, tmp_path), live_server.url))

    someone = opened()
    someone.begin(study)
    someone.ready(0)
    address = someone.page.url
    someone.has_loaded(0, 1)
    someone.visit.context.set_offline(True)
    sides = someone.answer_from(0, 1)
    expect(someone.page.get_by_text("Waiting to be sent: 2")).to_be_visible()
    end_browser(tmp_path)
    someone = opened()
    someone.visit.context.clear_cookies()  # Chromium writes them to the disk after half a minute
    someone.page.goto(address)
    someone.page.get_by_role("button", name="Yes, the same device").click()
    someone.ready(2)
    someone.visit.context.close()
    assert stored() == sides


class Profile:
    """Opens a browser of its own, whose cookies and storage are files."""

    def __init__(self, browser, folder):
        self.type, self.folder = browser.browser_type, folder

    def new_context(self):
        path = find_chromium()
        return self.type.launch_persistent_context(self.folder, executable_path=path, args=ARGUMENTS)


def end_browser(folder):
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"--user-data-dir={folder}".encode() in command.read_bytes():
                os.kill(int(command.parent.name), signal.SIGKILL)


def test_every_request_may_fail_in_every_way(participant):
    """A 500, the page of a proxy that finds no site, no reply at all, and a reply that is lost: then it works."""
    someone = participant()
    someone.page.add_init_script(HURRY)
    replies = count_replies(someone.visit.context)
    seen = Counter()

    def trouble(route):
        seen[request := (route.request.url, route.request.post_data)] += 1
        match seen[request]:
            case 1:
                route.fulfill(status=500, body="")
            case 2:
                route.fulfill(status=502, content_type="text/html", body="<h1>Bad gateway</h1>")
            case 3:
                route.abort("connectionrefused")
            case 4:
                route.fetch()
                route.abort("connectionreset")
            case _:
                route.continue_()

    someone.visit.context.route("**/api/participant/**", trouble)
    phases = ("consent", "display", "instructions", "main", "questionnaire")
    someone.begin(short_study(phases=phases, n_main=3, n_checks=1, check_lag=1, allow_undo=True))
    someone.section("waiting")
    someone.act("display", "done")
    someone.act("instructions", "begin")
    someone.press(0, "left")
    someone.press(1, "left")
    someone.ready(2)
    someone.page.keyboard.press("Backspace")
    sides = {0: "left"} | someone.answer_from(1, 3)
    someone.act("questionnaire", "send")
    someone.section("finished")
    assert stored() == sides
    someone.wait_for(lambda: replies == {"repeated": 5})
    assert [conflict.reason for conflict in ConflictingAnswer.objects.all()] == ["undone"]
    assert Counter(PhaseRecord.objects.values_list("phase", flat=True)) == {
        "display": 1,
        "instructions": 1,
        "questionnaire": 1,
    }
    assert Session.objects.count() == 1


def test_a_server_that_takes_a_request_and_says_nothing_is_asked_again(participant):
    someone = participant()
    someone.page.clock.install()
    someone.begin(short_study())
    someone.ready(0)
    requests = []

    def silence(route):
        requests.append(route)
        if len(requests) > 1:
            route.continue_()

    someone.page.route("**/answers/", silence)
    someone.press(0, "left")
    someone.wait_for(lambda: requests)
    assert stored() == {}
    someone.page.clock.fast_forward(3_000)
    expect(someone.page.get_by_text("Waiting to be sent: 1")).to_be_visible()
    someone.page.clock.fast_forward(13_000)
    someone.wait_for(lambda: stored() == {0: "left"})
    expect(someone.page.get_by_text("Waiting to be sent")).to_be_hidden()
    assert len(requests) == 2
    assert not ConflictingAnswer.objects.exists()


@pytest.mark.parametrize("call", ["IDBFactory.prototype.open", "IDBObjectStore.prototype.put"])
def test_where_the_browsers_storage_says_nothing_answers_are_sent_all_the_same(participant, call):
    someone = participant()
    someone.page.add_init_script(f"{HURRY} {call} = () => ({{}});")
    someone.begin(short_study())
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)


def test_a_new_release_in_mid_session_costs_nothing(participant):
    """The site is stopped while somebody answers, and started again after a while."""
    someone = participant()
    with Site() as site:
        someone.visit.home = site.home
        site.start()
        someone.begin(short_study())
        replies = count_replies(someone.visit.context)
        sides = someone.answer_from(0, 1)
        someone.wait_for(lambda: stored() == sides)
        someone.has_loaded(2, 3, 4, 5)
        site.stop()
        sides |= someone.answer_from(2, 5)
        # The photos that come next are with the server; they are asked for three times.
        expect(someone.page.locator("#trouble")).to_be_visible()
        assert len(stored()) == 2
        site.start()
        someone.act("trouble", "again")
        sides |= someone.answer_from(6, 7)
        someone.section("finished")
    assert stored() == sides
    someone.wait_for(lambda: replies == {"stored": 8})


class Site:
    """The site in a process of its own, on the tests' database and files."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = f"http://127.0.0.1:{self.port}"
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def start(self):
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--no-log", "config.wsgi:application"]
        environment = os.environ | {"DATABASE_URL": database_url()}
        self.process = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR)
        while not self.listens():
            assert self.process.poll() is None, "the site did not start"
            time.sleep(0.05)

    def listens(self):
        with socket.socket() as visitor:
            return visitor.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()


def database_url():
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    who = f"{database['USER']}:{database['PASSWORD']}"
    return f"postgres://{who}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def test_nobody_sees_or_judges_a_pair_of_which_one_photo_is_missing(participant):
    """Time runs from the moment when both are on the screen."""
    someone = participant()
    someone.page.add_init_script(PAINTED)
    someone.begin(short_study(phases=("consent", "instructions", "main")))
    someone.section("instructions")
    held = []
    question = Question.objects.get(index=0)
    someone.page.route(f"**/photo/{question.public_id}/right/", lambda route: held.append(route))
    someone.page.reload()
    someone.act("instructions", "begin")
    expect(someone.page.get_by_text("The photos are on their way")).to_be_visible()
    someone.page.keyboard.press("ArrowLeft")
    someone.page.wait_for_timeout(600)
    assert someone.page.locator('.photos[data-state="blank"]').count() == 1
    assert someone.page.evaluate("window.painted") == []
    held[0].continue_()
    someone.press(0, "right")
    someone.wait_for(lambda: stored() == {0: "right"})
    painted = someone.page.evaluate("window.painted")[:2]
    question.refresh_from_db()
    assert len(painted) == 2
    # On a busy machine a frame reaches the screen a little after the next one has begun.
    assert question.client["shown_at"] >= max(painted) - 50
    assert EYES_MS <= question.response_ms < question.client["chosen_at"] - min(painted) + 20
    assert someone.page.evaluate("window.shift") == 0


def test_a_slow_network_takes_longer_and_changes_nothing(participant):
    """600 ms of latency and 200 kbit/s: less than somebody in a hurry needs."""
    someone = participant(390, 844, touch=True)
    someone.page.add_init_script(PAINTED)
    network = someone.visit.context.new_cdp_session(someone.page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 600, "downloadThroughput": 25_000, "uploadThroughput": 25_000}
    network.send("Network.emulateNetworkConditions", slow)
    someone.begin(short_study(n_main=3, n_checks=1, check_lag=1))
    sides = someone.answer_from(0, 3)
    someone.section("finished")
    assert stored() == sides
    painted = someone.page.evaluate("window.painted")
    assert len(painted) == 2 * 4
    for question in Question.objects.all():
        assert question.client["shown_at"] >= sorted(painted)[2 * question.index + 1] - 50
        assert EYES_MS <= question.response_ms <= question.elapsed_ms
    first = Question.objects.get(index=0)
    assert first.elapsed_ms - first.response_ms >= slow["latency"]  # the photos' way is no time to look
    assert someone.page.evaluate("window.shift") == 0
    assert someone.visit.faults == []


@pytest.mark.parametrize("reply", [{"status": 500}, {"content_type": "image/webp", "body": "RIFF cut short"}])
def test_a_photo_that_arrives_at_the_second_try_is_shown(participant, reply):
    someone = participant()
    tries = []

    def trouble(route):
        tries.append(route)
        if len(tries) == 1:
            route.fulfill(**reply)
        else:
            route.continue_()

    study = short_study(phases=("consent", "instructions", "main"))
    someone.begin(study)
    someone.section("instructions")
    question = Question.objects.get(index=0)
    someone.page.route(f"**/photo/{question.public_id}/left/", trouble)
    someone.page.reload()
    someone.act("instructions", "begin")
    someone.press(0, "left")
    someone.wait_for(stored)
    assert Question.objects.get(index=0).client["image_retries"] == 1
