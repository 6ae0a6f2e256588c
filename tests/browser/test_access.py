"""Everybody can take part: by keyboard, by ear, with any colours; and nothing comes from elsewhere."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from collection.design.protocol import PHASES
from collection.design.screening import color_vision_plates, levels_plates
from collection.models import Question, Session
from tests.browser.participant import short_study, stored

pytestmark = pytest.mark.django_db(transaction=True)

# Each size and each surround once or more: no colour hangs on a size (the style sheet's @media have none).
LOOKS = [(390, 844, "#dddddd"), (1440, 900, "#777777"), (1440, 900, "#222222")]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHEETS = """[...document.getElementById("session").children].map((section) => section.id)"""
# One sheet with all that can be on it; animations and timers of the page go on.
SHOW = """(id) => {
  for (const section of document.getElementById("session").children) section.hidden = section.id !== id;
  for (const part of document.querySelectorAll(`#${id} [hidden]`)) part.hidden = false;
  for (const part of document.querySelectorAll(`#${id} [data-text]`)) {
    part.textContent ||= part.dataset.text.replace(/\\{\\w+\\}/g, "88");
    if (part.tagName === "A") part.href = location.href;
  }
}"""
# What can be reached by Tab, in the order of the page.
REACHABLE = """[...document.querySelectorAll("a[href], button:enabled, input, textarea")]
  .filter((part) => part.offsetWidth && part.type !== "hidden")
  .filter((part) => part.type !== "radio" || part === part.form.elements[part.name][0])
  .map((part) => part.outerHTML.slice(0, 120))"""
# What has the focus and whether that can be seen; null between the page's end and its beginning.
FOCUSED = """(() => {
  const part = document.activeElement, frame = part.querySelector(".frame") ?? part;
  if (part === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(frame);
  return [part.outerHTML.slice(0, 120), outlineStyle !== "none" && parseFloat(outlineWidth) >= 2];
})()"""


def full_study(**changes):
    changes = {
        "phases": PHASES,
        "n_practice": 1,
        "block_size": 4,
        "allow_tie": True,
        "allow_undo": True,
    } | changes
    return short_study(**changes)


def assert_accessible(page, name):
    practices = [] if name == "loading" else ["best-practice"]  # a moment without a heading
    options = {"runOnly": WCAG + practices, "resultTypes": ["violations"]}
    violations = Axe().run(page, options=options).response["violations"]
    found = [(fault["id"], node["html"]) for fault in violations for node in fault["nodes"]]
    assert (name, found) == (name, [])


@pytest.mark.parametrize(("width", "height", "surround"), LOOKS)
def test_axe_finds_nothing_on_any_sheet(participant, width, height, surround):
    someone = participant(width, height, touch=width < 500)
    page = someone.page
    someone.begin(full_study(surround=surround))
    someone.section("display")
    for sheet in page.evaluate(SHEETS):
        if sheet != "question":  # is looked at with photos in it, below
            page.evaluate(SHOW, sheet)
            assert_accessible(page, sheet)


@pytest.mark.parametrize(("width", "height", "surround"), LOOKS)
def test_axe_finds_nothing_where_something_is_asked(participant, width, height, surround):
    """Plates and questions with what they show."""
    someone = participant(width, height, touch=width < 500)
    page = someone.page
    someone.begin(full_study(surround=surround, phases=("consent", "levels", "practice", "main")))
    plates = levels_plates(Session.objects.get().seed)
    for n, plate in enumerate(plates, start=1):
        expect(page.locator("#levels .count")).to_have_text(f"{n} of {len(plates)}")
        page.keyboard.type(plate.truth)
        assert_accessible(page, f"plate {n}")
        page.keyboard.press("Enter")
    someone.ready(0)
    assert_accessible(page, "practice")
    someone.practise(0, 0)
    someone.act("between", "go")
    someone.press(1, "left")
    someone.ready(2)
    assert_accessible(page, "question")


def test_every_sheet_is_gone_through_by_tab_alone(participant):
    """Each control comes in the order of the page, shows that it has the focus, and lets go of it."""
    someone = participant()
    page = someone.page
    someone.open(full_study())
    assert_tab_goes_round(page, "landing")
    page.get_by_role("button", name="I agree").focus()
    page.keyboard.press("Enter")
    someone.section("display")
    for sheet in page.evaluate(SHEETS):
        page.evaluate(SHOW, sheet)
        if page.locator(f"#{sheet} :is(a, button, input)").count():
            assert_tab_goes_round(page, sheet)


def assert_tab_goes_round(page, name):
    expected, reached = page.evaluate(REACHABLE), []
    for _ in range(2 * len(expected) + 2):
        page.keyboard.press("Tab")
        if focused := page.evaluate(FOCUSED):
            part, is_seen = focused
            assert is_seen, f"{name}: nothing shows that {part} has the focus"
            reached.append(part)
    first = expected.index(reached[0])
    assert (name, reached[: len(expected)]) == (name, expected[first:] + expected[:first])
    assert reached[len(expected)] == reached[0]


def test_a_visit_by_tab_and_enter(participant):
    """No arrow keys and no digits: whoever has two switches can answer."""
    someone = participant()
    page = someone.page
    someone.open(full_study(n_main=2, n_checks=1, check_lag=1))
    tab_to(page, "I agree, begin")
    someone.section("display")
    session = Session.objects.get()
    tab_to(page, "Done, go on")
    for phase, plates in (
        ("color_vision", color_vision_plates(session.seed)),
        ("levels", levels_plates(session.seed)),
    ):
        for n, plate in enumerate(plates, start=1):
            expect(page.locator(f"#{phase} .count")).to_have_text(f"{n} of {len(plates)}")
            for digit in plate.truth:
                tab_to(page, digit)
            tab_to(page, "Next")
    tab_to(page, "Practise")
    someone.ready(0)
    page.wait_for_timeout(250)
    tab_to(page, {"left": "Left photo", "right": "Right photo"}[someone.asked()])
    tab_to(page, "Go on")
    for index, name in enumerate(["Right photo", "No difference", "Left photo"], start=1):
        someone.ready(index)
        tab_to(page, name)
    someone.section("questionnaire")
    tab_to(page, "Skip")
    someone.section("finished")
    assert {k: side for k, side in stored().items() if k} == {1: "right", 2: "tie", 3: "left"}
    assert [record.outcome for record in session.phases.all()] == ["passed"] * 6


def tab_to(page, name):
    """Press Tab until the control of that name has the focus, then Enter."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText.trim()") == name:
            return page.keyboard.press("Enter")
    raise AssertionError(f"{name} cannot be reached by Tab")


@pytest.mark.parametrize("colors", [{"forced_colors": "active"}, {"color_scheme": "dark"}])
def test_photos_and_buttons_stay_in_colours_of_the_persons_own(participant, colors):
    someone = participant()
    someone.page.emulate_media(reduced_motion="reduce", **colors)
    someone.begin(short_study(allow_tie=True))
    someone.ready(0)
    before = someone.page.screenshot()
    for name in ("Left photo", "Right photo", "No difference"):
        button = someone.page.get_by_role("button", name=name)
        expect(button).to_be_visible()
        someone.page.keyboard.press("Tab")
        expect(button).to_be_focused()
        assert someone.page.screenshot() != before, f"nothing shows that {name} has the focus"
    assert all(photo["visible"] == "visible" for photo in someone.photos())
    someone.page.keyboard.press("ArrowLeft")
    someone.wait_for(lambda: stored() == {0: "left"})


def test_nothing_moves_for_whoever_wants_no_motion(participant):
    """Nor for anybody else: no page has an animation or a transition."""
    someone = participant()
    someone.begin(full_study())
    someone.section("display")
    for sheet in someone.page.evaluate(SHEETS):
        someone.page.evaluate(SHOW, sheet)
        assert someone.page.evaluate("document.getAnimations().length") == 0
    moving = """[...document.querySelectorAll("*")].filter((part) => {
      const { animationName, transitionDuration } = getComputedStyle(part);
      return animationName !== "none" || parseFloat(transitionDuration) > 0;
    }).map((part) => part.outerHTML.slice(0, 80))"""
    assert someone.page.evaluate(moving) == []


def test_photos_are_told_apart_by_their_side_alone(participant):
    """In the whole tree that a screen reader is given; the same for each question."""
    someone = participant()
    someone.begin(short_study())
    heard = []
    for index in range(3):
        someone.ready(index)
        heard.append(someone.page.locator(".photos").aria_snapshot())
        someone.page.keyboard.press("ArrowLeft")
    assert heard == ['- button "Left photo"\n- button "Right photo"'] * 3


def test_pages_bring_under_100_kb_and_forbid_what_is_not_theirs(participant):
    """As the browser counts what came over the network, photos and plates apart."""
    someone = participant()
    someone.open(full_study())
    weights = [weight(someone.page)]
    policies = [policy(someone.page)]
    someone.page.get_by_role("button", name="I agree").click()
    someone.section("display")
    weights.append(weight(someone.page))
    policies.append(policy(someone.page))
    assert Question.objects.exists()
    assert all(5_000 < bytes_ < 100_000 for bytes_ in weights), weights
    assert all("default-src 'none'" in text and "unsafe" not in text for text in policies)


def weight(page):
    return page.evaluate(
        """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
        .filter(({ name }) => !/\\/photo\\/|\\/plates\\//.test(name))
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"""
    )


def policy(page):
    return page.request.get(page.url).headers["content-security-policy"]
