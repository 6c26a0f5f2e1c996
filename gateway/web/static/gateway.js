// Comfort only: a button beside what is there to be copied, menus that close, the present tab in sight. Every page works without this.

for (const shown of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet-button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(shown.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  shown.after(button);
}

document.addEventListener("keydown", (event) => {
  const open = event.key === "Escape" && document.querySelector("details.user[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// The strip is moved by hand: scrollIntoView would also have the Tab key go on from there, past the way to the content.
const present = document.querySelector(".tabs [aria-current]");
const strip = present?.closest(".tabs");
if (strip) {
  const [mine, whole] = [present.getBoundingClientRect(), strip.getBoundingClientRect()];
  strip.scrollLeft += mine.left + mine.width / 2 - whole.left - whole.width / 2;
}
