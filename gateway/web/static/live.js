// A part of a page that is looked at again when it has changed. It first asks for a word that says whether it has, which
// tells of nobody, and takes the part of a fresh page only then: so a look is written into the log for each change and no
// oftener. It looks only while the page is seen, can be stopped, and keeps no session alive.

const line = document.querySelector("[data-live-line]");
const status = line?.querySelector("[role=status]");
const button = line?.querySelector("button");
const shown = () => document.getElementById("live");
let paused = false;
let failures = 0;

function say(text) {
  if (status && status.textContent !== text) status.textContent = text;
}

async function asked(path) {
  const answer = await fetch(path, { credentials: "same-origin", redirect: "manual", cache: "no-store" });
  if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) throw new Error("ended");
  if (!answer.ok) throw new Error("away");
  return answer;
}

function open(part) {
  return [...part.querySelectorAll("details[open][id]")].map((each) => each.id);
}

function replace(fresh) {
  const old = shown();
  const focus = old.contains(document.activeElement) ? focusOf(document.activeElement) : null;
  const opened = open(old);
  const part = document.importNode(fresh, true);
  old.replaceWith(part);
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (focus) focusAgain(focus);
  say(part.dataset.says);
  if (!part.dataset.live) button.hidden = true; // nothing of it changes any more
}

// Where the focus was: in which part with an id, and on which of the things there that take it.
function focusOf(element) {
  const home = element.closest("[id]");
  const things = [...home.querySelectorAll("a, button, summary, input, [tabindex]")];
  return { id: home.id, index: things.indexOf(element) };
}

function focusAgain({ id, index }) {
  const home = document.getElementById(id) ?? shown();
  const things = [...home.querySelectorAll("a, button, summary, input, [tabindex]")];
  (things[index] ?? things[0])?.focus({ preventScroll: true });
}

async function look() {
  const part = shown();
  const told = await (await asked(`${part.dataset.live}/mark`)).json();
  if (told.mark === part.dataset.mark) return;
  const page = await (await asked(`${part.dataset.live}/again`)).text();
  const fresh = new DOMParser().parseFromString(page, "text/html").getElementById("live");
  if (fresh && !paused) replace(fresh);
}

async function again() {
  if (!shown().dataset.live) return undefined;
  const seconds = Number(shown().dataset.seconds) * Math.min(2 ** failures, 20);
  await new Promise((wake) => setTimeout(wake, seconds * 1000));
  if (paused || document.hidden) return again();
  try {
    await look();
    if (failures) say("It is looked at again.");
    failures = 0;
  } catch (failure) {
    if (failure.message === "ended") return say("Your session has ended. Load the page anew and sign in.");
    failures += 1;
    say("The gateway does not answer. It is asked again in a moment.");
  }
  return again();
}

button?.addEventListener("click", () => {
  paused = !paused;
  button.setAttribute("aria-pressed", String(paused));
  say(paused ? "Stopped. The page stands still." : "It looks by itself whether something is new.");
});

if (line && shown()?.dataset.live) {
  line.hidden = false;
  say("It looks by itself whether something is new.");
  again();
}
