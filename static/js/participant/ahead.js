/* The questions that come next, fetched before they run out. */

import { requestUntilAnswered } from "./api.js";

const ENOUGH = 6; // known questions below which more are fetched
const FETCH = 10;

export class Ahead {
  #url;
  #onTrouble;
  #questions = [];
  #last = -1; // highest index that is known
  #complete = false; // whether the server has none beyond it
  #fetching = null;
  #round = 0;

  constructor(url, { onTrouble }) {
    this.#url = url;
    this.#onTrouble = onTrouble;
  }

  /** Begin anew from questions in their order. */
  restart(questions) {
    this.#questions = questions;
    this.#last = questions.at(-1)?.index ?? -1;
    this.#complete = questions.length === 0;
    this.#fetching = null;
    this.#round += 1;
  }

  next(n) {
    return this.#questions.slice(0, n);
  }

  /** The present question is done with. */
  shift() {
    this.#questions.shift();
  }

  get isComplete() {
    return this.#complete;
  }

  /** Fetch more when few are left; resolves when they are here. */
  async refill() {
    if (this.#complete || this.#questions.length >= ENOUGH) return;
    this.#fetching ??= this.#fetch();
    await this.#fetching;
  }

  async #fetch() {
    const round = this.#round;
    const url = `${this.#url}?after=${this.#last}&limit=${FETCH}`;
    const { status, body } = await requestUntilAnswered(url, undefined, this.#onTrouble);
    if (round !== this.#round) return; // begun anew in the meantime
    this.#fetching = null;
    // Anything but 200 is for the session's state to explain.
    const questions = status === 200 ? body.questions : [];
    this.#complete = questions.length === 0;
    this.#questions.push(...questions);
    this.#last = questions.at(-1)?.index ?? this.#last;
  }
}
