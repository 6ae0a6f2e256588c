/* Photos, loaded and decoded before they are needed. */

import { pause } from "./api.js";

const TRIES = 3;
const MAX_KEPT = 12;

export class ImageError extends Error {}

/** Pairs by the question's token, so that what was loaded ahead is at hand. */
export class Images {
  #pairs = new Map();

  /** Begin to load; errors show when the pair is asked for. */
  prefetch(questions) {
    for (const question of questions) this.pair(question).catch(() => {});
  }

  /** {left, right, retries}, both decoded. Throws ImageError after some tries; the next call tries anew. */
  pair(question) {
    const kept = this.#pairs.get(question.token);
    if (kept) return kept;
    const loading = loadPair(question);
    this.#pairs.set(question.token, loading);
    loading.catch(() => this.#pairs.delete(question.token));
    for (const token of this.#pairs.keys()) {
      if (this.#pairs.size <= MAX_KEPT) break;
      this.#pairs.delete(token);
    }
    return loading;
  }

  forget(question) {
    this.#pairs.delete(question.token);
  }
}

async function loadPair(question) {
  const [left, right] = await Promise.all([loadImage(question.left), loadImage(question.right)]);
  return { left: left.image, right: right.image, retries: left.retries + right.retries };
}

/** {image, retries}, decoded. Throws ImageError after some tries. */
export async function loadImage(url) {
  for (let retries = 0; retries < TRIES; retries += 1) {
    if (retries) await pause(retries - 1);
    await online();
    const image = new Image();
    image.alt = "";
    image.draggable = false;
    image.src = url;
    try {
      await image.decode();
      return { image, retries };
    } catch {
      // Not loaded, or not an image: the next try may do better.
    }
  }
  throw new ImageError(url);
}

/** A device without a network is no fault of a photo's. */
function online() {
  if (navigator.onLine) return Promise.resolve();
  return new Promise((resolve) => addEventListener("online", resolve, { once: true }));
}
