/* What a taste is made of, in words and sliders. */

const SETTLED_MS = 350; // a slider that rests so long is set
const HARDLY = 0.06; // of half a slider's way: less is not worth a word

export class Taste {
  /** `onSet(strengths)` is told what was set by hand, all of it each time. */
  constructor(root, onSet) {
    this.section = root.querySelector("[data-taste]");
    this.words = root.querySelector("[data-words]");
    this.back = root.querySelector('[data-act="learned"]');
    this.onSet = onSet;
    this.sliders = [];
    this.rows = new Map([...root.querySelectorAll("[data-concept]")].map((row) => [row.dataset.concept, row]));
    for (const [name, row] of this.rows) row.querySelector("input").addEventListener("input", () => this.changed(name));
    this.back.addEventListener("click", () => {
      for (const slider of this.sliders) this.input(slider).value = slider.learned;
      this.changed();
    });
  }

  /** Sliders as the server has them; nothing moves under a hand. */
  update(sliders) {
    this.sliders = sliders.filter(({ name }) => this.rows.has(name));
    this.section.hidden = !this.sliders.length;
    if (this.timer) return;
    for (const slider of this.sliders) {
      const input = this.input(slider);
      Object.assign(input, { min: slider.low, max: slider.high, value: slider.value });
      this.rows.get(slider.name).hidden = false;
    }
    this.say();
  }

  input({ name }) {
    return this.rows.get(name).querySelector("input");
  }

  changed() {
    this.say();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.onSet(this.set());
    }, SETTLED_MS);
  }

  /** Concepts that are not where they were read, to what a slider can tell. */
  set() {
    const moved = this.sliders.filter((slider) => Math.abs(Number(this.input(slider).value) - slider.learned) > 0.006);
    return Object.fromEntries(moved.map((slider) => [slider.name, Number(this.input(slider).value)]));
  }

  say() {
    const words = this.sliders.map((slider) => this.wordOf(slider)).filter(Boolean);
    const language = document.documentElement.lang;
    this.words.textContent = words.length
      ? new Intl.ListFormat(language, { type: "unit" }).format(words)
      : this.words.dataset.textNone;
    this.back.disabled = !Object.keys(this.set()).length;
  }

  wordOf(slider) {
    const away = Number(this.input(slider).value) - slider.neutral;
    const { low, high } = this.rows.get(slider.name).dataset;
    if (Math.abs(away) < HARDLY * (slider.high - slider.low) / 2) return "";
    return away < 0 ? low : high;
  }
}
