/* One session from its first sheet to its end, without loading a page in between. The server says which
   phase it is in; each phase is done here and told to the server, which says what comes next. */

import { Ahead } from "./ahead.js";
import { requestUntilAnswered } from "./api.js";
import { recordDisplay } from "./display.js";
import { showEnd } from "./ends.js";
import { ImageError, Images } from "./images.js";
import { displayCheck, instructions, plates, questionnaire } from "./phases.js";
import { QuestionView } from "./question.js";
import { Queue } from "./queue.js";
import { choice, fill, fillBar, note, patiently, show } from "./sheets.js";

const LOADED_AHEAD = 3; // questions whose photos are loaded before they are asked

/** Phase → what happens in it, from the session's state to the state after it; an end has none. */
const PHASES = {
  display: recorded(displayCheck),
  color_vision: recorded(plates),
  levels: recorded(plates),
  instructions: recorded(instructions),
  practice,
  main: mainQuestions,
  questionnaire: recorded(questionnaire),
  paused,
  finished: ({ end }) => showEnd("finished", end),
  screened_out: ({ end }) => showEnd("screened_out", end),
  closed: ({ end }) => showEnd("closed", end),
};

const root = document.getElementById("session");
const api = root.dataset.api;
const view = new QuestionView(document.getElementById("question"));
const images = new Images();
const ahead = new Ahead(`${api}questions/`);
const queue = new Queue(api, root.dataset.session, {
  onWaiting: (n) => note("unsent", n > 0, { n }),
  onRefused: interrupt,
});
const leftForTheEnd = new Set(); // questions whose photos could not be had
let stale = false; // whether the server knows better how far the session is
let onOtherScreen = false; // whether the person is to be asked about the screen

async function main() {
  paintSurround();
  await queue.open();
  let state = await takeState();
  recordDisplay(`${api}display/`, () => {
    onOtherScreen = true;
    interrupt();
  });
  while (state) {
    images.prefetch((state.questions ?? []).slice(0, LOADED_AHEAD));
    if (onOtherScreen) await askWhichScreen();
    state = await PHASES[state.phase](state);
  }
}

/** Where the session is, by the server, once it has everything that waits here. */
async function takeState() {
  await patiently(queue.settled());
  stale = false;
  const { status, body } = await patiently(requestUntilAnswered(api));
  if (status === 404) await leaveFor(location.href); // the page says why there is nothing here
  if (status !== 200) throw new Error(`the session's state cannot be had: status ${status}`);
  return body;
}

/** Leave the question that is shown, and look where the session is. */
function interrupt() {
  stale = true;
  view.stop();
}

/** A phase that is a sheet: `show` gives what the server is told of it. */
function recorded(show) {
  return async (state) => {
    queue.add(`phases/${state.phase}`, await show(state));
    return takeState();
  };
}

async function practice(state) {
  const { attempt, answered, total } = state.practice;
  if (attempt > 1 && answered === 0) await choice("again");
  await askQuestions(state, { answered, total, end: attempt * total });
  return takeState();
}

async function mainQuestions(state) {
  const { answered, total } = state.progress;
  if (answered === 0 && root.dataset.practice) await choice("between");
  await askQuestions(state, { answered, total, breaks: new Set(state.breaks) });
  return takeState();
}

/** Ask all questions of a part, up to index `end`, `answered` of `total` being done already. */
async function askQuestions(state, { answered, total, end, breaks = new Set() }) {
  ahead.restart(state.questions, end, state.ahead);
  if (!state.questions.length) throw new Error(`there is nothing to ask in ${state.phase}`);
  let last = null; // the answer that may be taken back
  for (let question; (question = await nextQuestion()); ) {
    if (breaks.delete(answered)) await rest(answered, total);
    const chosen = await ask(question, { answered, total, undo: last !== null });
    if (chosen === "undo") {
      takeBack(last);
      answered -= 1;
      last = null;
    } else if (chosen) {
      queue.add("answers", { question: question.token, ...chosen });
      answered += 1;
      if (last) images.forget(last.question);
      last = { question, ...chosen };
    }
  }
}

/** The question to put now, or nothing when the part is over or the server knows better. */
async function nextQuestion() {
  while (!stale && !ahead.next(1).length && !ahead.isComplete) await view.whileLoading(ahead.refill());
  return stale ? undefined : ahead.next(1)[0];
}

/** Put one question; gives the choice, "undo", or null when it was not answered here. */
async function ask(question, place) {
  ahead.refill();
  show("question");
  view.announce(question, place);
  let pair;
  try {
    pair = await view.whileLoading(images.pair(question));
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return photosMissing(question);
  }
  if (stale) return null;
  show("question"); // it gave way to "waiting" where there was no network
  const choosing = view.choice(question, pair, place);
  images.prefetch(ahead.next(1 + LOADED_AHEAD).slice(1));
  const chosen = await choosing;
  if (chosen && chosen !== "undo") ahead.shift();
  return chosen;
}

function takeBack({ question, side, response_ms }) {
  queue.add("undo", { question: question.token, side, response_ms });
  ahead.unshift(question);
}

async function photosMissing(question) {
  const others = ahead.next(Infinity).slice(1).some((other) => !leftForTheEnd.has(other.token));
  root.querySelector('[data-act="later"]').hidden = !others && ahead.isComplete;
  if ((await choice("trouble")) === "later") {
    leftForTheEnd.add(question.token);
    ahead.shift();
  }
  return null;
}

async function rest(answered, total) {
  const section = document.getElementById("break");
  fill(section.querySelector("[data-text]"), { answered, total });
  fillBar(section.querySelector(".bar"), answered, total);
  await choice("break");
}

async function paused() {
  await choice("paused");
  queue.retry();
  return takeState();
}

/** The same screen as before, or another one: answers are kept apart by screen. */
async function askWhichScreen() {
  onOtherScreen = false;
  const same = (await choice("screen")) === "same";
  await patiently(queue.settled());
  const { body } = await patiently(requestUntilAnswered(`${api}display/same/`, { same }));
  if (body.session) await leaveFor(body.session);
}

function leaveFor(address) {
  location.assign(address);
  return new Promise(() => {}); // nothing more is done here
}

/** The study's grey around the photos, and black or white on it. */
function paintSurround() {
  document.documentElement.style.setProperty("--surround", root.dataset.surround);
  document.documentElement.style.setProperty("--on-surround", root.dataset.text);
}

main().catch((error) => {
  show("broken");
  throw error;
});
