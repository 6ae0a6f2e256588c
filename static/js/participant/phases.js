/* The sheets of a session: each is shown until it is done with and gives what to tell the server of it. */

import { ImageError, loadImage } from "./images.js";
import { choice, fill, patiently, show } from "./sheets.js";

const LARGEST_PLATE = 640; // CSS pixels

export async function displayCheck() {
  const inverted = matchMedia("(inverted-colors: inverted)").matches;
  document.querySelector('#display [data-when="inverted"]').hidden = !inverted;
  await choice("display");
  return {};
}

export async function instructions() {
  await choice("instructions");
  return {};
}

/** Plates one after another: what is seen in each as text, empty for nothing. */
export async function plates({ phase, plates }) {
  const answers = [];
  const images = plates.map(({ image }) => image);
  try {
    for (let loading = loadImage(images[0]); answers.length < images.length; ) {
      const { image } = await patiently(loading);
      const n = answers.length + 1;
      if (n < images.length) loading = loadAhead(images[n]);
      answers.push(await seenIn(phase, image, { n, total: images.length }));
    }
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return { unknown: `plate ${answers.length + 1} of ${images.length} could not be loaded` };
  }
  return { answers };
}

function loadAhead(url) {
  const loading = loadImage(url);
  loading.catch(() => {}); // it shows when the plate is asked for
  return loading;
}

async function seenIn(phase, image, place) {
  const section = document.getElementById(phase);
  const typed = section.querySelector(".typed");
  const next = section.querySelector('[data-act="next"]');
  fill(section.querySelector(".count"), place);
  const plate = section.querySelector(".plate");
  image.alt = plate.dataset.alt.replace("{n}", place.n).replace("{total}", place.total);
  plate.replaceChildren(image);
  show(phase);
  fitToPixels(image, plate.clientWidth);

  const type = (text) => {
    typed.textContent = text.slice(0, 2);
    next.disabled = !text;
  };
  type("");
  const listening = new AbortController();
  const digit = (key) => {
    if (/^[0-9]$/.test(key)) type(typed.textContent + key);
    if (key === "Backspace") type(typed.textContent.slice(0, -1));
  };
  section.addEventListener("click", (event) => {
    const key = event.target.closest("[data-key]");
    digit(key?.dataset.key);
    if (event.detail) key?.blur(); // so that Enter goes on
  }, listening);
  return new Promise((resolve) => {
    const done = (text) => {
      listening.abort();
      resolve(text);
    };
    section.querySelector('[data-act="none"]').addEventListener("click", (event) => {
      if (event.detail <= 1) done(""); // the second half of a double click says nothing of the next plate
    }, listening);
    next.addEventListener("click", () => done(typed.textContent), listening);
    addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      digit(event.key);
      const onControl = event.target.closest?.("a, button");
      if (event.key === "Enter" && !event.repeat && !onControl && typed.textContent) done(typed.textContent);
    }, listening);
  });
}

/** As many whole screen pixels to each of the image's own as there is room for, so that nothing is smoothed;
    made smaller only where it would not fit otherwise. */
function fitToPixels(image, room) {
  const own = image.naturalWidth / devicePixelRatio;
  const times = Math.floor(Math.min(room, LARGEST_PLATE, innerHeight) / own);
  image.style.width = times ? `${times * own}px` : "min(100%, 100dvh - 2rem)";
  image.style.imageRendering = times ? "pixelated" : "auto";
}

/** What is answered of the questionnaire; all of it may be left out. */
export async function questionnaire() {
  const section = document.getElementById("questionnaire");
  const form = section.querySelector("form");
  form.addEventListener("submit", (event) => event.preventDefault());
  if ((await choice("questionnaire")) === "skip") return {};
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));
}
