/* One session from the instructions to thanks, without loading a page in between. */

import { Ahead } from "./ahead.js";
import { requestUntilAnswered } from "./api.js";
import { recordDisplay } from "./display.js";
import { ImageError, Images } from "./images.js";
import { AnswerQueue } from "./queue.js";
import { QuestionView } from "./question.js";

const LOADED_AHEAD = 3; // questions whose photos are loaded before they are asked
const PATIENCE_MS = 1500; // a longer wait is explained

/** The session cannot go on; `section` says so. */
class Over extends Error {
  constructor(section) {
    super(section);
    this.section = section;
  }
}

const root = document.getElementById("session");
const api = root.dataset.api;
const nPractice = Number(root.dataset.practice);
const view = new QuestionView(document.getElementById("question"));
const onTrouble = (trouble) => view.note("offline", trouble);
const images = new Images();
const ahead = new Ahead(`${api}questions/`, { onTrouble });
const queue = new AnswerQueue(`${api}answers/`, root.dataset.session, { onTrouble, onRefused });
const leftForTheEnd = new Set(); // questions whose photos could not be had
let refusal = null;

async function main() {
  paintSurround();
  await queue.open();
  const state = await takeState();
  recordDisplay(`${api}display/`);
  images.prefetch(ahead.next(LOADED_AHEAD));
  if (state.phase !== "finished" && state.progress.answered === 0) await click("instructions");
  let practised = false;
  for (let question; (question = await nextQuestion()); ) {
    if (practised && !question.practice) await click("between");
    practised = question.practice;
    await ask(question);
  }
  show("finished");
}

/** The question to put now, or null when all are answered. */
async function nextQuestion() {
  for (;;) {
    if (refusal === "study_closed") throw new Over("closed");
    if (!refusal) {
      const [question] = ahead.next(1);
      if (question) return question;
    }
    if (refusal || ahead.isComplete) {
      refusal = null;
      const state = await takeState();
      if (state.phase === "finished") return null;
      if (!ahead.next(1).length) throw new Over("broken");
    } else {
      await view.whileLoading(ahead.refill());
    }
  }
}

/** Begin from what the server holds, once it has every answer that waits here. */
async function takeState() {
  await patiently(queue.settled());
  const { status, body } = await patiently(requestUntilAnswered(api));
  if (status !== 200) throw new Over("broken");
  if (body.phase === "closed") throw new Over("closed");
  ahead.restart(body.questions);
  return body;
}

/** Put one question and keep its answer; none when its photos cannot be had or it was answered elsewhere. */
async function ask(question) {
  ahead.refill();
  show("question");
  view.announce(question, place(question));
  let pair;
  try {
    pair = await view.whileLoading(images.pair(question));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return photosMissing(question);
  }
  if (refusal) return;
  const choosing = view.choice(question, pair);
  images.prefetch(ahead.next(1 + LOADED_AHEAD).slice(1));
  const chosen = await choosing;
  if (!chosen) return;
  ahead.shift();
  images.forget(question);
  queue.add({ question: question.token, ...chosen });
}

async function photosMissing(question) {
  const others = ahead.next(Infinity).slice(1).some((other) => !leftForTheEnd.has(other.token));
  root.querySelector('[data-act="later"]').hidden = !others && ahead.isComplete;
  if ((await click("trouble")) === "again") return;
  leftForTheEnd.add(question.token);
  ahead.shift();
}

/** An answer was not taken: in a second tab the session goes on elsewhere, or the study was closed. */
function onRefused(code) {
  refusal = code;
  view.stop();
}

function place(question) {
  const { index, total, practice } = question;
  return practice
    ? { practice, n: index + 1, total: nPractice, answered: index, of: total }
    : { practice, n: index + 1 - nPractice, total: total - nPractice, answered: index, of: total };
}

/** Explain a wait that takes long; the section that stood there before comes back with the next `show`. */
async function patiently(promise) {
  const timer = setTimeout(() => show("waiting"), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

function show(id) {
  for (const section of root.children) section.hidden = section.id !== id;
  if (root.dataset.section === id) return;
  root.dataset.section = id;
  document.getElementById(id).querySelector("h1")?.focus({ preventScroll: true });
}

/** Show a section until one of its buttons is pressed, or Enter for the first; gives the button's name. */
function click(id) {
  show(id);
  const section = document.getElementById(id);
  const listening = new AbortController();
  return new Promise((resolve) => {
    const done = (button) => {
      listening.abort();
      resolve(button.dataset.act);
    };
    section.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (button) done(button);
    }, listening);
    section.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.repeat && !event.target.closest("[data-act]")) done(section.querySelector("[data-act]"));
    }, listening);
  });
}

/** The study's grey around the photos, and black or white on it. */
function paintSurround() {
  document.documentElement.style.setProperty("--surround", root.dataset.surround);
  document.documentElement.style.setProperty("--on-surround", root.dataset.text);
}

main().catch((error) => {
  show(error instanceof Over ? error.section : "broken");
  if (!(error instanceof Over)) throw error;
});
