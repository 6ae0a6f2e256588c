"""A person before the session's page, and the small studies that are put before them."""

import random
import time

from playwright.sync_api import expect

from collection.models import Question
from tests.collection.factories import make_study

KEYS = {"left": "ArrowLeft", "right": "ArrowRight"}
EYES_MS = 120  # the page takes no press that comes within 100 ms of the photos
# What moves although nobody has pressed anything for half a second, as browsers count it. Another sheet
# may come later than that, after a slow reply; the frame in which it takes the place of the last is left out.
LAYOUT_SHIFTS = """
const shifts = [], turns = [];
new PerformanceObserver((list) => {
  shifts.push(...list.getEntries().filter((entry) => !entry.hadRecentInput));
}).observe({ type: "layout-shift", buffered: true });
new MutationObserver((changes) => {
  const isTurn = ({ target, oldValue }) => target.tagName === "SECTION" && target.hidden === (oldValue === null);
  if (!changes.some(isTurn)) return;
  const turn = { begin: performance.now(), end: Infinity };
  turns.push(turn);
  requestAnimationFrame(() => requestAnimationFrame(() => { turn.end = performance.now(); }));
}).observe(document, { attributeFilter: ["hidden"], attributeOldValue: true, subtree: true });
Object.defineProperty(window, "shift", { get() {
  const inTurn = ({ startTime }) => turns.some(({ begin, end }) => begin <= startTime && startTime < end);
  return shifts.filter((shift) => !inTurn(shift)).reduce((sum, { value }) => sum + value, 0);
} });
"""


class Participant:
    """Reads what is shown and answers."""

    def __init__(self, visit):
        self.visit = visit
        self.page = visit.page()
        self.loads = 0
        self.page.on("framenavigated", self._loaded)
        self.page.add_init_script(LAYOUT_SHIFTS)

    def _loaded(self, frame):
        self.loads += 1

    def open(self, study, query=""):
        self.page.goto(f"{self.visit.home}/s/{study.slug}/{query}")

    def begin(self, study, query=""):
        self.open(study, query)
        self.page.get_by_role("button", name="I agree").click()

    def section(self, name):
        expect(self.page.locator(f"#{name}")).to_be_visible()

    def act(self, section, act):
        """Press a button of a sheet."""
        self.page.locator(f'#{section} [data-act="{act}"]').click()

    def ready(self, index):
        """Wait for the question's photos and for a person's eyes."""
        self.page.wait_for_selector(f'.photos[data-state="ready"][data-index="{index}"]')
        self.page.wait_for_timeout(EYES_MS)

    def has_loaded(self, *indices):
        """Wait until the photos of these questions have arrived, whether they are shown or not."""
        places = Question.objects.filter(index__in=indices).values_list("public_id", flat=True)
        photos = {f"{self.visit.home}/photo/{place}/{side}/" for place in places for side in KEYS}
        assert photos
        self.wait_for(lambda: photos <= self.visit.finished)

    def press(self, index, side):
        self.ready(index)
        self.page.keyboard.press(KEYS[side])

    def asked(self):
        """The side that the question asks for; either where it asks for the better one."""
        asked = self.page.locator("#question").get_attribute("data-asked")
        return random.choice(["left", "right"]) if asked == "better" else asked

    def practise(self, first, last):
        """Answer practice questions as they ask, no faster than anybody can look."""
        for index in range(first, last + 1):
            self.ready(index)
            self.page.wait_for_timeout(250)
            self.page.keyboard.press(KEYS[self.asked()])

    def answer_from(self, first, last):
        """Answer questions `first` to `last` by key; sides by index."""
        sides = {index: random.Random(index).choice(["left", "right"]) for index in range(first, last + 1)}
        for index, side in sides.items():
            self.press(index, side)
        return sides

    def wait_for(self, truth, seconds=30):
        """The database follows the page by a request; the browser's events are served meanwhile."""
        end = time.monotonic() + seconds
        while not truth():
            assert time.monotonic() < end, "it did not come true in time"
            self.page.wait_for_timeout(50)

    def photos(self):
        """Source, visibility and place of both photos: the boxes that hold them, and the images in these."""
        return self.page.evaluate(
            """() => [...document.querySelectorAll(".frame")].map((frame) => {
                const image = frame.querySelector("img"), inner = image.getBoundingClientRect();
                const box = frame.getBoundingClientRect();
                return {
                    src: image.getAttribute("src"), complete: image.complete,
                    natural: [image.naturalWidth, image.naturalHeight],
                    x: box.x, y: box.y, width: box.width, height: box.height,
                    inner: { x: inner.x, y: inner.y, width: inner.width, height: inner.height },
                    visible: getComputedStyle(image).visibility,
                };
            })"""
        )

    def middle(self, photo):
        return photo["x"] + photo["width"] / 2, photo["y"] + photo["height"] / 2


def short_study(*, size=(240, 160), **changes):
    """Eight questions and nothing around them, unless `changes` says otherwise."""
    protocol = {"phases": ("consent", "main"), "n_main": 6, "n_checks": 2, "check_lag": 3, "block_size": 0}
    return make_study(n_scenes=3, per_scene=3, size=size, files=True, **{**protocol, **changes})


def stored():
    """Index → side of what the database holds."""
    return dict(Question.objects.exclude(chosen_side="").values_list("index", "chosen_side"))
