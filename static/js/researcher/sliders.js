// Forms of sliders: each says its number, and those of a style can go back to what was learned.
// Without it the form works as it is.

for (const form of document.querySelectorAll("form[data-sliders]")) {
  form.addEventListener("input", (event) => say(form, event.target));
  form.querySelector("button[data-sliders=learned]")?.addEventListener("click", () => {
    for (const slider of form.querySelectorAll("[data-learned]")) {
      slider.value = slider.dataset.learned;
      say(form, slider);
    }
  });
}

function say(form, slider) {
  const output = form.querySelector(`output[for="${slider.id}"]`);
  if (output) output.textContent = String(Math.round(slider.value * 100) / 100);
}
