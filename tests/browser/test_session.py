"""A participant's session in a real browser from consent to the end: reloads, a bad network, a second tab."""

import random
from collections import Counter

import pytest
from playwright.sync_api import expect

from collection.design.protocol import PHASES
from collection.design.screening import color_vision_plates, levels_plates
from collection.models import ConflictingAnswer, PhaseRecord, Question, Session, Study
from tests.browser.participant import KEYS, Participant, short_study, stored
from tests.collection.factories import make_study

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_whole_session_by_keyboard(participant):
    """All phases, 80 main questions and 10 checks: each answer stands in the database once, with its time."""
    study = make_study(n_scenes=8, per_scene=12, size=(240, 160), files=True, phases=PHASES, practice_tries=2)
    someone = participant(1440, 900)
    someone.begin(study)
    someone.section("display")
    loads = someone.loads
    someone.page.keyboard.press("Enter")
    session = Session.objects.get()
    for phase, plates in (
        ("color_vision", color_vision_plates(session.seed)),
        ("levels", levels_plates(session.seed)),
    ):
        someone.section(phase)
        for n, plate in enumerate(plates, start=1):
            expect(someone.page.locator(f"#{phase} .count")).to_have_text(f"{n} of {len(plates)}")
            someone.page.keyboard.type(plate.truth)
            someone.page.keyboard.press("Enter")
    someone.section("instructions")
    someone.page.keyboard.press("Enter")
    someone.practise(0, 2)
    someone.section("between")
    someone.page.keyboard.press("Enter")

    sides, painted = {}, {}
    for index in range(6, 96):
        sides[index] = random.Random(index).choice(["left", "right"])
        someone.ready(index)
        painted[index] = someone.photos()
        someone.page.keyboard.press(KEYS[sides[index]])
        if len(sides) == 45:
            expect(someone.page.get_by_text("45 of 90 questions are answered")).to_be_visible()
            someone.page.keyboard.press("Enter")
    someone.section("questionnaire")
    someone.page.keyboard.press("Tab")
    someone.page.keyboard.press("Space")
    someone.page.keyboard.press("Enter")
    someone.section("finished")
    expect(someone.page.get_by_role("heading", name="Thank you")).to_be_focused()

    session.refresh_from_db()
    assert session.finished_at is not None
    assert [(record.phase, record.outcome) for record in session.phases.all()] == [
        ("display", "passed"),
        ("color_vision", "passed"),
        ("levels", "passed"),
        ("instructions", "passed"),
        ("practice", "passed"),
        ("questionnaire", "passed"),
    ]
    assert session.phases.get(phase="questionnaire").answers == {"night_mode": "yes"}
    questions = list(session.questions.select_related("repeats", "left", "right").filter(index__gte=6))
    assert {q.index: q.chosen_side for q in questions} == sides
    assert Counter(q.kind for q in questions) == {"main": 80, "check": 10}
    assert not ConflictingAnswer.objects.exists()
    for q in questions:
        assert 100 <= q.response_ms <= q.elapsed_ms
        assert q.client["input"] == "key"
        assert q.client["layout"] == "row"
        assert q.client["hidden_count"] == q.client["zoom_count"] == 0
        assert "dropped" not in q.client
    for check in (q for q in questions if q.kind == "check"):
        assert (check.left, check.right) == (check.repeats.right, check.repeats.left)
        assert check.index - check.repeats.index >= 15

    # What was on the screen is what the rows say, decoded, at one size, and not larger than its pixels.
    for q in questions:
        left, right = painted[q.index]
        assert left["src"] == f"/photo/{q.public_id}/left/"
        assert right["src"] == f"/photo/{q.public_id}/right/"
        assert left["complete"]
        assert right["complete"]
        assert left["natural"] == right["natural"] == [240, 160]
        assert (left["width"], left["height"]) == (right["width"], right["height"]) == (240, 160)
        assert left["visible"] == right["visible"] == "visible"
        assert left["y"] == right["y"]
        assert left["x"] + left["width"] <= right["x"]
    assert len({(photo["x"], photo["y"]) for pair in painted.values() for photo in pair}) == 2
    assert someone.loads == loads, "a page was loaded between the phases"
    assert someone.page.evaluate("window.shift") == 0
    assert someone.visit.faults == []


def test_the_whole_flow_by_touch(participant):
    someone = participant(390, 844, touch=True, scale=2)
    someone.open(short_study(phases=PHASES, n_practice=1, practice_tries=2, block_size=4))
    someone.page.get_by_role("button", name="I agree").tap()
    someone.page.locator('#display [data-act="done"]').tap()
    for phase, plates in (("color_vision", color_vision_plates(1)), ("levels", levels_plates(1))):
        someone.section(phase)
        for n in range(1, len(plates) + 1):
            expect(someone.page.locator(f"#{phase} .count")).to_contain_text(f"{n} of")
            someone.page.locator(f'#{phase} [data-key="7"]').tap()
            someone.page.locator(f'#{phase} [data-act="next"]').tap()
    someone.page.locator('#instructions [data-act="begin"]').tap()
    someone.ready(0)
    someone.page.wait_for_timeout(250)
    someone.page.locator(f'.photo[data-side="{someone.asked()}"]').tap()
    someone.page.locator('#between [data-act="go"]').tap()
    for index in range(2, 10):
        someone.ready(index)
        assert someone.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        someone.page.locator(f'.photo[data-side="{["left", "right"][index % 2]}"]').tap()
        if index == 5:
            someone.page.locator('#break [data-act="go"]').tap()
    someone.page.get_by_label("Dim").tap()
    someone.page.locator('#questionnaire [data-act="send"]').tap()
    someone.section("finished")
    answers = Question.objects.filter(index__gte=2)
    assert {q.index: q.chosen_side for q in answers} == {k: ["left", "right"][k % 2] for k in range(2, 10)}
    assert {q.client["input"] for q in answers} == {"touch"}
    assert PhaseRecord.objects.get(phase="questionnaire").answers == {"room_light": "dim"}
    assert someone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert someone.page.evaluate("window.shift") == 0
    assert someone.visit.faults == []


def test_a_reload_goes_on_at_the_first_unanswered_question(participant):
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 3)
    someone.ready(4)
    someone.page.reload()
    someone.ready(4)
    expect(someone.page.locator("#question .count")).to_have_text("5 of 8")
    sides |= someone.answer_from(4, 7)
    someone.section("finished")
    assert stored() == sides


def test_the_link_goes_on_another_day(participant):
    study = short_study()
    someone = participant()
    someone.begin(study)
    someone.answer_from(0, 1)
    someone.ready(2)
    someone.page.close()
    someone.page = someone.visit.page()
    someone.open(study)
    expect(someone.page.get_by_text("2 of 8 questions are answered")).to_be_visible()
    someone.page.get_by_role("button", name="Continue").click()
    someone.answer_from(2, 7)
    someone.section("finished")
    assert Session.objects.count() == 1


def test_the_back_button_leads_to_the_way_on(participant):
    someone = participant()
    someone.begin(short_study())
    someone.answer_from(0, 1)
    someone.ready(2)
    someone.page.go_back()
    someone.page.get_by_role("button", name="Continue").click()
    someone.ready(2)


def test_answers_wait_while_there_is_no_network(participant):
    someone = participant()
    someone.begin(short_study())
    sides = someone.answer_from(0, 1)
    someone.ready(2)
    someone.wait_for(lambda: len(stored()) == 2)
    someone.has_loaded(3, 4, 5)
    someone.visit.context.set_offline(True)
    sides |= someone.answer_from(2, 5)
    expect(someone.page.get_by_text("Waiting to be sent: 4")).to_be_visible()
    someone.section("waiting")  # no more pairs were loaded, and the sheet says what is waited for
    assert len(stored()) == 2
    someone.visit.context.set_offline(False)
    someone.ready(6)
    someone.wait_for(lambda: stored() == sides)
    expect(someone.page.get_by_text("Waiting to be sent")).to_be_hidden()
    sides |= someone.answer_from(6, 7)
    someone.section("finished")
    assert stored() == sides
    assert not ConflictingAnswer.objects.exists()


def test_the_last_answer_waits_for_the_network_before_thanks(participant):
    someone = participant()
    someone.begin(short_study())
    someone.answer_from(0, 6)
    someone.ready(7)
    someone.visit.context.set_offline(True)
    someone.page.keyboard.press("ArrowLeft")
    someone.section("waiting")
    assert 7 not in stored()
    someone.visit.context.set_offline(False)
    someone.section("finished")
    assert stored()[7] == "left"


def test_an_answer_outlives_the_page_that_could_not_send_it(participant):
    """The tab is gone before the network is back."""
    someone = participant()
    someone.begin(short_study())
    address = someone.page.url
    sides = someone.answer_from(0, 1)
    someone.wait_for(lambda: stored() == sides)
    someone.has_loaded(2, 3, 4)
    someone.visit.context.set_offline(True)
    sides |= someone.answer_from(2, 3)
    someone.ready(4)
    expect(someone.page.get_by_text("Waiting to be sent: 2")).to_be_visible()
    someone.page.close()
    someone.visit.context.set_offline(False)
    someone.page = someone.visit.page()
    someone.page.goto(address)
    someone.ready(4)
    assert stored() == sides


def test_each_session_in_a_browser_sends_its_own_answers(participant):
    first = participant()
    first.begin(short_study())
    second = Participant(first.visit)
    second.begin(short_study())
    addresses = [first.page.url, second.page.url]
    for someone in (first, second):
        someone.ready(0)
    first.has_loaded(0, 1)
    first.visit.context.set_offline(True)
    for someone in (first, second):
        someone.press(0, "left")
        someone.ready(1)
        someone.page.close()
    first.visit.context.set_offline(False)
    for n, address in enumerate(addresses, start=1):
        page = first.visit.page()
        page.goto(address)
        page.wait_for_selector('.photos[data-index="1"]')
        assert Question.objects.filter(chosen_side="left", index=0).count() == n


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


def test_a_server_that_asks_for_patience_is_left_alone_for_so_long(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    asked = []

    def throttle(route):
        asked.append(someone.page.evaluate("performance.now()"))
        if len(asked) == 1:
            body = '{"error": "throttled", "detail": "", "retry_after": 4}'
            route.fulfill(
                status=429, headers={"Retry-After": "4"}, content_type="application/json", body=body
            )
        else:
            route.continue_()

    someone.page.route("**/answers/", throttle)
    someone.press(0, "left")
    expect(someone.page.get_by_text("Waiting to be sent: 1")).to_be_visible()
    someone.wait_for(stored)
    assert asked[1] - asked[0] >= 4000


def test_a_paused_study_keeps_the_answer_and_takes_it_later(participant):
    someone = participant()
    someone.begin(short_study(finish_begun="open"))
    someone.press(0, "left")
    someone.ready(1)
    someone.wait_for(stored)
    Study.objects.update(status="paused")
    someone.page.keyboard.press("ArrowRight")
    someone.section("paused")
    someone.page.reload()
    someone.section("paused")
    assert stored() == {0: "left"}
    Study.objects.update(status="open")
    someone.act("paused", "again")
    someone.ready(2)
    assert stored() == {0: "left", 1: "right"}
    assert not ConflictingAnswer.objects.exists()


def test_a_study_closed_in_mid_session_says_so(participant):
    someone = participant()
    someone.begin(short_study())
    someone.press(0, "left")
    someone.ready(1)
    someone.wait_for(stored)
    Study.objects.update(status="closed")
    someone.page.keyboard.press("ArrowLeft")
    someone.section("closed")
    assert stored() == {0: "left"}
    assert ConflictingAnswer.objects.get().reason == "study_closed"


def test_a_second_tab_goes_on_where_the_first_is(participant):
    study = short_study()
    first = participant()
    first.begin(study)
    first.ready(0)
    second = Participant(first.visit)
    second.page.goto(first.page.url)
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


def test_two_tabs_do_not_send_the_same_answer_twice(participant):
    """A second tab takes up what waits in the first; once the network is back, one of them sends it."""
    first = participant()
    first.begin(short_study())
    first.ready(0)
    context, replies = first.visit.context, []
    context.on("response", lambda reply: replies.append(reply.url) if "/answers/" in reply.url else None)
    context.route("**/answers/", lambda route: route.abort())
    first.answer_from(0, 2)
    expect(first.page.get_by_text("Waiting to be sent: 3")).to_be_visible()
    second = Participant(first.visit)
    second.page.goto(first.page.url)
    second.section("waiting")
    context.unroute("**/answers/")
    second.ready(3)
    assert len(stored()) == 3
    expect(first.page.get_by_text("Waiting to be sent")).to_be_hidden(timeout=60_000)
    first.wait_for(lambda: len(replies) == 3)
    assert not ConflictingAnswer.objects.exists()


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
    study = make_study(
        n_scenes=4, per_scene=1, files=True, phases=("consent", "instructions", "main"), n_main=4, n_checks=0
    )
    someone.begin(study)
    someone.section("instructions")
    broken = f"**/photo/{Question.objects.get(index=1, kind='main').public_id}/left/"
    someone.page.route(broken, lambda route: route.abort())
    someone.page.reload()
    someone.act("instructions", "begin")
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
