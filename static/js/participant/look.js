/* The page of somebody's look: it appears when the workers have made it, and answers to what is set. */

import { LookApi, LookError } from "./look-api.js";
import { Stage } from "./look-stage.js";
import { Taste } from "./look-taste.js";

const SETTLED_MS = 600; // a dial that rests so long is kept
const FIRST_LOOK = 40; // answers from which it is no first look any more

const root = document.getElementById("look");
const api = new LookApi(root.dataset.look);
const stage = new Stage(root, showActs);
const taste = new Taste(root, setTaste);
const wait = root.querySelector("[data-wait]");
const dial = document.getElementById("strength");
const own = document.getElementById("own");
let settling = 0;

async function main() {
  for (const [name, value] of [["--surround", root.dataset.surround], ["--on-surround", root.dataset.text]]) {
    document.documentElement.style.setProperty(name, value);
  }
  turnDial();
  dial.addEventListener("input", turnDial);
  own.addEventListener("change", () => own.files[0] && addOwn(own.files[0]));
  root.querySelector('[data-act="delete"]').addEventListener("click", deleteOwn);
  for (const button of root.querySelectorAll("[data-file]")) button.addEventListener("click", () => takeFile(button.dataset.file));
  await begin();
}

async function begin() {
  try {
    await show(await api.begin());
    const state = await api.until(({ state }) => state !== "making", async (state, how) => {
      say(wait, how);
      if (state) await show(state);
    });
    await show(state);
    if (state.state === "failed") return say(wait, "failed");
    await settle();
  } catch (error) {
    if (!(error instanceof LookError)) throw error;
    if (error.code === "no_look" || error.code === "not_found") location.reload(); // the page says why
    else say(wait, "failed");
  }
}

/** Wait until everything that was asked for is shown. */
async function settle() {
  const mine = (settling += 1);
  const isDone = ({ photos }) => mine !== settling || photos.every(({ is_current, fault }) => is_current || fault);
  const state = await api.until(isDone, (state) => mine === settling && state && show(state));
  if (mine === settling) await show(state);
}

async function show(state) {
  sure(state);
  taste.update(state.sliders);
  const bad = state.photos.find(({ own, fault }) => own && fault);
  if (bad) await dismiss(bad);
  const own = state.photos.filter((photo) => photo.own && !photo.fault);
  root.querySelector("[data-own]").classList.toggle("full", own.length >= Number(root.dataset.maxOwn));
  await stage.update(state.photos.filter(({ fault }) => !fault));
  if (!stage.photo) return;
  wait.hidden = true;
  root.querySelector("[data-elsewhere]").hidden = !state.photos.some(({ packaged }) => packaged);
  root.querySelector("[data-rail]").hidden = false;
}

function sure({ answers }) {
  const place = root.querySelector("[data-sure]");
  if (!answers) return;
  const n = Math.min(answers, Number(root.dataset.mostAnswers));
  place.textContent = (answers < FIRST_LOOK ? place.dataset.textFirst : place.dataset.textGood).replace("{n}", n);
  place.hidden = false;
}

/** What can be done with the photo that is shown. */
function showActs(photo) {
  root.querySelector('[data-file="photo"]').hidden = !photo.own;
  root.querySelector("[data-own-act]").hidden = !photo.own;
  if (!photo.own) return;
  const until = root.querySelector("[data-until]");
  const time = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  until.textContent = until.dataset.text.replace("{time}", time.format(new Date(photo.keep_until)));
}

let dialTimer;
function turnDial(event) {
  const strength = Number(dial.value);
  stage.setStrength(strength);
  root.querySelector("[data-strength]").textContent = percent(strength);
  dial.setAttribute("aria-valuetext", percent(strength));
  if (!event) return;
  clearTimeout(dialTimer);
  dialTimer = setTimeout(() => api.post("dial/", { strength, photo: stage.index }).catch(quiet), SETTLED_MS);
}

async function setTaste(strengths) {
  try {
    await show(await api.post("adjust/", { strengths, photo: stage.index }));
    await settle();
  } catch (error) {
    tellOf(error, root.querySelector("[data-filed]"), "failed");
  }
}

async function addOwn(file) {
  const said = root.querySelector("[data-upload]");
  own.value = ""; // so that the same file can be chosen again
  if (file.size > Number(root.dataset.maxBytes)) return say(said, "too_large");
  try {
    const { index } = await upload(file, (part) => say(said, "sending", { n: percent(part) }));
    say(said, "making");
    const isThere = ({ photos }) => !photos.some((photo) => photo.index === index && !photo.pictures && !photo.fault);
    const state = await api.until(isThere);
    const photo = state.photos.find((photo) => photo.index === index);
    await show(state);
    if (photo?.fault || !photo) return;
    say(said, "");
    await stage.show(photo);
    stage.figure.scrollIntoView({ block: "nearest" });
  } catch (error) {
    tellOf(error, said, "no_worker");
  }
}

/** Send the file's bytes; fetch tells nothing of how far they are. */
function upload(file, onPart) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${root.dataset.look}photos/`);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", ({ loaded, total }) => onPart(loaded / total));
    request.addEventListener("load", () => {
      if (request.status === 201) resolve(request.response);
      else reject(new LookError(request.response?.error ?? "no_worker"));
    });
    request.addEventListener("error", () => reject(new LookError("offline")));
    request.send(file);
  });
}

/** A file that was no photo is said and goes. */
async function dismiss(photo) {
  say(root.querySelector("[data-upload]"), photo.fault);
  await api.post(`photos/${photo.index}/delete/`, {}).catch(quiet);
}

async function deleteOwn() {
  const said = root.querySelector("[data-upload]");
  try {
    const state = await api.post(`photos/${stage.index}/delete/`, {});
    await show(state);
    say(said, "deleted");
    document.querySelector("[data-own]").focus();
  } catch (error) {
    tellOf(error, said, "offline");
  }
}

async function takeFile(what) {
  const said = root.querySelector("[data-filed]");
  try {
    say(said, "making");
    const { file } = await api.post("files/", { photo: stage.index, what, strength: Number(dial.value) });
    const state = await api.until(({ files }) => ["done", "failed", "cancelled"].includes(files[file]?.state));
    if (state.files[file].state !== "done") return say(said, "failed");
    say(said, "done");
    const link = Object.assign(document.createElement("a"), { href: state.files[file].address, download: "" });
    link.click();
  } catch (error) {
    tellOf(error, said, "failed");
  }
}

function percent(part) {
  return new Intl.NumberFormat(document.documentElement.lang, { style: "percent" }).format(part);
}

/** Say one of an element's own texts; "" says nothing. */
function say(element, name, values = {}) {
  const text = name ? element.getAttribute(`data-text-${name}`) ?? "" : "";
  const filled = text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  if (element.textContent !== filled) element.textContent = filled;
}

function tellOf(error, element, otherwise) {
  if (!(error instanceof LookError)) throw error;
  say(element, element.hasAttribute(`data-text-${error.code}`) ? error.code : otherwise);
}

function quiet(error) {
  if (!(error instanceof LookError)) throw error;
}

main();
