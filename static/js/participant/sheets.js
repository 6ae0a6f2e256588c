/* The page's sections, one of which is shown, and the texts in them. */

const PATIENCE_MS = 1500; // a longer wait is explained

const root = document.getElementById("session");

/** Show one section; its heading takes the focus, so that screen readers begin there. */
export function show(id) {
  for (const section of root.children) section.hidden = section.id !== id;
  if (root.dataset.section === id) return document.getElementById(id);
  root.dataset.section = id;
  scrollTo(0, 0);
  const section = document.getElementById(id);
  section.querySelector("h1")?.focus({ preventScroll: true });
  return section;
}

/** Show a section until one of its buttons is pressed, or Enter for the first; gives the button's name. */
export function choice(id) {
  const section = show(id);
  const listening = new AbortController();
  return new Promise((resolve) => {
    const done = (button) => {
      listening.abort();
      resolve(button.dataset.act);
    };
    section.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      // The second half of a double click was meant for the sheet before.
      if (button && event.detail <= 1) done(button);
    }, listening);
    addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.repeat || event.target.closest("a, button, textarea")) return;
      done(section.querySelector("[data-act]"));
    }, listening);
  });
}

/** Explain a wait that takes long; the section that stood there before comes back with the next `show`. */
export async function patiently(promise) {
  const timer = setTimeout(() => show("waiting"), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** Put values into an element's own text: `data-text="{n} of {total}"`. */
export function fill(element, values) {
  element.textContent = element.dataset.text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Set a progress bar to `done` of `total`. */
export function fillBar(bar, done, total) {
  bar.setAttribute("aria-valuemax", total);
  bar.setAttribute("aria-valuenow", done);
  bar.style.setProperty("--done", total ? done / total : 0);
}

/** Say or take back one of the short messages below the sections. */
export function note(name, shown, values = {}) {
  const message = document.querySelector(`[data-note="${name}"]`);
  if (shown) fill(message, values);
  message.hidden = !shown;
}
