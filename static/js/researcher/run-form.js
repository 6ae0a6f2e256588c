// The form that starts a run: only the chosen system's presets, and word of missing weights as it is filled in.
// Without it all presets are offered, and the server says the same once the form is sent.

const form = document.querySelector("form[data-presets]");
if (form) keep(form);

function keep(form) {
  const presets = JSON.parse(form.dataset.presets); // system → preset → backbone
  const missing = JSON.parse(form.dataset.missing); // backbone → what is wrong and what mends it
  const { system, preset, backbone, elsewhere } = form.elements;
  const all = [...preset.options];
  const told = form.querySelector("[data-weights]");

  function show() {
    const own = presets[system.value] ?? {};
    const chosen = preset.value;
    preset.replaceChildren(...all.filter((option) => option.value in own));
    preset.value = chosen in own ? chosen : Object.keys(own)[0];
    const why = missing[backbone.value || own[preset.value]];
    told.textContent = why ? `${why[0].toUpperCase()}${why.slice(1)}.` : "";
    told.hidden = !why;
    // What the server said of the form as it was sent.
    document.getElementById("id_backbone_error")?.remove();
    form.querySelector("[data-elsewhere]").hidden = !why;
    if (!why) elsewhere.checked = false;
  }
  form.addEventListener("change", show);
  show();
}
