// Works the plan out anew while its form is filled in. Without it the button does the same.

import { ask, replace } from "./parts.js";

const PAUSE_MS = 250;
const form = document.querySelector("[data-plan]");
let timer = 0;
let asked = 0;

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(work, PAUSE_MS);
});

async function work() {
  const fields = new URLSearchParams(new FormData(form));
  const mine = ++asked;
  const found = await ask(`${form.dataset.plan}?${fields}`);
  if (mine !== asked || !found) return; // an older answer, or none: the button still works
  tell(found.errors ?? {});
  if (!found.parts) return;
  for (const [id, html] of Object.entries(found.parts)) replace(id, html);
  document.querySelector("[data-plan-stale]")?.remove();
  history.replaceState(null, "", `?${fields}`);
}

function tell(errors) {
  for (const input of form.querySelectorAll("input[name]")) {
    const line = document.getElementById(`${input.id}_error`);
    if (!line) continue;
    line.textContent = errors[input.name] ?? "";
    line.hidden = !line.textContent;
    input.toggleAttribute("aria-invalid", false);
    if (line.textContent) input.setAttribute("aria-invalid", "true");
  }
}
