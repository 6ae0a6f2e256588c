/* The questions that come next, fetched before they run out. */

import { requestUntilAnswered } from "./api.js";

const ENOUGH = 6; // known questions below which more are fetched
const FETCH = 10;

export class Ahead {
  #url;
  #questions = [];
  #last = -1; // highest index that is known
  #end = Infinity; // index at which the present part is over
  #enough = ENOUGH;
  #complete = false; // whether the server has none beyond those known
  #fetching = null;
  #round = 0;

  constructor(url) {
    this.#url = url;
  }

  /** Begin anew from questions in their order, those from index `end` on left out. A server that chooses questions
      by the answers before them wants no more than `most` to be known at a time. */
  restart(questions, end = Infinity, most = ENOUGH) {
    this.#end = end;
    this.#enough = most;
    this.#questions = [];
    this.#last = -1;
    this.#fetching = null;
    this.#round += 1;
    this.#take(questions);
  }

  next(n) {
    return this.#questions.slice(0, n);
  }

  /** The present question is done with. */
  shift() {
    this.#questions.shift();
  }

  /** A question is to be asked again, before all others. */
  unshift(question) {
    this.#questions.unshift(question);
  }

  get isComplete() {
    return this.#complete;
  }

  /** Fetch more when few are left; resolves when they are here. */
  async refill() {
    if (this.#complete || this.#questions.length >= this.#enough) return;
    this.#fetching ??= this.#fetch();
    await this.#fetching;
  }

  async #fetch() {
    const round = this.#round;
    const limit = this.#enough < ENOUGH ? this.#enough - this.#questions.length : FETCH;
    const { status, body } = await requestUntilAnswered(`${this.#url}?after=${this.#last}&limit=${limit}`);
    if (round !== this.#round) return; // begun anew in the meantime
    this.#fetching = null;
    // Anything but 200 is for the session's state to explain.
    this.#take(status === 200 ? body.questions : []);
  }

  /* The part may have changed on the server since: what lies beyond it is not asked now. */
  #take(questions) {
    const ours = questions.filter((question) => question.index < this.#end);
    this.#complete = !ours.length || ours.length < questions.length || ours.at(-1).index === this.#end - 1;
    this.#questions.push(...ours);
    this.#last = ours.at(-1)?.index ?? this.#last;
  }
}
