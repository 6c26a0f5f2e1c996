// Comfort in the log: j and k move from row to row, / goes to the filter; a button that prints. Every page works without this.

const rows = [...document.querySelectorAll("[data-row]")];
const told = document.querySelector("[data-keys]");
if (told) told.hidden = false;

function move(by) {
  const now = rows.findIndex((row) => row === document.activeElement);
  const next = rows[Math.min(rows.length - 1, Math.max(0, now + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "/") document.querySelector(".filter select, .filter input:not([type=hidden])")?.focus();
  else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
