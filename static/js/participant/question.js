/* One question on the screen: both photos painted, then the clock, then one choice. */

import { fill, fillBar, note, show } from "./sheets.js";
import { Zoom, letterOf } from "./zoom.js";

const SLOW_MS = 400;
/* A press that comes sooner was begun before anybody can have seen the pair: the tail of a double click. */
const TOO_SOON_MS = 100;
const LONGEST_MS = 3_600_000;
const KEYS = {
  row: { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" },
  column: { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "left", ArrowDown: "right" },
};

export class QuestionView {
  #section;
  #photos;
  #frames;
  #choices; // a button for each side that may be chosen
  #undo; // button, or null where the study has none
  #zoom;
  #asking = null; // the question from its first paint to its choice
  #shown = null; // and, once both photos are on the screen, how it is shown
  #pressed = null; // the last pointer that went down on a button
  #upright = matchMedia("(max-aspect-ratio: 1/1)");

  constructor(section) {
    this.#section = section;
    this.#photos = section.querySelector(".photos");
    this.#frames = [...section.querySelectorAll(".frame")];
    this.#choices = [...section.querySelectorAll("[data-side]")];
    this.#undo = section.querySelector('[data-act="undo"]');
    this.#zoom = new Zoom(this.#photos);
    for (const button of this.#choices) {
      button.addEventListener("pointerdown", (event) => {
        this.#pressed = { button, time: event.timeStamp, type: event.pointerType };
      });
      button.addEventListener("click", (event) => this.#clicked(button, event));
    }
    this.#undo?.addEventListener("click", () => this.#takeBack());
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

  /** Say which question it is, after `answered` of `total` in all. */
  announce(question, { answered, total }) {
    const count = this.#section.querySelector(".count");
    count.dataset.text = question.practice ? count.dataset.textPractice : count.dataset.textMain;
    fill(count, { n: question.number, total: question.of });
    fillBar(this.#section.querySelector(".bar"), answered, total);
    this.#section.dataset.asked = question.instructed ?? "better";
    this.#photos.dataset.index = question.index;
  }

  /** Say what is waited for if `loading` takes long enough to wonder. */
  async whileLoading(loading) {
    const timer = setTimeout(() => {
      if (navigator.onLine) note("loading", true);
      else show("waiting");
    }, SLOW_MS);
    try {
      return await loading;
    } finally {
      clearTimeout(timer);
      note("loading", false);
    }
  }

  /** Paint a loaded pair and wait for the choice: {side, response_ms, client}; "undo" where that is allowed
      and the answer before is taken back; null when `stop` is called. */
  async choice(question, { left, right, retries }, { undo }) {
    this.#asking = question;
    if (this.#undo) this.#undo.disabled = !undo;
    await this.#paint(question, [left, right]);
    if (this.#asking !== question) return null;
    return new Promise((resolve) => {
      this.#shown = { resolve, start: performance.now(), shownAt: Date.now(), retries, hiddenCount: 0, hiddenMs: 0, hiddenSince: null };
      this.#photos.dataset.state = "ready";
      this.#zoom.start(() => question.width / (this.#shownWidth() * devicePixelRatio));
    });
  }

  /** Ask no longer: somebody has answered this question elsewhere, or something else comes first. */
  stop() {
    this.#resolve(null);
  }

  #resolve(value) {
    const shown = this.#shown;
    this.#zoom.stop();
    this.clear();
    shown?.resolve(value);
  }

  async #paint(question, images) {
    this.#photos.dataset.state = "blank";
    this.#photos.style.setProperty("--w", question.width);
    this.#photos.style.setProperty("--h", question.height);
    for (const [k, image] of images.entries()) this.#frames[k].replaceChildren(image);
    // Decoded images may have been dropped since they were loaded ahead.
    await Promise.all(images.map((image) => image.decode()));
    this.#photos.dataset.state = "shown";
    // The first frame paints both photos, the second begins when they are on the screen.
    await frame();
    await frame();
  }

  #measure() {
    this.#photos.style.setProperty("--dpr", devicePixelRatio);
  }

  #shownWidth() {
    return this.#frames[0].getBoundingClientRect().width;
  }

  #keyDown(event) {
    const isPress = event.key === "Enter" || event.key === " ";
    // A key held down answers one question, not all that follow.
    if (event.repeat && this.#shown && isPress) event.preventDefault();
    if (!this.#shown || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const side = letterOf(event) === "t" ? "tie" : KEYS[this.layout][event.key];
    const offered = this.#choices.some((button) => button.dataset.side === side);
    if (!offered && event.key !== "Backspace") return;
    event.preventDefault();
    if (event.repeat) return;
    if (offered) this.#choose(side, event.timeStamp, "key");
    else this.#takeBack();
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
    const client = { ...this.#client(shown, input, elapsed), ...this.#zoom.stop() };
    this.#resolve(
      elapsed <= LONGEST_MS
        ? { side, response_ms: elapsed, client }
        : { side, response_ms: null, client: { ...client, missing_time: "more than an hour" } },
    );
  }

  #takeBack() {
    if (!this.#shown || !this.#undo || this.#undo.disabled) return;
    this.#resolve("undo");
  }

  #client(shown, input, elapsed) {
    const box = this.#frames[0].getBoundingClientRect();
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
