// Before and after in one place: a slider moves the border, and holding the photo shows it as it was.
// Without it the two stand below each other.

const STEP = "0.1";

for (const pair of document.querySelectorAll("[data-compare]")) prepare(pair);
// Photos that come while the page is open.
new MutationObserver(() => {
  for (const pair of document.querySelectorAll("[data-compare]:not(.ready)")) prepare(pair);
}).observe(document.getElementById("photos") ?? document.body, { childList: true, subtree: true });

function prepare(pair) {
  pair.classList.add("ready");
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: "0", max: "100", step: STEP, value: "50" });
  slider.setAttribute("aria-label", "Border between before, on the left, and after");
  const place = (at) => pair.style.setProperty("--border", `${at}%`);
  slider.addEventListener("input", () => place(slider.value));
  const images = pair.querySelectorAll("img");
  for (const image of images) {
    image.draggable = false;
    image.addEventListener("pointerdown", () => place(100));
    for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
      image.addEventListener(end, () => place(slider.value));
    }
  }
  place(slider.value);
  pair.after(slider);
}
