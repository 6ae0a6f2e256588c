// The sliders of a style: each says its number, and all can go back to what was learned.
// Without it the form works as it is.

const form = document.getElementById("sliders");
if (form) {
  form.addEventListener("input", (event) => say(event.target));
  form.querySelector("[data-sliders=learned]")?.addEventListener("click", () => {
    for (const slider of form.querySelectorAll("[data-learned]")) {
      slider.value = slider.dataset.learned;
      say(slider);
    }
  });
}

function say(slider) {
  const output = form.querySelector(`output[for="${slider.id}"]`);
  if (output) output.textContent = String(Math.round(slider.value * 100) / 100);
}
