/* Requests to the participant's API. What may be sent again is a Retry; the rest is the server's word. */

const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_MS = 30_000;
const FINAL = new Set([200, 400, 403, 404, 405, 409, 410, 413, 415]);

export class Retry extends Error {
  /** `wait`: milliseconds before which the server wants to hear nothing. */
  constructor(message, wait = 0) {
    super(message);
    this.wait = wait;
  }
}

/** Answer of the server as {status, body}. Throws Retry when there is none to go by. */
export async function request(url, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    keepalive: true, // an answer given just before the tab closes still goes out
  };
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const response = await fetch(url, { ...options, signal: stop.signal, cache: "no-store" });
    const answer = { status: response.status, body: await response.json() };
    if (!FINAL.has(answer.status) && !isPaused(answer)) throw new Retry(`status ${response.status}`, waitOf(response));
    return answer;
  } catch (error) {
    throw error instanceof Retry ? error : new Retry(String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the study rests and takes nothing for now. */
export function isPaused({ status, body }) {
  return status === 503 && body.error === "study_paused";
}

function waitOf(response) {
  return 1000 * (Number(response.headers.get("Retry-After")) || 0);
}

/** Ask until there is an answer. */
export async function requestUntilAnswered(url, body) {
  for (let failures = 0; ; failures += 1) {
    try {
      return await request(url, body);
    } catch (error) {
      if (!(error instanceof Retry)) throw error;
      await pause(failures, { atLeast: error.wait });
    }
  }
}

/** Wait 1, 2, 4 … up to 30 seconds, a little more or less, or until the browser says that it is online again
    or `signal` is given; but `atLeast` so many milliseconds. */
export function pause(failures, { atLeast = 0, signal } = {}) {
  const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(failures, 5)) * (0.8 + 0.4 * Math.random());
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(wait, atLeast));
    if (atLeast) return;
    addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}
