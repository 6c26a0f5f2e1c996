// Comfort only: shows the preview while somebody types. It sends the same form to the same page as the button Preview does,
// and takes from the answer the part that is the preview.

const form = document.querySelector("form[data-preview]");
const shown = () => document.getElementById("preview");
let waiting;
let asked = 0;

async function look() {
  const mine = ++asked;
  const answer = await fetch(form.dataset.preview, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    credentials: "same-origin",
    redirect: "error",
  }).catch(() => null);
  if (!answer || !answer.ok || mine !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("preview");
  if (fresh && mine === asked) shown().replaceChildren(...document.importNode(fresh, true).childNodes);
}

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(look, 350);
});
