/* Requests to the participant's API. What may be sent again is a Retry; the rest is the server's word. */

const TIMEOUT_MS = 15_000;
const LONGEST_WAIT_MS = 30_000;
const FINAL = new Set([200, 400, 404, 405, 409, 410, 413, 415]);

export class Retry extends Error {}

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
    if (!FINAL.has(response.status)) throw new Retry(`status ${response.status}`);
    return { status: response.status, body: await response.json() };
  } catch (error) {
    throw error instanceof Retry ? error : new Retry(String(error));
  } finally {
    clearTimeout(timer);
  }
}

/** Ask until there is an answer; `onTrouble(true)` after the first failure, `onTrouble(false)` at the end of it. */
export async function requestUntilAnswered(url, body, onTrouble = () => {}) {
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await request(url, body);
      if (failures) onTrouble(false);
      return answer;
    } catch (error) {
      if (!(error instanceof Retry)) throw error;
      onTrouble(true);
      await pause(failures);
    }
  }
}

/** Wait 1, 2, 4 … up to 30 seconds, a little more or less, or until the browser says that it is online again. */
export function pause(failures) {
  const wait = Math.min(LONGEST_WAIT_MS, 1000 * 2 ** Math.min(failures, 5)) * (0.8 + 0.4 * Math.random());
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, wait);
    addEventListener("online", done);
  });
}
