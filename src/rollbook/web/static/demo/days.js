// While a move runs, says so and takes no second press; without it the browser's own sign of a page that loads is all there is.
"use strict";

const busy = document.getElementById("busy");

function show(isBusy) {
  document.body.setAttribute("aria-busy", String(isBusy));
  busy.textContent = isBusy ? "At work. A move takes a few seconds." : "";
  for (const button of document.querySelectorAll("main button")) button.disabled = isBusy;
}

// Not at once: a button that is disabled takes no part in the form it sends.
document.addEventListener("submit", () => setTimeout(() => show(true)));
// Back on the page by the browser's own button, it may come as it was left.
addEventListener("pageshow", () => show(false));
