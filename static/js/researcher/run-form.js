// The form that starts a run: only the chosen system's presets and backbones, and word of missing weights as it is filled in.
// Without it all of them are offered, and the server says the same once the form is sent.

const form = document.querySelector("form[data-presets]");
if (form) keep(form);

function keep(form) {
  const presets = JSON.parse(form.dataset.presets); // system → preset → backbone
  const offered = JSON.parse(form.dataset.offered); // system → preset → backbones
  const missing = JSON.parse(form.dataset.missing); // backbone → what is wrong and what mends it
  const { system, preset, backbone, elsewhere } = form.elements;
  const all = { presets: [...preset.options], backbones: [...backbone.options] };
  const told = form.querySelector("[data-weights]");

  function show() {
    const own = presets[system.value] ?? {};
    const chosen = preset.value;
    preset.replaceChildren(...all.presets.filter((option) => option.value in own));
    preset.value = chosen in own ? chosen : Object.keys(own)[0];
    const kinds = offered[system.value]?.[preset.value] ?? [];
    const kind = backbone.value;
    backbone.replaceChildren(...all.backbones.filter(({ value }) => !value || kinds.includes(value)));
    backbone.value = kinds.includes(kind) ? kind : "";
    const why = missing[backbone.value || own[preset.value]];
    told.textContent = why ? `${why[0].toUpperCase()}${why.slice(1)}.` : "";
    told.hidden = !why;
    // What the server said of the form as it was sent.
    document.getElementById("id_backbone_error")?.remove();
    // A preset may stand on what is not there and offer nothing else: that must be seen.
    form.querySelector("[data-backbone]").hidden = !kinds.length && !why;
    form.querySelector("[data-elsewhere]").hidden = !why;
    if (!why) elsewhere.checked = false;
  }
  form.addEventListener("change", show);
  show();
}
