"""The question page in a real browser: what is painted, how it is answered, and what it takes for an answer."""

import pytest
from playwright.sync_api import expect

from collection.models import ConflictingAnswer, Question
from tests.browser.participant import short_study, stored
from variants.models import Rendition

pytestmark = pytest.mark.django_db(transaction=True)


def client_of(index):
    return Question.objects.get(index=index).client


def hold(someone, photo, spot, *, then=()):
    """Press on a spot of a photo, in parts of its size, long enough to look closer; move on, and let go later."""
    page = someone.page
    places = [(photo["x"] + x * photo["width"], photo["y"] + y * photo["height"]) for x, y in (spot, *then)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.wait_for_selector(".photos[data-zoomed]")
    for place in places[1:]:
        page.mouse.move(*place)


def test_taps_on_a_phone(participant):
    """Above one another, as large as the narrow screen lets them be, the whole half to touch."""
    someone = participant(390, 844, touch=True)
    someone.begin(short_study(size=(600, 400)))
    for index in range(8):
        side = ["left", "right"][index % 2]
        someone.ready(index)
        upper, lower = someone.photos()
        assert (upper["width"], upper["height"]) == (lower["width"], lower["height"])
        assert upper["width"] == 374  # 390 less the page's margins
        assert upper["width"] / upper["height"] == pytest.approx(1.5, abs=0.01)
        assert upper["y"] + upper["height"] < lower["y"]
        box = someone.page.locator(f'.photo[data-side="{side}"]').bounding_box()
        assert box["width"] >= 44
        assert box["height"] >= 44
        someone.page.locator(f'.photo[data-side="{side}"]').tap()
    someone.section("finished")
    assert stored() == {index: ["left", "right"][index % 2] for index in range(8)}
    assert someone.visit.faults == []


def test_clicks_and_the_tab_key(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    someone.page.get_by_role("button", name="Right photo").click()
    someone.ready(1)
    someone.page.get_by_role("button", name="Left photo").focus()
    someone.page.keyboard.press("Enter")
    someone.ready(2)
    someone.wait_for(lambda: stored() == {0: "right", 1: "left"})
    assert [client_of(index)["input"] for index in (0, 1)] == ["mouse", "key"]


def test_a_screen_reader_hears_the_sides_and_nothing_of_a_difference(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    assert someone.page.locator("#question").aria_snapshot().splitlines() == [
        '- progressbar "Questions answered"',
        '- heading "Which one do you like better?" [level=1]',
        "- paragraph: 1 of 8",
        '- button "Left photo"',
        '- button "Right photo"',
        "- paragraph: ← or → · hold Z to look closer",
    ]
    someone.page.set_viewport_size({"width": 700, "height": 1000})
    expect(someone.page.get_by_role("button", name="Upper photo")).to_be_visible()
    expect(someone.page.get_by_role("button", name="Lower photo")).to_be_visible()


@pytest.mark.parametrize("scale", [1.25, 2, 3])
def test_photos_are_not_enlarged_beyond_the_screens_pixels(participant, scale):
    someone = participant(1440, 900, scale=scale)
    someone.begin(short_study())
    someone.ready(0)
    for photo in someone.photos():
        assert photo["width"] * scale == pytest.approx(240, abs=0.05)
        assert photo["height"] * scale == pytest.approx(160, abs=0.05)


@pytest.mark.parametrize("size", [(1600, 300), (300, 1600), (900, 900)])
def test_photos_of_any_shape_are_whole_and_alike_in_every_window(participant, size):
    someone = participant()
    someone.page.route("**/display/", lambda route: route.fulfill(json={"status": "stored", "ask": False}))
    someone.begin(short_study(size=size, allow_tie=True, allow_undo=True))
    for width, height in ((390, 844), (820, 1180), (1440, 900), (844, 390)):
        someone.page.set_viewport_size({"width": width, "height": height})
        someone.ready(0)
        left, right = someone.photos()
        assert (left["width"], left["height"]) == (right["width"], right["height"])
        assert left["width"] / left["height"] == pytest.approx(size[0] / size[1], rel=0.02)
        for photo in (left, right):
            assert photo["inner"] == {name: photo[name] for name in ("x", "y", "width", "height")}
            assert 0 <= photo["x"] <= width - photo["width"]
            assert 0 <= photo["y"] <= height - photo["height"]
        row = left["y"] == right["y"]
        assert row is (width > height)
        # As large as the window lets both be: one direction is used up, but for margins, head and buttons.
        used = (left["width"] * (1 + row) / width, left["height"] * (2 - row) / height)
        assert max(used) > 0.6


def test_a_key_held_down_answers_once(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    someone.page.keyboard.down("ArrowLeft")
    someone.ready(1)
    someone.page.keyboard.down("ArrowLeft")  # the second one is a repetition
    someone.page.wait_for_timeout(300)
    someone.page.keyboard.up("ArrowLeft")
    assert stored() == {0: "left"}


def test_a_double_click_answers_once(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    someone.page.locator('.photo[data-side="left"]').dblclick(delay=5)
    someone.ready(1)
    someone.page.wait_for_timeout(300)
    assert stored() == {0: "left"}


def test_the_clock_starts_when_both_photos_are_painted(participant):
    someone = participant()
    held = []
    someone.page.route("**/photo/**", lambda route: held.append(route))
    someone.begin(short_study())
    expect(someone.page.get_by_text("The photos are on their way")).to_be_visible()
    someone.page.wait_for_timeout(900)
    someone.page.keyboard.press("ArrowLeft")  # nothing is asked yet
    someone.page.unroute("**/photo/**")  # lets go what was held
    someone.press(0, "left")
    someone.wait_for(stored)
    answered = Question.objects.get(index=0)
    assert answered.response_ms >= 100
    assert answered.elapsed_ms - answered.response_ms >= 900


def test_the_next_three_pairs_are_loaded_ahead(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    someone.has_loaded(1, 2, 3)
    someone.page.wait_for_timeout(500)  # and nothing after them
    sources = {
        f"/photo/{q.public_id}/{side}/"
        for q in Question.objects.filter(index__lte=3)
        for side in ("left", "right")
    }
    assert {
        url.removeprefix(someone.visit.home) for url in someone.visit.requests if "/photo/" in url
    } == sources


def test_no_recipe_reaches_the_browser(participant):
    """In no address, header or text that comes, in no attribute of the page, in no file name that is offered."""
    someone = participant()
    came = []

    def take(request):
        reply = request.response()
        came.append(reply.url + str(reply.all_headers()))
        if reply.ok and "/photo/" not in reply.url:
            came.append(reply.text())

    someone.visit.context.on("requestfinished", take)
    someone.begin(short_study())
    for index in range(3):
        someone.press(index, "left")
    someone.ready(3)
    told = someone.page.content() + "".join(came)
    assert all(f"/photo/{q.public_id}/left/" in told for q in Question.objects.filter(index__lt=4))
    secrets = {"exposure", "recipe"}
    for rendition in Rendition.objects.all():
        secrets |= {rendition.public_id, rendition.image.name}
    assert [secret for secret in secrets if secret in told] == []


def test_a_page_out_of_sight_is_recorded(participant):
    someone = participant()
    someone.begin(short_study())
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
    assert client_of(0)["hidden_count"] == 1
    assert client_of(0)["hidden_ms"] >= 150


@pytest.mark.parametrize(
    ("setting", "grey", "text"),
    [
        ({}, "rgb(119, 119, 119)", "rgb(0, 0, 0)"),
        ({"surround": "#202020"}, "rgb(32, 32, 32)", "rgb(255, 255, 255)"),
    ],
)
def test_the_surround_is_the_studys_grey(participant, setting, grey, text):
    """Mid grey where the study says nothing."""
    someone = participant()
    someone.begin(short_study(**setting))
    someone.ready(0)
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert someone.page.evaluate(style.format("body", "backgroundColor")) == grey
    assert someone.page.evaluate(style.format(".ask", "color")) == text


def test_a_hold_shows_the_same_spot_of_both_photos_and_is_no_answer(participant):
    """Twice as large about the spot that is held, within the photo's box; moving looks about; letting go ends it."""
    someone = participant(1440, 900)
    someone.begin(short_study(size=(600, 400)))
    someone.ready(0)
    before = someone.photos()
    hold(someone, before[1], (0.25, 0.5), then=[(0.75, 1)])
    for photo, plain in zip(someone.photos(), before, strict=True):
        assert {name: photo[name] for name in ("x", "y", "width", "height")} == plain["inner"]
        assert photo["inner"]["width"] == pytest.approx(2 * plain["width"])
        assert photo["inner"]["height"] == pytest.approx(2 * plain["height"])
        # The point at (0.75, 1) stays where it is.
        assert photo["inner"]["x"] == pytest.approx(plain["x"] - 0.75 * plain["width"], abs=1)
        assert photo["inner"]["y"] == pytest.approx(plain["y"] - plain["height"], abs=1)
    someone.page.mouse.up()
    assert someone.photos() == before
    someone.page.wait_for_timeout(300)
    assert stored() == {}
    someone.page.locator('.photo[data-side="left"]').click()
    someone.wait_for(lambda: stored() == {0: "left"})
    assert client_of(0)["zoom_count"] == 1
    assert 0 < client_of(0)["zoom_ms"] < Question.objects.get(index=0).response_ms


def test_large_photos_are_looked_at_in_their_own_pixels(participant):
    """1800 pixels shown in 600 or so: three times, so that each has a pixel of the screen."""
    someone = participant(1440, 900)
    someone.begin(short_study(size=(2100, 1400)))
    someone.ready(0)
    plain = someone.photos()[0]
    assert plain["width"] < 2100 / 2
    someone.page.keyboard.down("z")
    photo = someone.photos()[0]
    assert photo["inner"]["width"] == pytest.approx(2100, abs=1)
    assert someone.middle(photo["inner"]) == pytest.approx(someone.middle(plain), abs=1)
    someone.page.keyboard.up("z")
    assert someone.photos()[0] == plain
    someone.page.keyboard.press("ArrowRight")
    someone.wait_for(stored)
    assert client_of(0)["zoom_count"] == 1


def test_a_finger_that_holds_looks_closer(participant):
    someone = participant(390, 844, touch=True, scale=3)
    someone.begin(short_study(size=(900, 600)))
    someone.ready(0)
    upper = someone.photos()[0]
    touch = someone.visit.context.new_cdp_session(someone.page)

    def finger(kind, *at):
        points = [{"x": x, "y": y} for x, y in at]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = someone.middle(upper)
    finger("touchStart", (x, y))
    someone.page.wait_for_selector(".photos[data-zoomed]")
    finger("touchMove", (upper["x"], y))
    for photo in someone.photos():
        assert photo["inner"]["x"] == pytest.approx(photo["x"], abs=1)
        assert photo["inner"]["width"] == pytest.approx(2 * photo["width"])
    finger("touchEnd")
    expect(someone.page.locator(".photos[data-zoomed]")).to_have_count(0)
    someone.page.wait_for_timeout(300)
    assert stored() == {}
    someone.page.locator('.photo[data-side="right"]').tap()
    someone.wait_for(lambda: stored() == {0: "right"})
    assert client_of(0)["zoom_count"] == 1


def test_a_key_that_answers_ends_the_look(participant):
    """And letting go of the button then answers nothing."""
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    hold(someone, someone.photos()[0], (0.5, 0.5))
    someone.page.keyboard.press("ArrowRight")
    someone.ready(1)
    assert someone.page.locator(".photos[data-zoomed]").count() == 0
    someone.page.mouse.up()
    someone.page.wait_for_timeout(300)
    assert stored() == {0: "right"}


@pytest.mark.parametrize("key", ["ArrowDown", "t", "click"])
def test_no_difference_is_an_answer_where_the_study_allows_it(participant, key):
    someone = participant()
    someone.begin(short_study(allow_tie=True))
    someone.ready(0)
    if key == "click":
        someone.page.get_by_role("button", name="No difference").click()
    else:
        someone.page.keyboard.press(key)
    someone.ready(1)
    someone.wait_for(lambda: stored() == {0: "tie"})
    assert client_of(0)["input"] == ("mouse" if key == "click" else "key")


def test_no_difference_is_not_there_where_the_study_forbids_it(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    for key in ("ArrowDown", "t", "Backspace"):
        someone.page.keyboard.press(key)
    someone.page.wait_for_timeout(200)
    someone.ready(0)
    assert stored() == {}
    assert someone.page.locator(".tools").count() == 0


def test_the_arrow_down_means_the_lower_photo_on_tall_windows(participant):
    someone = participant(820, 1180)
    someone.begin(short_study(allow_tie=True))
    someone.ready(0)
    someone.page.keyboard.press("ArrowDown")
    someone.ready(1)
    someone.page.keyboard.press("t")
    someone.ready(2)
    someone.wait_for(lambda: stored() == {0: "right", 1: "tie"})


@pytest.mark.parametrize("by", ["key", "click"])
def test_the_last_answer_can_be_taken_back_once(participant, by):
    someone = participant()
    someone.begin(short_study(allow_undo=True))
    undo = someone.page.get_by_role("button", name="Take back")
    someone.ready(0)
    assert undo.is_disabled()
    someone.press(0, "left")
    someone.press(1, "left")
    someone.ready(2)
    if by == "click":
        undo.click()
    else:
        someone.page.keyboard.press("Backspace")
    someone.ready(1)
    expect(someone.page.locator("#question .count")).to_have_text("2 of 8")
    assert undo.is_disabled()
    someone.page.keyboard.press("Backspace")  # the one before stands
    someone.press(1, "right")
    someone.ready(2)
    someone.wait_for(lambda: stored() == {0: "left", 1: "right"})
    assert [kept.reason for kept in ConflictingAnswer.objects.all()] == ["undone"]


def test_what_is_taken_back_offline_arrives_in_its_order(participant):
    someone = participant()
    someone.begin(short_study(allow_undo=True))
    someone.ready(0)
    someone.has_loaded(1, 2, 3)
    someone.visit.context.set_offline(True)
    someone.press(0, "left")
    someone.ready(1)
    someone.page.keyboard.press("Backspace")
    someone.press(0, "right")
    someone.press(1, "right")
    expect(someone.page.get_by_text("Waiting to be sent: 4")).to_be_visible()
    someone.visit.context.set_offline(False)
    someone.wait_for(lambda: stored() == {0: "right", 1: "right"})
    assert [kept.reason for kept in ConflictingAnswer.objects.all()] == ["undone"]
    assert someone.page.locator("[data-note]:visible").count() == 0
