/* Hold to look closer: both photos show the same spot enlarged for as long as a press or the Z key lasts. */

const HOLD_MS = 300;
const LEAST = 2; // times

export class Zoom {
  #photos;
  #factor = null; // while a pair may be looked at
  #press = null; // the pointer that is down: {id, frame, x, y}
  #timer;
  #since = null; // while it is enlarged
  #count = 0;
  #ms = 0;
  #swallow = false; // whether the next click is the end of a hold

  constructor(photos) {
    this.#photos = photos;
    photos.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    addEventListener("pointermove", (event) => this.#pointerMove(event));
    addEventListener("pointerup", (event) => this.#pointerUp(event));
    addEventListener("pointercancel", (event) => this.#pointerUp(event));
    photos.addEventListener("click", (event) => this.#click(event), { capture: true });
    photos.addEventListener("contextmenu", (event) => { if (this.#press) event.preventDefault(); });
    addEventListener("keydown", (event) => this.#keyDown(event));
    addEventListener("keyup", (event) => { if (letterOf(event) === "z") this.#end(); });
    addEventListener("blur", () => this.#end());
  }

  /** A pair is there to be looked at; `factor()` is how often its pixels go into the screen's. */
  start(factor) {
    this.#factor = factor;
    this.#count = 0;
    this.#ms = 0;
  }

  /** The pair is done with; gives how often and how long it was looked at closely. */
  stop() {
    this.#end();
    this.#release();
    this.#factor = null;
    return { zoom_count: this.#count, zoom_ms: Math.round(this.#ms) };
  }

  #pointerDown(event) {
    if (!event.isPrimary || event.button !== 0) return;
    this.#swallow = false;
    this.#release();
    const frame = event.target.closest(".photo")?.querySelector(".frame");
    if (!this.#factor || !frame) return;
    this.#press = { id: event.pointerId, frame, x: event.clientX, y: event.clientY };
    this.#timer = setTimeout(() => this.#hold(), HOLD_MS);
  }

  #hold() {
    this.#swallow = true;
    this.#press.frame.setPointerCapture(this.#press.id);
    this.#aimAtPress();
    this.#begin();
  }

  #pointerMove(event) {
    if (event.pointerId !== this.#press?.id) return;
    this.#press.x = event.clientX;
    this.#press.y = event.clientY;
    if (this.#since !== null) this.#aimAtPress();
  }

  #pointerUp(event) {
    if (event.pointerId !== this.#press?.id) return;
    this.#end();
    this.#release();
  }

  #release() {
    clearTimeout(this.#timer);
    this.#press = null;
  }

  #click(event) {
    if (!this.#swallow || event.detail === 0) return;
    event.stopPropagation();
    event.preventDefault();
    this.#swallow = false;
  }

  #keyDown(event) {
    if (letterOf(event) !== "z" || event.repeat || !this.#factor || this.#since !== null) return;
    this.#aim(0.5, 0.5);
    this.#begin();
  }

  #begin() {
    this.#photos.style.setProperty("--zoom", Math.max(LEAST, this.#factor()));
    this.#photos.dataset.zoomed = "";
    this.#since = performance.now();
    this.#count += 1;
  }

  #end() {
    if (this.#since === null) return;
    delete this.#photos.dataset.zoomed;
    this.#ms += performance.now() - this.#since;
    this.#since = null;
  }

  #aimAtPress() {
    const { frame, x, y } = this.#press;
    const box = frame.getBoundingClientRect();
    this.#aim((x - box.left) / box.width, (y - box.top) / box.height);
  }

  /** The spot that stays where it is, in parts of the photo. */
  #aim(x, y) {
    this.#photos.style.setProperty("--zoom-x", `${100 * clamp(x)}%`);
    this.#photos.style.setProperty("--zoom-y", `${100 * clamp(y)}%`);
  }
}

const clamp = (value) => Math.min(1, Math.max(0, value));

/** The Latin letter of a key, by its place where the keyboard writes another script; none with a modifier. */
export function letterOf(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return "";
  return (/^[a-z]$/i.test(event.key) ? event.key : event.code.replace("Key", "")).toLowerCase();
}
