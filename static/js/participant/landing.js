// The questions need modules: where none can run, the button stays off and nothing is begun.
document.querySelector("form button")?.removeAttribute("disabled");
