/* Where a session ends: thanks, a code to take away, and the way back to where the person came from. */

import { fill, show } from "./sheets.js";

const BACK_AFTER_S = 15;

/** Show the end `id`; `end` says what the panel wants, if there is one. */
export function showEnd(id, { code, address, submit, look }) {
  const section = show(id);
  if (look && id === "finished") offerLook(part(section, "look"), look);
  if (code) offerCode(part(section, "code"), code);
  if (submit) offerSubmit(part(section, "submit"), submit, code);
  else if (address) offerWayBack(part(section, "back"), new URL(address), Boolean(look));
  else part(section, "close");
}

function part(section, name) {
  const element = section.querySelector(`[data-end="${name}"]`);
  element.hidden = false;
  return element;
}

function offerCode(element, code) {
  const text = element.querySelector(".code");
  text.textContent = code;
  element.querySelector("button").addEventListener("click", async () => {
    getSelection().selectAllChildren(text); // where nothing may be copied for them, it is marked to be copied
    const copied = await copy(code);
    element.querySelector("[data-copied]").hidden = !copied;
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/* Mechanical Turk takes the work as a form that the person sends. */
function offerSubmit(form, { address, assignment }, code) {
  form.action = address;
  form.elements.assignmentId.value = assignment;
  form.elements.code.value = code;
}

/* Their own look; what shows it is loaded only here, where it is needed. */
async function offerLook(element, look) {
  element.querySelector("a").href = look;
  const { tease } = await import("./look-teaser.js");
  await tease(element, look);
}

/** Whoever has something to look at is not taken away from it. */
function offerWayBack(element, address, stays) {
  const link = element.querySelector("a");
  fill(link, { place: address.host });
  link.href = address;
  if (stays) {
    for (const part of element.querySelectorAll("[data-countdown], button")) part.hidden = true;
    return;
  }
  const countdown = element.querySelector("[data-countdown]");
  let left = BACK_AFTER_S;
  const tick = () => {
    fill(countdown, { n: left });
    if (left === 0) location.assign(address);
    left -= 1;
  };
  tick();
  const timer = setInterval(tick, 1000);
  element.querySelector("button").addEventListener("click", (event) => {
    clearInterval(timer);
    countdown.hidden = true;
    event.target.hidden = true;
    link.focus();
  });
}
