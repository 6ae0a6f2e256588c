// All pairs of a page, those too that come while it is open.

import { compare } from "../compare.js";

const LABEL = "Border between before, on the left, and after";

for (const pair of document.querySelectorAll("[data-compare]")) prepare(pair);
new MutationObserver(() => {
  for (const pair of document.querySelectorAll("[data-compare]:not(.ready)")) prepare(pair);
}).observe(document.getElementById("photos") ?? document.body, { childList: true, subtree: true });

// The border's line, and on either side which it is; for the eye alone, as the pictures have texts.
function prepare(pair) {
  compare(pair, LABEL);
  for (const side of ["before", "after", "line"]) {
    const mark = Object.assign(document.createElement("span"), { className: `mark ${side}-mark` });
    mark.setAttribute("aria-hidden", "true");
    mark.dataset.side = side === "line" ? "" : side;
    pair.append(mark);
  }
}
