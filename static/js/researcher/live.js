// Keeps the figures of a study, or the list of jobs, up to date. The page is whole without it; a reload shows the same.

import { ask, replace } from "./parts.js";

const USUAL_MS = 10_000;
const PART_OF_THE_TIME = 20; // a slow page is asked for so much less often than it takes

const figures = document.querySelector("[data-live]");
const EVERY_MS = Number(figures?.dataset.liveEvery ?? USUAL_MS);
if (figures) follow(figures.dataset.live);

async function follow(address) {
  let wait = EVERY_MS;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (document.hidden || isInUse()) continue;
    const begun = performance.now();
    const found = await ask(address);
    const took = performance.now() - begun;
    wait = found ? Math.max(EVERY_MS, PART_OF_THE_TIME * took) : 3 * EVERY_MS;
    if (!found || isInUse()) continue;
    for (const [id, html] of Object.entries(found.parts)) replace(id, html);
    say();
  }
}

// Nothing moves away under a keyboard's focus or a selection.
function isInUse() {
  const selection = getSelection();
  const selected = !selection.isCollapsed && figures.contains(selection.anchorNode);
  return selected || figures.querySelector(":focus-visible");
}

function say() {
  const now = new Date();
  const time = document.querySelector("[data-live-time]");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  document.querySelector("[data-live-note]").hidden = false;
}
