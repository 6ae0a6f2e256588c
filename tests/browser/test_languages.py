"""Long words, lines without spaces and lines from right to left, on the landing page and in a session."""

import pytest

from tests.browser.participant import short_study
from tests.catalogues import TRANSLATIONS

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = [(390, 844), (1440, 900)]
FROM_RIGHT_TO_LEFT = """
addEventListener("DOMContentLoaded", () => { document.documentElement.dir = "rtl"; });
"""
FAULTS = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const faults = scrollWidth > clientWidth ? ["scrolls sideways"] : [];
  const holds = (outer, inner) => inner.left >= outer.left - 0.5 && inner.right <= outer.right + 0.5
    && inner.top >= outer.top - 0.5 && inner.bottom <= outer.bottom + 0.5;
  const page = { left: 0, right: clientWidth, top: -Infinity, bottom: Infinity };

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange();
  while (texts.nextNode()) {
    const text = texts.currentNode, button = text.parentElement.closest("button, .act");
    if (!text.data.trim() || text.parentElement.closest(".unseen")) continue;
    range.selectNodeContents(text);
    const room = button?.getBoundingClientRect() ?? page;
    if (![...range.getClientRects()].every((line) => holds(room, line))) faults.push(`cut: ${text.data.trim()}`);
  }

  const buttons = [...document.querySelectorAll("button, .act")].filter((button) => button.offsetWidth);
  for (const [k, button] of buttons.entries()) {
    const a = button.getBoundingClientRect();
    for (const other of buttons.slice(k + 1)) {
      const b = other.getBoundingClientRect();
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      if (!apart) faults.push(`on one another: ${button.textContent} and ${other.textContent}`);
    }
  }
  return faults;
}"""
SHEETS = """() => [...document.getElementById("session").children]
  .map((section) => section.id).filter((id) => id !== "question")"""
SHOW_ALL_OF = """(id) => {
  for (const section of document.getElementById("session").children) section.hidden = section.id !== id;
  for (const part of document.querySelectorAll(`#${id} [hidden]`)) part.hidden = false;
  for (const part of document.querySelectorAll(`#${id} [data-text]`))
    part.textContent = part.dataset.text.replace("{place}", "app.prolific.com").replace(/\\{\\w+\\}/g, "88");
}"""


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_sheet_fits_a_phone(participant, language):
    someone = participant(390, 844, touch=True)
    begin(someone, f"?lang={language}")
    look_over_all(someone)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_lines_may_run_from_right_to_left(participant, width, height):
    someone = participant(width, height, touch=width < 500)
    someone.page.add_init_script(FROM_RIGHT_TO_LEFT)
    begin(someone, "?lang=de")
    look_over_all(someone)
    assert someone.page.evaluate("getComputedStyle(document.body).direction") == "rtl"


def test_photos_and_numbers_keep_their_places_where_lines_run_from_right_to_left(participant):
    someone = participant()
    someone.page.add_init_script(FROM_RIGHT_TO_LEFT)
    begin(someone, "?lang=en", phases=("consent", "main"))
    someone.answer_from(0, 1)
    someone.ready(2)
    left, right = someone.photos()
    assert left["src"].endswith("/left/")
    assert left["x"] + left["width"] < right["x"]

    bar, done = (someone.page.locator(f"#question {part}").bounding_box() for part in (".bar", ".bar-done"))
    assert done["width"] == pytest.approx(bar["width"] * 2 / 8, abs=2)
    assert done["x"] + done["width"] == pytest.approx(bar["x"] + bar["width"], abs=2)

    someone.page.evaluate(SHOW_ALL_OF, "levels")
    one, two = (someone.page.locator(f'#levels [data-key="{key}"]').bounding_box() for key in "12")
    assert one["x"] < two["x"]


def begin(someone, query, phases=("consent", "practice", "main")):
    study = short_study(phases=phases, n_practice=1, block_size=4, allow_tie=True, allow_undo=True)
    someone.open(study, query)
    look_over(someone.page, "landing")
    someone.page.locator("form .act").first.click()
    someone.ready(0)


def look_over_all(someone):
    """The question in each of its forms, and every sheet with all that can be on it."""
    page = someone.page
    for asked in ("better", "left", "right"):
        page.evaluate("(asked) => { document.getElementById('question').dataset.asked = asked; }", asked)
        look_over(page, f"question, {asked}")
        hint = page.locator(".hint").bounding_box()
        assert hint["y"] + hint["height"] <= page.viewport_size["height"]
    for sheet in page.evaluate(SHEETS):
        page.evaluate(SHOW_ALL_OF, sheet)
        look_over(page, sheet)


def look_over(page, name):
    assert (name, page.evaluate(FAULTS)) == (name, [])
