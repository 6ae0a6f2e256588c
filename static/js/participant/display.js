/* What the browser says of the display. What it does not know is left out: unknown is not wrong. */

import { requestUntilAnswered } from "./api.js";

const REFRESH_FRAMES = 20;
const SETTLE_MS = 1000;

/** Store a record now, and another one whenever the display itself changes; `onOther()` when the server
    takes it for another screen than the session began on. */
export async function recordDisplay(url, onOther) {
  let last = null;
  const store = async () => {
    if (identity() === last) return;
    last = identity();
    const { body } = await requestUntilAnswered(url, await record());
    if (body.ask) onOther();
  };
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(store, SETTLE_MS);
  });
  await store();
}

/** Changes when the page moves to another screen, not when its window changes size. */
function identity() {
  return [screen.width, screen.height, devicePixelRatio, gamut(), dynamicRange()].join();
}

async function record() {
  return {
    screen_width: screen.width,
    screen_height: screen.height,
    pixel_ratio: devicePixelRatio,
    color_depth: screen.colorDepth,
    color_gamut: gamut(),
    dynamic_range: dynamicRange(),
    platform: navigator.userAgentData?.platform || navigator.platform,
    browser: browser(),
    viewport_width: innerWidth,
    viewport_height: innerHeight,
    refresh_hz: await refreshRate(),
    orientation: screen.orientation?.type,
    touch_points: navigator.maxTouchPoints,
    pointer: first(["fine", "coarse", "none"], (kind) => `(pointer: ${kind})`),
    dark_mode: matches("(prefers-color-scheme: dark)"),
    more_contrast: matches("(prefers-contrast: more)"),
    forced_colors: matches("(forced-colors: active)"),
    inverted_colors: matches("(inverted-colors: inverted)"),
  };
}

const matches = (query) => matchMedia(query).matches;
const first = (names, query) => names.find((name) => matches(query(name)));
const gamut = () => first(["rec2020", "p3", "srgb"], (name) => `(color-gamut: ${name})`);
const dynamicRange = () => first(["high", "standard"], (name) => `(dynamic-range: ${name})`);

function browser() {
  const brands = navigator.userAgentData?.brands.filter((brand) => !/not.?a.?brand/i.test(brand.brand));
  const known = brands?.map((brand) => `${brand.brand} ${brand.version}`).join(", ");
  return known || navigator.userAgent.match(/(Firefox|Version|Chrome)\/\d+/)?.[0];
}

/** Frames a second, by the median of some frames; undefined where frames do not come, as in a hidden tab. */
async function refreshRate() {
  const times = [];
  const measured = (async () => {
    while (times.length <= REFRESH_FRAMES) times.push(await new Promise(requestAnimationFrame));
  })();
  await Promise.race([measured, new Promise((resolve) => setTimeout(resolve, 1000))]);
  if (times.length <= REFRESH_FRAMES) return undefined;
  const lengths = times.slice(1).map((time, k) => time - times[k]).sort((a, b) => a - b);
  return Math.round(1000 / lengths[lengths.length >> 1]);
}
