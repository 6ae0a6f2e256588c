"""The sheets of a session in a real browser: what they say, what they tell the server, where they lead."""

import pytest
from playwright.sync_api import expect

from collection.design.screening import color_vision_plates, levels_plates
from collection.models import DisplayRecord, PhaseRecord, Question, Session
from tests.browser.participant import KEYS, short_study, stored

pytestmark = pytest.mark.django_db(transaction=True)


def study_with(*phases, **changes):
    return short_study(phases=("consent", *phases, "main"), **changes)


def study_of_one_question(*phases, **recruiting):
    study = short_study(phases=("consent", "main", *phases), n_main=1, n_checks=0)
    study.recruiting = recruiting
    study.save()
    return study


def finish(someone, study, query=""):
    someone.begin(study, query)
    someone.press(0, "left")


def test_the_display_is_recorded(participant):
    someone = participant(1440, 900, scale=2)
    someone.begin(study_with("display"))
    someone.section("display")
    expect(someone.page.get_by_role("heading", name="First, your screen")).to_be_focused()
    someone.wait_for(DisplayRecord.objects.exists)
    someone.act("display", "done")
    someone.ready(0)
    record = DisplayRecord.objects.get()
    assert (record.screen_width, record.screen_height, record.pixel_ratio) == (1440, 900, 2)
    assert record.color_depth in (24, 30)
    assert record.color_gamut == "srgb"
    assert record.details["viewport_width"] == 1440
    assert record.details["browser"]
    assert "dropped" not in record.details
    assert PhaseRecord.objects.get().phase == "display"


def on_another_screen(someone):
    """The window is dragged to a larger monitor in the middle of a session."""
    someone.begin(short_study())
    someone.press(0, "left")
    someone.ready(1)
    someone.wait_for(DisplayRecord.objects.exists)
    someone.page.set_viewport_size({"width": 1920, "height": 1080})
    someone.section("screen")


def test_a_person_says_that_it_is_the_same_screen(participant):
    someone = participant()
    on_another_screen(someone)
    someone.act("screen", "same")
    someone.press(1, "right")
    someone.wait_for(lambda: stored() == {0: "left", 1: "right"})
    assert DisplayRecord.objects.last().is_same_screen is True
    assert Session.objects.count() == 1


def test_a_person_on_another_screen_goes_on_as_another_rater(participant):
    someone = participant()
    on_another_screen(someone)
    address = someone.page.url
    someone.act("screen", "other")
    someone.ready(0)
    assert someone.page.url != address
    first, second = Session.objects.order_by("pk")
    assert first.rater.person == second.rater.person
    assert second.rater.device.replaces == first.rater.device
    assert second.consent_version == first.consent_version


def test_plates_are_read_with_the_mouse(participant):
    someone = participant()
    someone.begin(study_with("color_vision", turn_away=("color_vision",)))
    plates = color_vision_plates(Session.objects.get().seed)
    for n, plate in enumerate(plates, start=1):
        expect(someone.page.get_by_role("img", name=f"Plate {n} of {len(plates)}")).to_be_visible()
        assert someone.page.locator('#color_vision [data-act="next"]').is_disabled()
        for key in ("3", "Backspace", *plate.truth):
            someone.page.locator(f'#color_vision [data-key="{key}"]').click()
        expect(someone.page.locator("#color_vision .typed")).to_have_text(plate.truth)
        someone.act("color_vision", "next")
    someone.ready(0)
    record = PhaseRecord.objects.get()
    assert record.answers == {"answers": [plate.truth for plate in plates]}
    assert record.outcome == "passed"


def test_who_sees_no_number_is_turned_away_where_the_study_says_so(participant):
    """The demonstration is read, the red-green plates are not."""
    someone = participant()
    study = study_with("color_vision", turn_away=("color_vision",))
    study.recruiting = {"screened_out_code": "SORRY-1"}
    study.save()
    someone.begin(study)
    plates = color_vision_plates(Session.objects.get().seed)
    for n, plate in enumerate(plates, start=1):
        expect(someone.page.locator("#color_vision .count")).to_have_text(f"{n} of {len(plates)}")
        if plate.kind == "demonstration":
            someone.page.keyboard.type(plate.truth)
            someone.page.keyboard.press("Enter")
        else:
            someone.act("color_vision", "none")
    someone.section("screened_out")
    expect(someone.page.get_by_text("SORRY-1")).to_be_visible()
    assert PhaseRecord.objects.get().outcome == "failed"
    someone.page.reload()
    someone.section("screened_out")


def test_a_double_click_answers_one_plate(participant):
    someone = participant()
    someone.begin(study_with("levels"))
    expect(someone.page.locator("#levels .count")).to_have_text("1 of 2")
    someone.wait_for(lambda: sum("/plates/" in address for address in someone.visit.finished) == 2)
    someone.page.locator('#levels [data-act="none"]').dblclick(delay=5)
    someone.page.wait_for_timeout(300)
    expect(someone.page.locator("#levels .count")).to_have_text("2 of 2")
    assert not PhaseRecord.objects.exists()


def test_plates_that_do_not_load_leave_the_check_unknown(participant):
    someone = participant()
    someone.visit.context.route("**/plates/**", lambda route: route.fulfill(status=500, body=""))
    someone.begin(study_with("levels", turn_away=("levels",)))
    someone.ready(0)
    record = PhaseRecord.objects.get()
    assert record.outcome == "unknown"
    assert record.answers == {"unknown": "plate 1 of 2 could not be loaded"}


@pytest.mark.parametrize(("width", "scale", "times"), [(1440, 1, 1), (1440, 2, 2), (390, 3, 1), (390, 2, 1)])
def test_a_plate_has_whole_screen_pixels(participant, width, scale, times):
    """640 pixels, each `times` pixels of the screen wide, where there is room for them."""
    someone = participant(width, 900, scale=scale)
    someone.begin(study_with("levels"))
    someone.page.wait_for_selector("#levels img")
    box = someone.page.locator("#levels img").bounding_box()
    assert box["width"] * scale == pytest.approx(640 * times, abs=0.5)
    assert box["height"] == pytest.approx(box["width"], abs=0.5)
    assert someone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_shapes_are_counted_by_keyboard(participant):
    someone = participant()
    someone.begin(study_with("levels"))
    plates = levels_plates(Session.objects.get().seed)
    for n, plate in enumerate(plates, start=1):
        expect(someone.page.locator("#levels .count")).to_have_text(f"{n} of {len(plates)}")
        someone.page.keyboard.type("9")
        someone.page.keyboard.press("Backspace")
        someone.page.keyboard.press("Enter")  # nothing is typed yet
        someone.page.keyboard.type(plate.truth)
        someone.page.keyboard.press("Enter")
    someone.ready(0)
    assert PhaseRecord.objects.get().answers == {"answers": [plate.truth for plate in plates]}


@pytest.mark.parametrize("allowed", [True, False])
def test_instructions_explain_what_the_study_allows(participant, allowed):
    someone = participant()
    someone.begin(study_with("instructions", allow_tie=allowed, allow_undo=allowed))
    someone.section("instructions")
    text = someone.page.locator("#instructions").inner_text()
    assert "← or →" in text
    assert "Tap" not in text
    assert "hold the key Z" in text
    assert ("no difference" in text) is ("Backspace" in text) is allowed
    assert someone.page.locator('[data-side="tie"]').count() == allowed
    assert someone.page.locator('[data-act="undo"]').count() == allowed


def test_instructions_speak_of_fingers_on_a_phone(participant):
    someone = participant(390, 844, touch=True)
    someone.begin(study_with("instructions"))
    someone.section("instructions")
    text = someone.page.locator("#instructions").inner_text()
    assert "Tap the photo" in text
    assert "arrow" not in text


def test_practice_asks_for_a_side_and_is_tried_again(participant):
    someone = participant()
    someone.begin(study_with("practice", n_practice=2, practice_tries=2))
    for attempt, right in enumerate([False, True]):
        first = 2 * attempt
        someone.ready(first)
        expect(someone.page.locator("#question .count")).to_have_text("Practice 1 of 2")
        expect(someone.page.get_by_role("heading", name="Which one do you like better?")).to_be_visible()
        someone.page.wait_for_timeout(300)
        someone.page.keyboard.press("ArrowLeft")
        someone.ready(first + 1)
        side = Question.objects.get(index=first + 1).instructed_side
        expect(
            someone.page.get_by_role("heading", name=f"This time, choose the {side} photo")
        ).to_be_visible()
        someone.page.wait_for_timeout(300)
        other = {"left": "right", "right": "left"}[side]
        someone.page.keyboard.press(KEYS[side if right else other])
        if not right:
            someone.act("again", "go")
    someone.section("between")
    someone.page.reload()
    someone.act("between", "go")
    someone.ready(4)
    expect(someone.page.locator("#question .count")).to_have_text("1 of 8")
    assert [record.outcome for record in PhaseRecord.objects.all()] == ["failed", "passed"]


def test_practice_names_the_upper_photo_on_a_phone(participant):
    someone = participant(390, 844, touch=True)
    someone.begin(study_with("practice", n_practice=1))
    someone.ready(0)
    named = {"left": "upper", "right": "lower"}[Question.objects.get(index=0).instructed_side]
    expect(someone.page.get_by_text(f"This time, choose the {named} photo")).to_be_visible()


def test_a_break_comes_after_each_block(participant):
    someone = participant()
    someone.begin(short_study(block_size=3))
    someone.answer_from(0, 2)
    expect(someone.page.get_by_text("3 of 8 questions are answered")).to_be_visible()
    expect(someone.page.get_by_role("heading", name="Time for a break")).to_be_focused()
    someone.page.reload()
    someone.act("break", "go")
    someone.answer_from(3, 5)
    someone.act("break", "go")
    someone.answer_from(6, 7)
    someone.section("finished")


def test_the_questionnaire_is_sent_as_it_is_filled_in(participant):
    someone = participant()
    finish(someone, study_of_one_question("questionnaire"))
    someone.section("questionnaire")
    someone.page.get_by_role("group", name="Was a night mode").get_by_label("No", exact=True).check()
    someone.page.get_by_role("group", name="What did you look").get_by_label("A laptop").check()
    someone.page.get_by_label("Anything that you would like to tell us").fill("Nice boats,\nthank you")
    someone.act("questionnaire", "send")
    someone.section("finished")
    assert PhaseRecord.objects.get().answers == {
        "night_mode": "no",
        "device": "laptop",
        "comments": "Nice boats,\nthank you",
    }


def test_the_questionnaire_can_be_skipped(participant):
    someone = participant()
    finish(someone, study_of_one_question("questionnaire"))
    someone.page.get_by_label("Dim").check()
    someone.act("questionnaire", "skip")
    someone.section("finished")
    assert PhaseRecord.objects.get().answers == {}


def test_a_phase_that_was_told_offline_is_told_later(participant):
    someone = participant()
    finish(someone, study_of_one_question("questionnaire"))
    someone.section("questionnaire")
    someone.visit.context.set_offline(True)
    someone.page.get_by_label("As in daylight").check()
    someone.act("questionnaire", "send")
    someone.section("waiting")
    assert not PhaseRecord.objects.exists()
    someone.visit.context.set_offline(False)
    someone.section("finished")
    assert PhaseRecord.objects.get().answers == {"room_light": "bright"}


def test_the_code_at_the_end_can_be_copied(participant):
    someone = participant()
    someone.visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    finish(someone, study_of_one_question(completion_code="C1-TONE"))
    expect(someone.page.locator("#finished .code")).to_have_text("C1-TONE")
    someone.page.get_by_role("button", name="Copy").click()
    expect(someone.page.locator("#finished").get_by_text("Copied")).to_be_visible()
    assert someone.page.evaluate("navigator.clipboard.readText()") == "C1-TONE"


def test_the_end_leads_back_to_the_panel(participant):
    """After some seconds, or at once by the link; not when the person wants to stay."""
    someone = participant()
    gone = []
    someone.page.route(
        "https://panel.example/**", lambda route: (gone.append(route.request.url), route.abort())
    )
    someone.page.add_init_script("const every = setInterval; window.setInterval = (act) => every(act, 20);")
    study = study_of_one_question(completion_code="C1", completion_url="https://panel.example/done?cc={code}")
    finish(someone, study)
    link = someone.page.get_by_role("link", name="Back to panel.example")
    expect(link).to_have_attribute("href", "https://panel.example/done?cc=C1")
    someone.wait_for(lambda: gone == ["https://panel.example/done?cc=C1"])
    someone.visit.requests.clear()  # the panel is the one place that a page may lead to


def test_the_way_back_can_be_stopped(participant):
    someone = participant()
    finish(someone, study_of_one_question(completion_url="https://panel.example/done"))
    expect(someone.page.get_by_text("You are taken back in 1")).to_be_visible()
    someone.page.get_by_role("button", name="Stay here").click()
    expect(someone.page.get_by_role("link", name="Back to panel.example")).to_be_focused()
    expect(someone.page.get_by_text("You are taken back")).to_be_hidden()


def test_work_is_handed_in_at_mechanical_turk(participant):
    someone = participant()
    study = study_of_one_question(access="panel", panel="mturk", completion_code="C1")
    someone.page.route("https://*.mturk.com/**", lambda route: route.fulfill(body="handed in"))
    with someone.page.expect_request("https://www.mturk.com/**") as sent:
        finish(
            someone,
            study,
            "?assignmentId=A1&hitId=H1&workerId=W1&turkSubmitTo=https%3A%2F%2Fwww.mturk.com",
        )
        someone.page.get_by_role("button", name="Hand in").click()
    assert sent.value.url == "https://www.mturk.com/mturk/externalSubmit"
    assert sent.value.post_data == "assignmentId=A1&code=C1"
    someone.visit.requests.clear()  # the panel is the one place that a page may lead to


def test_languages_are_offered_on_sheets_and_not_beside_photos(participant):
    someone = participant()
    someone.begin(study_with("instructions"))
    someone.section("instructions")
    someone.page.get_by_role("navigation", name="Language").get_by_role("link", name="Deutsch").click()
    someone.section("instructions")
    assert someone.page.evaluate("document.documentElement.lang") == "de"
    someone.act("instructions", "begin")
    someone.ready(0)
    assert someone.page.locator(".languages").is_hidden()


def test_a_way_to_withdraw_stands_at_the_end(participant):
    someone = participant()
    finish(someone, study_of_one_question())
    someone.page.get_by_role("link", name="Take back everything you gave").click()
    expect(someone.page.get_by_role("heading", name="Take back everything you gave")).to_be_visible()


def test_a_session_that_was_withdrawn_elsewhere_says_so(participant):
    someone = participant()
    someone.begin(short_study())
    someone.ready(0)
    Session.objects.all().delete()
    someone.page.keyboard.press("ArrowLeft")
    expect(someone.page.get_by_role("heading", name="Nothing is stored under this link")).to_be_visible()
