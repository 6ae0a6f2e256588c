/* The first photo of somebody's look, below the thanks. */

import { compare } from "../compare.js";
import { load, LookApi } from "./look-api.js";

/** Fill the teaser as soon as the look is there; without it the words say so, and the rest stays. */
export async function tease(element, address) {
  const wait = element.querySelector("[data-look-wait]");
  const say = (how) => {
    wait.textContent = wait.dataset[`text${how[0].toUpperCase()}${how.slice(1)}`] ?? wait.textContent;
  };
  const api = new LookApi(address);
  try {
    await api.begin();
    const isThere = ({ state, photos }) => state === "failed" || photos.some(({ pictures }) => pictures);
    const state = await api.until(isThere, (_, how) => how !== "making" && say("late"));
    const photo = state.photos.find(({ pictures }) => pictures);
    if (!photo) return say("failed");
    await showPair(element.querySelector("[data-look-pair]"), photo);
    wait.hidden = true;
  } catch {
    say("failed");
  }
}

async function showPair(place, photo) {
  const pair = place.querySelector(".before-after");
  const [after, before] = pair.querySelectorAll("img");
  for (const image of [after, before]) [image.width, image.height] = [photo.width, photo.height];
  await Promise.all([load(after, photo.pictures.after), load(before, photo.pictures.before)]);
  compare(pair, pair.dataset.borderLabel);
  place.hidden = false;
}
