// Comfort of an export: how far it has come. Without this the browser downloads the same file by itself.

const LINE = 10;

function shown(place, label, value, most) {
  place.hidden = false;
  place.replaceChildren();
  const words = document.createElement("label");
  words.textContent = label;
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", label);
  if (most) {
    bar.max = most;
    bar.value = value;
  }
  place.className = "progress";
  place.append(words, bar);
}

const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

async function gathered(answer, rows, told) {
  const reader = answer.body.getReader();
  const most = Number(answer.headers.get("content-length") ?? 0);
  const parts = [];
  let bytes = 0;
  let lines = -1; // the first is the heading
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    if (rows) for (const byte of value) lines += byte === LINE;
    if (rows) told(`${Math.max(0, lines)} of ${rows} rows`, lines, rows);
    else told(`${size(bytes)}${most ? ` of ${size(most)}` : ""}`, bytes, most);
  }
  if (most && bytes !== most) throw new Error("cut off");
  return { blob: new Blob(parts), bytes };
}

async function download(event) {
  event.preventDefault();
  const form = event.target;
  const place = form.querySelector("[data-progress]");
  const button = form.querySelector("button");
  button.disabled = true;
  shown(place, "It is being made.");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const named = answer.headers.get("content-disposition");
    if (!answer.ok || !named) throw new Error("refused");
    const rows = Number(form.dataset.rows ?? 0);
    const { blob, bytes } = await gathered(answer, rows, (label, value, most) => shown(place, label, value, most));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = /filename="([^"]+)"/.exec(named)?.[1] ?? form.dataset.download;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    shown(place, `Done: ${link.download}, ${size(bytes)}.`, 1, 1);
  } catch {
    place.className = "";
    place.textContent = "It could not be made. Load the page anew and try again; what was downloaded so far was thrown away.";
  }
  button.disabled = false;
}

for (const form of document.querySelectorAll("form[data-download]")) form.addEventListener("submit", download);
