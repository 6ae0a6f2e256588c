"""One long visit at each size of screen, with everything that happens on the way."""

from collections import Counter

import pytest
from playwright.sync_api import Error, expect

from collection.design.protocol import PHASES
from collection.design.screening import color_vision_plates, levels_plates
from collection.models import ConflictingAnswer, PhaseRecord, Question, Session
from tests.browser.participant import Participant, short_study, stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("width", "height", "touch"),
    [(390, 844, True), (820, 1180, True), (1440, 900, False)],
    ids=["phone", "tablet", "desktop"],
)
def test_a_visit_with_everything_in_its_way(participant, width, height, touch):
    """All phases; the network goes, the page is loaded again, the back button, a second tab, a slow photo."""
    someone = participant(width, height, touch=touch, scale=2 if touch else 1)
    study = short_study(phases=PHASES, n_practice=2, practice_tries=2, block_size=4)
    study.recruiting = {"completion_code": "DONE-1"}
    study.save()

    someone.open(study)
    press(someone, someone.page.get_by_role("button", name="I agree"))
    press(someone, someone.page.locator('#display [data-act="done"]'))
    address = someone.page.url
    session = Session.objects.get()
    read_plates(someone, "color_vision", color_vision_plates(session.seed))
    read_plates(someone, "levels", levels_plates(session.seed))
    someone.section("instructions")
    someone.page.reload()
    someone.section("instructions")
    someone.visit.context.set_offline(True)
    press(someone, someone.page.locator('#instructions [data-act="begin"]'))
    someone.section("waiting")
    someone.visit.context.set_offline(False)
    for index in (0, 1):
        someone.ready(index)
        someone.page.wait_for_timeout(250)
        choose(someone, someone.asked())
    press(someone, someone.page.locator('#between [data-act="go"]'))

    sides = answer(someone, 4, 5)
    someone.wait_for(lambda: answered() == sides)
    someone.has_loaded(6, 7)
    someone.visit.context.set_offline(True)
    sides |= answer(someone, 6, 7)
    expect(someone.page.locator("#break")).to_be_visible()
    expect(someone.page.get_by_text("Waiting to be sent: 2")).to_be_visible()
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        someone.page.reload()
    someone.visit.context.set_offline(False)
    someone.page.goto(address)
    press(someone, someone.page.locator('#break [data-act="go"]'))
    sides |= answer(someone, 8, 8)
    someone.wait_for(lambda: answered() == sides)

    someone.ready(9)
    second = Participant(someone.visit)
    second.page.goto(address)
    sides |= answer(second, 9, 9)
    second.wait_for(lambda: answered() == sides)
    someone.page.bring_to_front()
    choose(someone, opposite(sides[9]))
    someone.ready(10)
    someone.page.go_back()
    someone.page.go_forward()
    held = []
    slow = f"**/photo/{Question.objects.get(index=11).public_id}/left/"
    someone.page.route(slow, lambda route: held.append(route))
    someone.page.reload()
    sides |= answer(someone, 10, 10)
    expect(someone.page.get_by_text("The photos are on their way")).to_be_visible()
    someone.page.unroute(slow)  # lets go what was held
    sides |= answer(someone, 11, 11)

    someone.section("questionnaire")
    press(someone, someone.page.locator('#questionnaire [data-act="send"]'))
    expect(someone.page.locator("#finished .code")).to_have_text("DONE-1")

    session.refresh_from_db()
    assert session.finished_at is not None
    assert answered() == sides
    assert session.questions.filter(answered_at=None).count() == 0
    conflict = ConflictingAnswer.objects.get()
    assert (conflict.question.index, conflict.payload["chosen_side"]) == (9, opposite(sides[9]))
    outcomes = Counter(PhaseRecord.objects.values_list("phase", "outcome"))
    assert outcomes == {(phase, "passed"): 1 for phase in PHASES if phase not in ("consent", "main")}
    assert someone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert someone.page.evaluate("window.shift") == 0
    told = {(q.client["layout"], q.client["input"]) for q in Question.objects.filter(index__gte=4)}
    assert told == {("column", "touch") if touch else ("row", "mouse")}


def press(someone, button):
    if someone.page.viewport_size["width"] > 1000:
        button.click()
    else:
        button.tap()


def read_plates(someone, phase, plates):
    for n, plate in enumerate(plates, start=1):
        expect(someone.page.locator(f"#{phase} .count")).to_have_text(f"{n} of {len(plates)}")
        for digit in plate.truth:
            press(someone, someone.page.locator(f'#{phase} [data-key="{digit}"]'))
        press(someone, someone.page.locator(f'#{phase} [data-act="next"]'))


def choose(someone, side):
    press(someone, someone.page.locator(f'.photo[data-side="{side}"]'))


def answer(someone, first, last):
    """Sides by index, in turn."""
    sides = {index: ["left", "right"][index % 2] for index in range(first, last + 1)}
    for index, side in sides.items():
        someone.ready(index)
        assert someone.page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        choose(someone, side)
    return sides


def opposite(side):
    return {"left": "right", "right": "left"}[side]


def answered():
    """Index → side of the questions that count."""
    return {index: side for index, side in stored().items() if index >= 4}
