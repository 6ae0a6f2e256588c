/* What a look's page asks of the server, and how it waits for what workers make. */

const SOON_MS = 150; // between two questions while somebody waits for the first photo
const SOON_FOR_MS = 5000;
const LATER_MS = 1000;
const LATE_MS = 4000;
const NOBODY_S = 20; // so long has no worker taken it

export class LookError extends Error {
  /** `code` as the server says it, or "offline". */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export class LookApi {
  /** `address` is the page's own. */
  constructor(address) {
    this.address = address;
  }

  begin() {
    return this.post("begin/", {});
  }

  state() {
    return this.ask("state/");
  }

  post(path, body) {
    return this.ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  }

  async ask(path, options = {}) {
    let response;
    try {
      response = await fetch(this.address + path, { ...options, cache: "no-store" });
    } catch {
      throw new LookError("offline");
    }
    const body = await response.json().catch(() => ({}));
    if (!response.ok) throw new LookError(body.error ?? "offline");
    return body;
  }

  /** Ask until `isEnough(state)`; `onState(state, how)` is told each time, `how` being how long it takes:
      making, late, nobody or offline. */
  async until(isEnough, onState = () => {}) {
    const began = Date.now();
    for (;;) {
      const gone = Date.now() - began;
      try {
        const state = await this.state();
        if (isEnough(state)) return state;
        onState(state, state.waited > NOBODY_S && !state.is_at_work ? "nobody" : gone > LATE_MS ? "late" : "making");
      } catch (error) {
        if (error.code !== "offline" && error.code !== "throttled") throw error;
        onState(null, "offline");
      }
      await pause(gone < SOON_FOR_MS ? SOON_MS : LATER_MS);
    }
  }
}

/** Resolves when the image has its pixels; an image that cannot be had stays empty. */
export async function load(image, address) {
  image.src = address;
  await image.decode().catch(() => {});
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
