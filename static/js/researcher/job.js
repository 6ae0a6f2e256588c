// Keeps the progress of long work alive: asks the server every two seconds until the work is over.
// The page is whole without it; a reload shows the same.

import { ask, replace } from "./parts.js";

const EVERY_MS = 2000;

for (const section of document.querySelectorAll("[data-progress]")) {
  follow(section);
}

async function follow(section) {
  const pace = {};
  let failures = 0;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS * Math.min(1 + failures, 15)));
    if (document.hidden) continue;
    const job = await ask(section.dataset.progress);
    if (!job) {
      failures += 1;
      say(section, "left", "no answer from the server, trying again");
      continue;
    }
    failures = 0;
    if (job.is_over) {
      location.reload();
      return;
    }
    show(section, job, timeLeft(pace, job));
    for (const [id, html] of Object.entries(job.parts)) replace(id, html);
  }
}

function show(section, job, left) {
  say(section, "state", job.state_words);
  section.querySelector("[data-job=state]").className = `state ${job.state}`;
  say(section, "stage", job.stage);
  say(section, "count", job.total ? `${job.done} of ${job.total}` : "");
  say(section, "left", left);
  const bar = section.querySelector("[data-job=bar]");
  if (job.total) bar.value = job.fraction;
  else bar.removeAttribute("value");
}

// From the pace since this page first saw the stage: each stage counts in units of its own.
function timeLeft(pace, job) {
  const now = performance.now();
  if (pace.stage !== job.stage || job.done < pace.done) {
    Object.assign(pace, { stage: job.stage, done: job.done, at: now });
  }
  const done = job.done - pace.done;
  if (!done) return "";
  const seconds = ((job.total - job.done) / done) * ((now - pace.at) / 1000);
  if (seconds < 90) return `about ${Math.max(1, Math.round(seconds))} s left in this stage`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left in this stage`;
  return `about ${(seconds / 3600).toFixed(1)} h left in this stage`;
}

function say(section, name, text) {
  const element = section.querySelector(`[data-job=${name}]`);
  if (element && element.textContent !== text) element.textContent = text;
}
