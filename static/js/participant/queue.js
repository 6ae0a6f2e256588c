/* What the participant gives waits here until the server has confirmed it: in IndexedDB, so that it
   outlives the page. */

import { Retry, isPaused, pause, request } from "./api.js";

const DATABASE = "tonalist";
const STORE = "answers";
const LONGEST_LOCK_MS = 20_000; // longer than a request takes; a tab that the system has frozen holds on for ever
const LONGEST_STORE_MS = 5000; // a browser's storage that says nothing counts as none
const SILENT_MS = 3000; // after so long without a reply it is said what waits

/** Sends entries one after another, in order, each until the server has said something final of it. */
export class Queue {
  #api;
  #session;
  #onWaiting;
  #onRefused;
  #store;
  #waiting = []; // {session, kind, body, key: Promise}
  #sending = null;
  #troubled = false; // whether the last try failed, or this one takes long
  #paused = false; // whether the study takes nothing for now
  #hurry = new AbortController();
  #settling = [];

  /** `onWaiting(n)`: so many entries cannot be sent now. `onRefused()`: one was not taken, for now or for good. */
  constructor(api, session, { onWaiting, onRefused }) {
    this.#api = api;
    this.#session = session;
    this.#onWaiting = onWaiting;
    this.#onRefused = onRefused;
  }

  /** Take up what an earlier page left unsent. */
  async open() {
    this.#store = await openStore();
    const kept = await this.#store.all();
    const ours = kept.filter((entry) => entry.session === this.#session);
    this.#waiting.push(...ours.map((entry) => ({ ...entry, key: Promise.resolve(entry.key) })));
    this.#send();
  }

  /** Keep what is to be posted to the API's address `kind`: answers, undo or phases/…; sent as soon as can be. */
  add(kind, body) {
    const entry = { session: this.#session, kind, body };
    this.#waiting.push({ ...entry, key: this.#store.put(entry) });
    this.#report();
    this.#send();
  }

  /** Resolves when nothing waits any more, or nothing can be sent because the study is paused. */
  settled() {
    return new Promise((resolve) => {
      this.#settling.push(resolve);
      this.#settle();
    });
  }

  /** Try now what the paused study would not take. */
  retry() {
    this.#paused = false;
    this.#hurry.abort();
    this.#hurry = new AbortController();
  }

  #settle() {
    if (this.#sending && !this.#paused) return;
    for (const resolve of this.#settling.splice(0)) resolve();
  }

  #send() {
    if (this.#sending || !this.#waiting.length) return;
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = null;
      this.#settle();
    });
  }

  async #sendAll() {
    for (let failures = 0; this.#waiting.length; ) {
      const silence = setTimeout(() => this.#report(true), SILENT_MS);
      const wait = await this.#deliver(this.#waiting[0]);
      clearTimeout(silence);
      this.#report(wait !== null);
      if (this.#troubled) await pause(failures, { atLeast: wait, signal: this.#hurry.signal });
      failures = this.#troubled ? failures + 1 : 0;
    }
  }

  #report(troubled = this.#troubled) {
    this.#troubled = troubled;
    this.#onWaiting(this.#troubled ? this.#waiting.length : 0);
  }

  /* Null when the entry is done with, otherwise the milliseconds after which to try again. */
  async #deliver(entry) {
    let answer;
    try {
      answer = await this.#sendOnce(entry);
    } catch (error) {
      if (!(error instanceof Retry)) throw error;
      return error.wait;
    }
    this.#paused = answer !== null && isPaused(answer);
    if (!this.#paused) this.#waiting.shift();
    this.#settle();
    if (answer !== null && answer.status !== 200) this.#onRefused();
    return this.#paused ? 0 : null;
  }

  /* The server's answer, or null when another tab has had one already. */
  async #sendOnce({ kind, body, key }) {
    return oneTabAtATime(`tonalist ${this.#session}`, async () => {
      if (!(await this.#store.has(await key))) return null;
      const answer = await request(`${this.#api}${kind}/`, body);
      if (!isPaused(answer)) await this.#store.remove(await key);
      return answer;
    });
  }
}

/* Two tabs of one session may hold the same entries. Where the browser has no locks both send them, and
   the server counts each once. */
async function oneTabAtATime(name, act) {
  if (!navigator.locks) return act();
  try {
    return await navigator.locks.request(name, { signal: AbortSignal.timeout(LONGEST_LOCK_MS) }, act);
  } catch (error) {
    if (error.name !== "TimeoutError") throw error;
    return act();
  }
}

async function openStore() {
  try {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "key", autoIncrement: true });
    return new Store(await result(opening));
  } catch {
    return new Store(null);
  }
}

/* Where a browser forbids storage, its disk is full or it does not answer, entries live as long as the page:
   a question whose answer was not sent by then is asked again. */
class Store {
  #database;

  constructor(database) {
    this.#database = database;
  }

  all() {
    return this.#try("readonly", (entries) => entries.getAll(), []);
  }

  /** The key under which the entry is kept; null where it is not. */
  put(entry) {
    return this.#try("readwrite", (entries) => entries.put(entry), null);
  }

  /** Whether the entry still waits to be sent, as far as this tab can know. */
  async has(key) {
    return key === null || (await this.#try("readonly", (entries) => entries.count(key), 1)) > 0;
  }

  async remove(key) {
    if (key !== null) await this.#try("readwrite", (entries) => entries.delete(key), null);
  }

  async #try(mode, act, otherwise) {
    try {
      return await result(act(this.#database.transaction(STORE, mode).objectStore(STORE)));
    } catch {
      return otherwise;
    }
  }
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    setTimeout(() => reject(new Error("the browser's storage says nothing")), LONGEST_STORE_MS);
  });
}
