/* Answers wait here until the server has confirmed them: in IndexedDB, so that they outlive the page. */

import { Retry, pause, request } from "./api.js";

const DATABASE = "tonalist";
const STORE = "answers";

/** Sends answers one after another, in order, each until the server has said something final of it. */
export class AnswerQueue {
  #url;
  #session;
  #onTrouble;
  #onRefused;
  #store;
  #waiting = []; // {session, answer, stored: Promise}
  #sending = null;

  /** `onTrouble(bool)`: whether answers cannot be sent now. `onRefused(code)`: one was not taken. */
  constructor(url, session, { onTrouble, onRefused }) {
    this.#url = url;
    this.#session = session;
    this.#onTrouble = onTrouble;
    this.#onRefused = onRefused;
  }

  /** Take up what an earlier page left unsent. */
  async open() {
    this.#store = await openStore();
    const kept = await this.#store.all();
    this.#waiting.push(...kept.filter((entry) => entry.session === this.#session));
    this.#send();
  }

  /** Keep an answer and send it as soon as can be. */
  add(answer) {
    const entry = { session: this.#session, answer };
    this.#waiting.push({ ...entry, stored: this.#store.put(entry) });
    this.#send();
  }

  has(question) {
    return this.#waiting.some((entry) => entry.answer.question === question);
  }

  /** Resolves when nothing waits any more. */
  async settled() {
    while (this.#sending) await this.#sending;
  }

  #send() {
    if (!this.#sending && this.#waiting.length) {
      this.#sending = this.#sendAll().finally(() => { this.#sending = null; });
    }
  }

  async #sendAll() {
    for (let failures = 0; this.#waiting.length; ) {
      const entry = this.#waiting[0];
      const key = entry.key ?? await entry.stored;
      try {
        const { status, body } = await request(this.#url, entry.answer);
        this.#waiting.shift();
        await this.#store.remove(key);
        if (failures) this.#onTrouble(false);
        failures = 0;
        if (status !== 200) this.#onRefused(body.error);
      } catch (error) {
        if (!(error instanceof Retry)) throw error;
        this.#onTrouble(true);
        await pause(failures);
        failures += 1;
      }
    }
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

/* Where a browser forbids storage or its disk is full, answers live as long as the page:
   one that was not sent by then is asked again. */
class Store {
  #database;

  constructor(database) {
    this.#database = database;
  }

  all() {
    return this.#try("readonly", (answers) => answers.getAll(), []);
  }

  /** The key under which the entry is kept. */
  put(entry) {
    return this.#try("readwrite", (answers) => answers.put(entry), null);
  }

  async remove(key) {
    if (key !== null) await this.#try("readwrite", (answers) => answers.delete(key), null);
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
  });
}
