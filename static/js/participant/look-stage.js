/* One photo before and after, and the strip to choose it from. What lies between the strengths that were rendered
   is mixed here, so that the dial answers at once. */

import { compare } from "../compare.js";
import { load } from "./look-api.js";

const STRONG = 1.5; // strength of the strong picture

export class Stage {
  /** `onChoose(photo)` is called when another photo is shown. */
  constructor(root, onChoose) {
    this.figure = root.querySelector("[data-stage]");
    this.pair = this.figure.querySelector(".before-after");
    this.strip = root.querySelector("[data-strip]");
    this.owed = root.querySelector("[data-owed]");
    this.onChoose = onChoose;
    this.images = Object.fromEntries(["under", "after", "strong", "before"].map((name) => [name, this.pair.querySelector(`.${name}`)]));
    this.photos = [];
    this.index = null;
    this.strength = 1;
    compare(this.pair, this.pair.dataset.borderLabel);
  }

  /** The photo that is shown; undefined before the first. */
  get photo() {
    return this.photos.find(({ index }) => index === this.index);
  }

  /** Show these photos; the one that is shown stays, where it is still there. */
  async update(photos) {
    this.photos = photos;
    this.fillStrip();
    const shown = this.photo?.pictures ? this.photo : photos.find(({ pictures }) => pictures);
    if (shown && shown.version !== this.shownVersion(shown)) await this.show(shown);
    else if (!shown) this.index = null;
  }

  shownVersion({ index }) {
    return index === this.index ? this.version : undefined;
  }

  async show(photo) {
    const isOther = photo.index !== this.index;
    [this.index, this.version] = [photo.index, photo.version];
    this.markStrip();
    this.onChoose(photo);
    const { before, after, strong } = photo.pictures;
    this.pair.classList.add("stale");
    const needed = [load(this.images.after, after)];
    if (isOther) needed.push(load(this.images.before, before), load(this.images.under, before));
    await Promise.all(needed);
    if (photo.index !== this.index) return; // another one was chosen meanwhile
    this.pair.style.setProperty("--w", photo.width);
    this.pair.style.setProperty("--h", photo.height);
    this.pair.classList.remove("stale");
    this.owed.textContent = photo.attribution;
    this.figure.hidden = false;
    load(this.images.strong, strong);
  }

  /** From 0, as it was, over 1 to STRONG. */
  setStrength(strength) {
    this.strength = strength;
    this.pair.style.setProperty("--after", Math.min(strength, 1));
    this.pair.style.setProperty("--extra", Math.max(0, (strength - 1) / (STRONG - 1)));
  }

  fillStrip() {
    this.strip.hidden = this.photos.length < 2;
    for (const item of [...this.strip.children]) {
      if (!this.photos.some(({ index }) => index === Number(item.dataset.index))) item.remove();
    }
    this.photos.forEach((photo, k) => this.fillItem(photo, k + 1));
    this.markStrip();
  }

  fillItem(photo, n) {
    let item = this.strip.querySelector(`[data-index="${photo.index}"]`);
    if (!item) {
      item = document.createElement("li");
      item.dataset.index = photo.index;
      const button = document.createElement("button");
      button.type = "button";
      button.append(Object.assign(document.createElement("img"), { alt: "" }));
      button.addEventListener("click", () => {
        const chosen = this.photos.find(({ index }) => index === photo.index);
        if (chosen?.pictures) this.show(chosen);
      });
      item.append(button);
      this.strip.append(item);
    }
    const button = item.querySelector("button");
    const kind = photo.own ? "textOwn" : photo.packaged ? "textPackaged" : "textStudy";
    button.setAttribute("aria-label", this.strip.dataset[kind].replace("{n}", n));
    button.disabled = !photo.pictures;
    button.classList.toggle("empty", !photo.pictures);
    const image = button.querySelector("img");
    image.hidden = !photo.pictures;
    if (photo.pictures && image.getAttribute("src") !== photo.pictures.thumb) image.src = photo.pictures.thumb;
  }

  markStrip() {
    for (const item of this.strip.children) {
      const isShown = Number(item.dataset.index) === this.index;
      item.querySelector("button").setAttribute("aria-pressed", isShown);
      if (isShown) this.strip.scrollLeft = item.offsetLeft - (this.strip.clientWidth - item.clientWidth) / 2;
    }
  }
}
