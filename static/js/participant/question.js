/* One question on the screen: both photos painted, then the clock, then one choice. */

const SLOW_MS = 400;
/* A press that comes sooner was begun before anybody can have seen the pair: the tail of a double click. */
const TOO_SOON_MS = 100;
const LONGEST_MS = 3_600_000;
const KEYS = {
  row: { ArrowLeft: "left", ArrowRight: "right" },
  column: { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "left", ArrowDown: "right" },
};

export class QuestionView {
  #section;
  #photos;
  #buttons;
  #asking = null; // the question from its first paint to its choice
  #shown = null; // and, once both photos are on the screen, how it is shown
  #pressed = null; // the last pointer that went down on a photo
  #upright = matchMedia("(max-aspect-ratio: 1/1)");

  constructor(section) {
    this.#section = section;
    this.#photos = section.querySelector(".photos");
    this.#buttons = [...this.#photos.querySelectorAll(".photo")];
    for (const button of this.#buttons) {
      button.addEventListener("pointerdown", (event) => { this.#pressed = { button, time: event.timeStamp, type: event.pointerType }; });
      button.addEventListener("click", (event) => this.#clicked(button, event));
    }
    addEventListener("keydown", (event) => this.#keyDown(event));
    document.addEventListener("visibilitychange", () => this.#visibilityChanged());
    addEventListener("resize", () => this.#measure());
    this.#measure();
  }

  get layout() {
    return this.#upright.matches ? "column" : "row";
  }

  /** Take the photos away. */
  clear() {
    this.#asking = null;
    this.#shown = null;
    this.#photos.dataset.state = "blank";
  }

  /** Say which question it is: `n` of `total` of its kind, after `answered` of `of` in all. */
  announce(question, place) {
    const text = place.practice ? this.#section.dataset.textPractice : this.#section.dataset.textMain;
    this.#section.querySelector(".count").textContent = text.replace("{n}", place.n).replace("{total}", place.total);
    const bar = this.#section.querySelector(".bar");
    bar.setAttribute("aria-valuemax", place.of);
    bar.setAttribute("aria-valuenow", place.answered);
    bar.style.setProperty("--done", place.of ? place.answered / place.of : 0);
    this.#photos.dataset.index = question.index;
  }

  /** Show "on their way" if `loading` takes long enough to wonder. */
  async whileLoading(loading) {
    const timer = setTimeout(() => this.note("loading", true), SLOW_MS);
    try {
      return await loading;
    } finally {
      clearTimeout(timer);
      this.note("loading", false);
    }
  }

  note(name, shown) {
    this.#section.querySelector(`[data-note="${name}"]`).hidden = !shown;
    const any = this.#section.querySelector("[data-note]:not([hidden])");
    this.#section.querySelector(".hint").hidden = Boolean(any);
  }

  /** Paint a loaded pair and wait for the choice: {side, response_ms, client}, or null when `stop` is called. */
  async choice(question, { left, right, retries }) {
    this.#asking = question;
    await this.#paint(question, left, right);
    if (this.#asking !== question) return null;
    return new Promise((resolve) => {
      this.#shown = { resolve, start: performance.now(), shownAt: Date.now(), retries, hiddenCount: 0, hiddenMs: 0, hiddenSince: null };
      this.#photos.dataset.state = "ready";
    });
  }

  /** Ask no longer: somebody has answered this question elsewhere. */
  stop() {
    const shown = this.#shown;
    this.clear();
    shown?.resolve(null);
  }

  async #paint(question, left, right) {
    this.#photos.dataset.state = "blank";
    this.#photos.style.setProperty("--w", question.width);
    this.#photos.style.setProperty("--h", question.height);
    for (const [k, image] of [left, right].entries()) {
      image.alt = this.#section.dataset[this.layout === "row" ? "altRow" : "altColumn"].split("|")[k];
      this.#buttons[k].replaceChildren(image);
    }
    // Decoded images may have been dropped since they were loaded ahead.
    await Promise.all([left.decode(), right.decode()]);
    this.#photos.dataset.state = "shown";
    // The first frame paints both photos, the second begins when they are on the screen.
    await frame();
    await frame();
  }

  #measure() {
    this.#photos.style.setProperty("--dpr", devicePixelRatio);
  }

  #keyDown(event) {
    const isPress = event.key === "Enter" || event.key === " ";
    // A key held down answers one question, not all that follow.
    if (event.repeat && this.#shown && isPress) event.preventDefault();
    const side = KEYS[this.layout][event.key];
    if (!side || !this.#shown || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!event.repeat) this.#choose(side, event.timeStamp, "key");
  }

  #clicked(button, event) {
    const byKey = event.detail === 0;
    const pressed = this.#pressed?.button === button ? this.#pressed : null;
    this.#pressed = null;
    if (!byKey) button.blur();
    this.#choose(
      button.dataset.side,
      byKey || !pressed ? event.timeStamp : pressed.time,
      byKey ? "key" : pressed?.type || event.pointerType || "mouse",
    );
  }

  #choose(side, time, input) {
    const shown = this.#shown;
    if (!shown || time - shown.start < TOO_SOON_MS) return;
    const elapsed = Math.round(time - shown.start);
    const client = this.#client(shown, input, elapsed);
    this.clear();
    shown.resolve(
      elapsed <= LONGEST_MS
        ? { side, response_ms: elapsed, client }
        : { side, response_ms: null, client: { ...client, missing_time: "more than an hour" } },
    );
  }

  #client(shown, input, elapsed) {
    const box = this.#buttons[0].firstElementChild.getBoundingClientRect();
    return {
      input,
      layout: this.layout,
      viewport_width: innerWidth,
      viewport_height: innerHeight,
      pixel_ratio: devicePixelRatio,
      shown_width: box.width,
      shown_height: box.height,
      shown_at: shown.shownAt,
      chosen_at: shown.shownAt + elapsed,
      hidden_count: shown.hiddenCount,
      hidden_ms: Math.round(shown.hiddenMs),
      image_retries: shown.retries,
    };
  }

  #visibilityChanged() {
    const shown = this.#shown;
    if (!shown) return;
    if (document.hidden) {
      shown.hiddenCount += 1;
      shown.hiddenSince = performance.now();
    } else if (shown.hiddenSince !== null) {
      shown.hiddenMs += performance.now() - shown.hiddenSince;
      shown.hiddenSince = null;
    }
  }
}

function frame() {
  return new Promise(requestAnimationFrame);
}
