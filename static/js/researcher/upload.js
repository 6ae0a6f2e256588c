// Photos sent one by one, each as the body of a request of its own. What is there already is known by its sha256 and
// not sent; what breaks off is sent again, here or after the folder is chosen another time.

const TRIES = 4;
const WAIT_MS = [0, 1000, 4000, 10_000];
const FAULTS_SHOWN = 50;

const form = document.getElementById("upload-form");
if (form) begin();

function begin() {
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const suffixes = form.dataset.suffixes.split(" ");
  const button = form.querySelector("button[type=submit]");
  const part = (name) => form.querySelector(`[data-upload=${name}]`);
  const drop = form.querySelector(".drop");
  let files = [];
  let stopped = false;
  let running = false;

  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => choose([...input.files]));
    if (input.files.length) choose([...input.files]); // chosen before this script was there
  }
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose([...event.dataTransfer.files]);
  });
  part("stop").addEventListener("click", () => (stopped = true));
  window.addEventListener("beforeunload", (event) => {
    if (running) event.preventDefault();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!running && files.length) upload();
  });

  function choose(chosen) {
    if (running) return;
    const photos = chosen.filter((file) => suffixes.some((suffix) => file.name.toLowerCase().endsWith(suffix)));
    const bytes = photos.reduce((sum, file) => sum + file.size, 0);
    const others = chosen.length - photos.length;
    files = photos;
    part("chosen").textContent =
      `${photos.length} ${photos.length === 1 ? "photo" : "photos"}, ${megabytes(bytes)}` +
      (others ? `; ${others} other ${others === 1 ? "file" : "files"} passed over` : "");
    button.disabled = !photos.length;
  }

  async function upload() {
    running = true;
    stopped = false;
    button.disabled = true;
    part("stop").hidden = part("running").hidden = false;
    part("faults").replaceChildren();
    const begun = performance.now();
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    let bytes = 0;
    let sent = 0;
    let skipped = 0;
    let broken = false;
    try {
      const job = await post(form.dataset.begin, new FormData(form));
      const home = `${form.dataset.jobs}${job.job}/`;
      for (const file of files) {
        if (stopped) break;
        part("name").textContent = file.webkitRelativePath || file.name;
        try {
          const known = await send(home, file, (here) => show(bytes + here));
          if (known) skipped += 1;
          else sent += file.size;
        } catch (error) {
          if (error.lost) throw error;
          fault(file, error.message);
        }
        bytes += file.size;
        done += 1;
        show(bytes);
      }
      if (!stopped) {
        running = false;
        const last = document.createElement("form");
        last.method = "post";
        last.action = `${home}finish/`;
        const field = document.createElement("input");
        Object.assign(field, { type: "hidden", name: "csrfmiddlewaretoken", value: token });
        last.append(field);
        document.body.append(last);
        if (!part("faults").children.length) last.submit();
        else offer(last);
        return;
      }
    } catch (error) {
      broken = true;
      fault(null, error.message);
    }
    running = false;
    part("stop").hidden = true;
    button.disabled = false;
    part("name").textContent = broken || stopped
      ? "Stopped. What came whole is kept: upload the same folder again to go on, and it is skipped."
      : "";

    function show(now) {
      part("bar").value = total ? now / total : 1;
      part("count").textContent = `${done} of ${files.length}, ${megabytes(now)} of ${megabytes(total)}` +
        (skipped ? `; ${skipped} there already` : "");
      const seconds = (performance.now() - begun) / 1000;
      const pace = now / seconds;
      const left = (total - now) / pace;
      part("left").textContent = seconds > 3 && sent && left > 1 ? `about ${minutes(left)} left` : "";
    }
  }

  // Some files were refused: whoever uploads reads why before the page changes.
  function offer(last) {
    part("stop").hidden = true;
    part("name").textContent = "The files named here were not taken; all others have come.";
    button.textContent = "Go on without them";
    button.disabled = false;
    button.type = "button";
    button.addEventListener("click", () => last.submit(), { once: true });
  }

  async function send(home, file, progress) {
    if (file.size > Number(form.dataset.maxBytes)) {
      throw new Error(`${megabytes(file.size)} are too much: at most ${megabytes(Number(form.dataset.maxBytes))}`);
    }
    const name = file.webkitRelativePath || file.name;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const sha256 = await digest(file);
        if (sha256) {
          const body = new URLSearchParams({ sha256, name });
          if ((await post(`${home}known/`, body)).known) return true;
        }
        part("name").textContent = name;
        await put(`${home}file/?name=${encodeURIComponent(name)}`, file, progress);
        return false;
      } catch (error) {
        if (!error.again) throw error;
        if (attempt === TRIES || stopped) throw Object.assign(error, { lost: true });
        part("name").textContent = `${error.message} Trying again, ${attempt} of ${TRIES - 1}: ${name}`;
        await new Promise((resolve) => setTimeout(resolve, WAIT_MS[attempt]));
      }
    }
  }

  async function digest(file) {
    if (!crypto.subtle) return ""; // not on a secure address: the server finds out after the upload
    let bytes;
    try {
      bytes = await file.arrayBuffer();
    } catch {
      throw new Error("the browser cannot read it");
    }
    const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...found].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function post(address, body) {
    let reply;
    try {
      reply = await fetch(address, { method: "POST", body, headers: { "X-CSRFToken": token }, redirect: "error" });
    } catch {
      throw Object.assign(new Error("No connection."), { again: true });
    }
    return answer(reply.status, await reply.text());
  }

  function put(address, file, progress) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest(); // fetch cannot say how much has been sent
      request.open("POST", address);
      request.setRequestHeader("X-CSRFToken", token);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => progress(event.loaded));
      request.addEventListener("error", () =>
        reject(Object.assign(new Error("No connection."), { again: true })),
      );
      request.addEventListener("load", () => {
        try {
          resolve(answer(request.status, request.responseText));
        } catch (error) {
          reject(error);
        }
      });
      request.send(file);
    });
  }

  function answer(status, text) {
    let found = {};
    try {
      found = JSON.parse(text);
    } catch {
      /* an error page of something between here and there */
    }
    if (status < 300) return found;
    const error = new Error(found.error || `The server answers ${status}.`);
    throw Object.assign(error, { again: status >= 500, lost: status === 409 || status === 403 || status === 404 });
  }

  function fault(file, message) {
    const list = part("faults");
    if (list.children.length >= FAULTS_SHOWN) return;
    const item = document.createElement("li");
    item.textContent = file ? `${file.webkitRelativePath || file.name}: ${message}` : message;
    list.append(item);
  }
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

function minutes(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
