/* Before and after in one place: a slider moves the border, and holding the photo shows it as it was.
   Without it the two stand below each other. */

const STEP = "0.1";

/** Put a slider below the pair; `label` says what it moves. Gives the slider. */
export function compare(pair, label) {
  pair.classList.add("ready");
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: "0", max: "100", step: STEP, value: "50" });
  slider.className = "border-slider";
  slider.setAttribute("aria-label", label);
  const place = (at) => pair.style.setProperty("--border", `${at}%`);
  slider.addEventListener("input", () => place(slider.value));
  for (const image of pair.querySelectorAll("img")) image.draggable = false;
  pair.addEventListener("pointerdown", () => place(100));
  for (const end of ["pointerup", "pointerleave", "pointercancel"]) {
    pair.addEventListener(end, () => place(slider.value));
  }
  place(slider.value);
  pair.after(slider);
  return slider;
}
