// The protocol's form, judged by the server while it is typed: the same code that will judge it when it is saved.
// The page is whole without it; what is wrong is then said after saving.

import { replace } from "./parts.js";

const PAUSE_MS = 400;

const form = document.querySelector("[data-validate]");
if (form) {
  let timer = 0;
  let asked = 0;
  const judgeSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const number = ++asked;
      const found = await judged();
      if (found && number === asked) show(found);
    }, PAUSE_MS);
  };
  form.addEventListener("input", judgeSoon);
  judgeSoon(); // what was typed before this script was there, or kept by the browser over a reload
  window.addEventListener("beforeunload", (event) => {
    if (form.dataset.changed) event.preventDefault();
  });
  form.addEventListener("input", () => (form.dataset.changed = "yes"));
  form.addEventListener("submit", () => delete form.dataset.changed);
}

async function judged() {
  try {
    const reply = await fetch(form.dataset.validate, { method: "POST", body: new FormData(form), redirect: "error" });
    return reply.ok ? await reply.json() : null;
  } catch {
    say("The server does not answer; what you typed is still here.");
    return null;
  }
}

function show({ errors, parts }) {
  for (const element of form.querySelectorAll("[data-error]")) {
    const text = errors[element.dataset.error] ?? "";
    element.textContent = text;
    element.hidden = !text;
    for (const input of form.querySelectorAll(`[name="${CSS.escape(element.dataset.error)}"]`)) {
      input.toggleAttribute("aria-invalid", Boolean(text));
      if (text) input.setAttribute("aria-invalid", "true");
    }
  }
  for (const section of form.querySelectorAll("details.section")) {
    const n = section.querySelectorAll("[data-error]:not([hidden])").length;
    const faults = section.querySelector("[data-faults]");
    faults.textContent = n === 1 ? "1 to mend" : `${n} to mend`;
    faults.hidden = !n;
  }
  for (const [id, html] of Object.entries(parts)) replace(id, html);
  const n = Object.keys(errors).length;
  say(n ? `${n} ${n === 1 ? "setting" : "settings"} cannot be taken as typed.` : "All of it can be saved.");
}

function say(text) {
  form.querySelector("[data-validity]").textContent = text;
}
