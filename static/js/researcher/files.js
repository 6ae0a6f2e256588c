// Too many files, or too large ones, are said before they are uploaded. The server says the same without it.

const MB = 1e6;

for (const form of document.querySelectorAll("form[data-files]")) {
  const inputs = form.querySelectorAll("input[type=file][data-most]");
  for (const input of inputs) input.addEventListener("change", () => judge(input));
  form.addEventListener("submit", (event) => {
    const wrong = [...inputs].filter((input) => !judge(input));
    if (!wrong.length) return;
    event.preventDefault();
    wrong[0].focus();
  });
}

function judge(input) {
  const fault = faultOf([...input.files], input.dataset);
  const id = `${input.id}_files`;
  const said = document.getElementById(id);
  if (!fault) said?.remove();
  if (!fault) input.removeAttribute("aria-invalid");
  if (!fault) return true;
  const note = said ?? Object.assign(document.createElement("p"), { id, className: "error-text" });
  note.setAttribute("role", "alert");
  note.textContent = fault;
  if (!said) input.after(note);
  input.setAttribute("aria-invalid", "true");
  return false;
}

function faultOf(files, { most, mostEach, mostBytes }) {
  if (files.length > most) return `These are ${files.length} files; choose ${most} at most.`;
  const large = mostEach && files.find((file) => file.size > mostEach);
  if (large) return `${large.name} has ${megabytes(large.size)}; a photo may have ${megabytes(mostEach)}.`;
  const empty = files.find((file) => !file.size);
  if (empty) return `${empty.name} is empty (0 bytes).`;
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (mostBytes && total > mostBytes) {
    return `These have ${megabytes(total)} together; at most ${megabytes(mostBytes)} are taken. Smaller versions of them say the same.`;
  }
  return "";
}

function megabytes(bytes) {
  return `${Math.ceil(bytes / MB)} MB`;
}
