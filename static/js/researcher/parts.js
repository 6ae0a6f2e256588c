// Pieces of a page that are brought up to date from JSON.

export async function ask(address) {
  try {
    const reply = await fetch(address, { headers: { Accept: "application/json" }, redirect: "error" });
    return reply.ok ? await reply.json() : null;
  } catch {
    return null;
  }
}

// What is open stays open: a reader of the numbers is not thrown out by the next poll.
export function replace(id, html) {
  const element = document.getElementById(id);
  if (!element) return;
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  const open = [...element.querySelectorAll("details")].map((details) => details.open);
  parsed.querySelectorAll("details").forEach((details, i) => (details.open = Boolean(open[i])));
  element.replaceChildren(...parsed.childNodes);
}
