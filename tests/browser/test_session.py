"""A participant's session in a real browser: keyboard, touch, reloads, a bad network, a second tab."""

import random
import time
from collections import Counter

import pytest
from playwright.sync_api import expect

from collection.models import ConflictingAnswer, DisplayRecord, Question, Session, Study
from tests.collection.factories import make_study

pytestmark = pytest.mark.django_db(transaction=True)
SHORT = {"n_practice": 1, "n_main": 6, "n_checks": 2, "check_lag": 3}
KEYS = {"left": "ArrowLeft", "right": "ArrowRight"}
EYES_MS = 120  # the page takes no press that comes within 100 ms of the photos
LAYOUT_SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


class Participant:
    """A person before one page; reads what is shown and answers."""

    def __init__(self, visit):
        self.visit = visit
        self.page = visit.page()
        self.loads = 0
        self.page.on("framenavigated", self._loaded)
        self.page.add_init_script(LAYOUT_SHIFTS)

    def _loaded(self, frame):
        self.loads += 1

    def open(self, study):
        self.page.goto(f"{self.visit.home}/s/{study.slug}/")

    def begin(self, study):
        self.open(study)
        self.page.get_by_role("button", name="I agree").click()
        self.page.locator('[data-act="begin"]').click()

    def section(self, name):
        expect(self.page.locator(f"#{name}")).to_be_visible()

    def ready(self, index):
        """Wait for the question's photos and for a person's eyes."""
        self.page.wait_for_selector(f'.photos[data-state="ready"][data-index="{index}"]')
        self.page.wait_for_timeout(EYES_MS)

    def press(self, index, side):
        self.ready(index)
        self.page.keyboard.press(KEYS[side])

    def answer_from(self, first, last):
        """Answer questions `first` to `last` by key; sides by index."""
        sides = {}
        for index in range(first, last + 1):
            sides[index] = random.Random(index).choice(["left", "right"])
            self.press(index, sides[index])
            if index == 0 and last > 0:
                self.page.locator('[data-act="go"]').click()
        return sides

    def wait_for(self, truth, seconds=15):
        """The database follows the page by a request; the browser's events are served meanwhile."""
        end = time.monotonic() + seconds
        while not truth():
            assert time.monotonic() < end, "it did not come true in time"
            self.page.wait_for_timeout(50)

    def photos(self):
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".photo img")].map((image) => {
                const box = image.getBoundingClientRect();
                return {
                    src: image.getAttribute("src"), alt: image.alt, complete: image.complete,
                    natural: [image.naturalWidth, image.naturalHeight],
                    x: box.x, y: box.y, width: box.width, height: box.height,
                    fit: getComputedStyle(image).objectFit, visible: getComputedStyle(image).visibility,
                };
            })"""
        )


@pytest.fixture
def participant(visit):
    return lambda *args, **options: Participant(visit(*args, **options))


def short_study(**changes):
    return make_study(n_scenes=3, per_scene=3, size=(240, 160), files=True, **{**SHORT, **changes})


def stored():
    """Index → side of what the database holds."""
    return dict(Question.objects.exclude(chosen_side="").values_list("index", "chosen_side"))


@pytest.mark.slow
def test_a_whole_session_by_keyboard(participant):
    """3 practice, 80 main and 10 checks: every answer stands in the database once, with its time."""
    study = make_study(n_scenes=8, per_scene=12, size=(240, 160), files=True)
    someone = participant(1440, 900)
    someone.begin(study)
    loads, sides, painted = someone.loads, {}, []
    for index in range(93):
        sides[index] = random.Random(index).choice(["left", "right"])
        someone.ready(index)
        painted.append(someone.photos())
        someone.page.keyboard.press(KEYS[sides[index]])
        if index == 2:
            someone.section("between")
            someone.page.keyboard.press("Enter")
    someone.section("finished")
    expect(someone.page.get_by_role("heading", name="Thank you")).to_be_focused()

    session = Session.objects.get()
    questions = list(session.questions.select_related("repeats", "left", "right"))
    assert session.finished_at is not None
    assert {q.index: q.chosen_side for q in questions} == sides
    assert Counter(q.kind for q in questions) == {"practice": 3, "main": 80, "check": 10}
    assert not ConflictingAnswer.objects.exists()
    for q in questions:
        assert 100 <= q.response_ms <= q.elapsed_ms
        assert q.client["input"] == "key"
        assert q.client["layout"] == "row"
        assert q.client["hidden_count"] == 0
        assert "dropped" not in q.client
    for check in (q for q in questions if q.kind == "check"):
        assert (check.left, check.right) == (check.repeats.right, check.repeats.left)
        assert check.index - check.repeats.index >= 15

    # What was on the screen is what the rows say, decoded, at one size, and not larger than its pixels.
    for q, (left, right) in zip(questions, painted, strict=True):
        assert left["src"].rstrip("/").endswith(q.left.public_id)
        assert right["src"].rstrip("/").endswith(q.right.public_id)
        assert left["complete"]
        assert right["complete"]
        assert left["natural"] == right["natural"] == [240, 160]
        assert (left["width"], left["height"]) == (right["width"], right["height"]) == (240, 160)
        assert left["visible"] == right["visible"] == "visible"
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] <= right["x"]
    assert someone.loads == loads, "a page was loaded between questions"
    assert someone.page.evaluate("window.shift") == 0
    assert someone.visit.faults == []


def test_the_display_is_recorded(participant):
    someone = participant(1440, 900, scale=2)
    someone.begin(short_study())
    someone.wait_for(DisplayRecord.objects.exists)
    record = DisplayRecord.objects.get()
    assert (record.screen_width, record.screen_height, record.pixel_ratio) == (1440, 900, 2)
    assert record.color_depth in (24, 30)
    assert record.color_gamut == "srgb"
    assert record.details["viewport_width"] == 1440
    assert record.details["browser"]
    assert "dropped" not in record.details


def test_a_reload_goes_on_at_the_first_unanswered_question(participant):
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 3)
    someone.ready(4)
    someone.page.reload()
    someone.ready(4)
    assert someone.page.locator(".count").inner_text() == "4 of 8"
    sides |= someone.answer_from(4, 8)
    someone.section("finished")
    assert stored() == sides


def test_the_link_goes_on_another_day(participant):
    study = short_study()
    someone = participant()
    someone.begin(study)
    someone.answer_from(0, 2)
    someone.ready(3)
    someone.page.close()
    someone.page = someone.visit.page()
    someone.open(study)
    expect(someone.page.get_by_text("2 of 8 questions are answered")).to_be_visible()
    someone.page.get_by_role("link", name="Continue").click()
    someone.answer_from(3, 8)
    someone.section("finished")
    someone.open(study)
    expect(someone.page.get_by_role("heading", name="You have answered this study")).to_be_visible()
    assert Session.objects.count() == 1


def test_the_back_button_leads_to_the_way_on(participant):
    someone = participant()
    someone.begin(short_study())
    someone.answer_from(0, 1)
    someone.ready(2)
    someone.page.go_back()
    someone.page.get_by_role("link", name="Continue").click()
    someone.ready(2)


def test_taps_on_a_phone(participant):
    """Above one another, as large as the narrow screen lets them be, the whole half to touch."""
    someone = participant(390, 844, touch=True)
    someone.open(make_study(n_scenes=3, per_scene=3, size=(600, 400), files=True, **SHORT))
    someone.page.get_by_role("button", name="I agree").tap()
    someone.page.locator('[data-act="begin"]').tap()
    for index in range(9):
        side = ["left", "right"][index % 2]
        someone.ready(index)
        upper, lower = someone.photos()
        assert (upper["width"], upper["height"]) == (lower["width"], lower["height"])
        assert upper["width"] == pytest.approx(374)  # 390 less the page's margins
        assert upper["width"] / upper["height"] == pytest.approx(1.5, abs=0.01)
        assert upper["y"] + upper["height"] < lower["y"]
        assert (upper["alt"], lower["alt"]) == ("Upper photo", "Lower photo")
        button = someone.page.locator(f'.photo[data-side="{side}"]')
        box = button.bounding_box()
        assert box["width"] >= 44
        assert box["height"] >= 44
        button.tap()
        if index == 0:
            someone.page.locator('[data-act="go"]').tap()
    someone.section("finished")
    assert stored() == {index: ["left", "right"][index % 2] for index in range(9)}
    assert {q.client["input"] for q in Question.objects.all()} == {"touch"}
    assert someone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert someone.visit.faults == []


def test_clicks_and_the_tab_key(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    someone.page.locator('.photo[data-side="right"]').click()
    someone.page.locator('[data-act="go"]').click()
    someone.ready(1)
    someone.page.locator('.photo[data-side="left"]').focus()
    someone.page.keyboard.press("Enter")
    someone.ready(2)
    someone.wait_for(lambda: stored() == {0: "right", 1: "left"})
    assert [q.client["input"] for q in Question.objects.order_by("index")[:2]] == ["mouse", "key"]


@pytest.mark.parametrize("scale", [2, 3])
def test_photos_are_not_enlarged_beyond_the_screens_pixels(participant, scale):
    someone = participant(1440, 900, scale=scale)
    someone.begin(short_study())
    someone.ready(0)
    for photo in someone.photos():
        assert photo["width"] * scale == pytest.approx(240)


def test_a_key_held_down_answers_once(participant):
    someone = participant()
    someone.begin(short_study(n_practice=0))
    someone.ready(0)
    someone.page.keyboard.down("ArrowLeft")
    someone.ready(1)
    someone.page.keyboard.down("ArrowLeft")  # the second one is a repetition
    someone.page.wait_for_timeout(300)
    someone.page.keyboard.up("ArrowLeft")
    assert stored() == {0: "left"}


def test_a_double_click_answers_once(participant):
    someone = participant()
    someone.begin(short_study(n_practice=0))
    someone.ready(0)
    someone.page.locator('.photo[data-side="left"]').dblclick(delay=5)
    someone.ready(1)
    someone.page.wait_for_timeout(300)
    assert stored() == {0: "left"}


def test_the_clock_starts_when_both_photos_are_painted(participant):
    someone = participant()
    held = []
    someone.page.route("**/images/**", lambda route: held.append(route))
    someone.begin(short_study(n_practice=0))
    expect(someone.page.get_by_text("The photos are on their way")).to_be_visible()
    someone.page.wait_for_timeout(900)
    someone.page.keyboard.press("ArrowLeft")  # nothing is asked yet
    someone.page.unroute("**/images/**")  # lets go what was held
    someone.press(0, "left")
    someone.wait_for(stored)
    answered = Question.objects.get(index=0)
    assert answered.response_ms >= 100
    assert answered.elapsed_ms - answered.response_ms >= 900


def test_answers_wait_while_there_is_no_network(participant):
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 1)
    someone.ready(2)
    someone.wait_for(lambda: len(stored()) == 2)
    someone.page.wait_for_timeout(500)  # the next three pairs are loaded by now
    someone.visit.context.set_offline(True)
    sides |= someone.answer_from(2, 5)
    expect(someone.page.get_by_text("No connection. Your answers are kept")).to_be_visible()
    assert len(stored()) == 2
    someone.visit.context.set_offline(False)
    someone.ready(6)
    someone.wait_for(lambda: stored() == sides)
    expect(someone.page.get_by_text("No connection")).to_be_hidden()
    sides |= someone.answer_from(6, 8)
    someone.section("finished")
    assert stored() == sides
    assert not ConflictingAnswer.objects.exists()


def test_the_last_answer_waits_for_the_network_before_thanks(participant):
    someone = participant()
    someone.begin(short_study())
    someone.answer_from(0, 7)
    someone.ready(8)
    someone.visit.context.set_offline(True)
    someone.page.keyboard.press("ArrowLeft")
    someone.section("waiting")
    assert 8 not in stored()
    someone.visit.context.set_offline(False)
    someone.section("finished")
    assert stored()[8] == "left"


def test_an_answer_outlives_the_page_that_could_not_send_it(participant):
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)
    someone.page.route("**/answers/", lambda route: route.abort())
    sides |= someone.answer_from(2, 3)
    someone.ready(4)
    assert len(stored()) == 2
    someone.page.unroute("**/answers/")
    someone.page.reload()
    someone.ready(4)
    assert stored() == sides


def test_a_server_in_trouble_gets_each_answer_once(participant):
    """One reply of 500, then one answer that is stored and whose reply is lost."""
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)
    happened = []

    def trouble(route):
        happened.append(None)
        if len(happened) == 1:
            route.fulfill(status=500, body="")
        elif len(happened) == 2:
            route.fetch()
            route.abort()
        else:
            route.continue_()

    someone.page.route("**/answers/", trouble)
    sides |= someone.answer_from(2, 4)
    someone.wait_for(lambda: stored() == sides)
    assert len(happened) >= 5
    assert not ConflictingAnswer.objects.exists()


def test_a_second_tab_goes_on_where_the_first_is(participant):
    study = short_study(n_practice=0)
    first = participant()
    first.begin(study)
    first.ready(0)
    second = Participant(first.visit)
    second.page.goto(first.page.url)
    second.page.locator('[data-act="begin"]').click()
    second.ready(0)

    first.press(0, "left")
    first.press(1, "left")
    first.ready(2)
    first.wait_for(lambda: len(stored()) == 2)
    second.page.keyboard.press("ArrowRight")
    second.ready(2)
    assert stored() == {0: "left", 1: "left"}
    assert ConflictingAnswer.objects.get().payload["chosen_side"] == "right"
    second.press(2, "right")
    first.wait_for(lambda: stored() == {0: "left", 1: "left", 2: "right"})


def test_a_second_post_changes_nothing(participant):
    someone = participant()
    someone.begin(short_study())
    with someone.page.expect_request("**/answers/") as sent:
        someone.press(0, "left")
    someone.wait_for(stored)
    again = someone.page.evaluate(
        """async ([url, body]) => {
            const options = { method: "POST", headers: { "Content-Type": "application/json" }, body };
            const reply = await fetch(url, options);
            return [reply.status, await reply.json()];
        }""",
        [sent.value.url, sent.value.post_data],
    )
    assert again == [200, {"status": "repeated", "finished": False}]
    assert stored() == {0: "left"}


def test_a_photo_that_does_not_load_can_wait_for_the_end(participant):
    someone = participant()
    study = make_study(n_scenes=4, per_scene=1, files=True, n_practice=0, n_main=4, n_checks=0)
    someone.open(study)
    someone.page.get_by_role("button", name="I agree").click()
    someone.section("instructions")
    broken = f"**/images/{Question.objects.get(index=1).left.public_id}**"
    someone.page.route(broken, lambda route: route.abort())
    someone.page.reload()
    someone.page.locator('[data-act="begin"]').click()
    someone.press(0, "left")
    someone.section("trouble")
    someone.page.get_by_role("button", name="Leave it for the end").click()
    someone.press(2, "left")
    someone.press(3, "left")
    someone.section("trouble")
    expect(someone.page.get_by_role("button", name="Leave it for the end")).to_be_hidden()
    assert set(stored()) == {0, 2, 3}
    someone.page.unroute(broken)
    someone.page.get_by_role("button", name="Try again").click()
    someone.press(1, "right")
    someone.section("finished")
    assert stored() == {0: "left", 1: "right", 2: "left", 3: "left"}


def test_a_page_out_of_sight_is_recorded(participant):
    someone = participant()
    someone.begin(short_study(n_practice=0))
    someone.ready(0)
    hide = """(hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    someone.page.evaluate(hide, True)
    someone.page.wait_for_timeout(200)
    someone.page.evaluate(hide, False)
    someone.page.keyboard.press("ArrowLeft")
    someone.wait_for(stored)
    client = Question.objects.get(index=0).client
    assert client["hidden_count"] == 1
    assert client["hidden_ms"] >= 150


def test_a_study_closed_in_mid_session_says_so(participant):
    someone = participant()
    someone.begin(short_study(n_practice=0))
    someone.press(0, "left")
    someone.ready(1)
    someone.wait_for(stored)
    Study.objects.update(status="closed")
    someone.page.keyboard.press("ArrowLeft")
    someone.section("closed")
    assert stored() == {0: "left"}
    assert ConflictingAnswer.objects.get().reason == "study_closed"


def test_the_surround_is_the_studys_grey(participant):
    someone = participant()
    someone.begin(short_study(surround="#202020"))
    someone.ready(0)
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert someone.page.evaluate(style.format("body", "backgroundColor")) == "rgb(32, 32, 32)"
    assert someone.page.evaluate(style.format(".ask", "color")) == "rgb(255, 255, 255)"


def test_pages_are_light(participant):
    """Under 100 kB without the photos."""
    someone = participant()
    sizes = {}
    someone.page.on("response", lambda response: sizes.update({response.url: response}))
    someone.begin(short_study())
    someone.ready(0)
    page = [response for url, response in sizes.items() if "/images/" not in url]
    assert len(page) > 8
    assert sum(len(r.body()) for r in page if r.ok) < 100_000
