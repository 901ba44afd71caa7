// While a person changes a share, shows what the application would see. The server counts; the form is sent only by its buttons.
const form = document.querySelector("form[data-preview]");
const place = document.getElementById("live");
let wait = 0;
let asked = 0;
async function look() {
  const mine = ++asked;
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const text = await answer.text();
    if (mine !== asked || !answer.ok) return;
    const told = new DOMParser().parseFromString(text, "text/html");
    // The page may show the preview of its last form, too.
    told.querySelector("[role=region]")?.setAttribute("aria-label", "Preview of what you type");
    place.querySelector("div").replaceChildren(...told.body.childNodes);
    place.hidden = false;
  } finally {
    if (mine === asked) place.removeAttribute("aria-busy");
  }
}
form?.addEventListener("input", () => {
  clearTimeout(wait);
  wait = setTimeout(() => look().catch(() => {}), 400);
});
form?.addEventListener("change", ({ target }) => {
  const own = target.name?.endsWith(".field") && target.closest(".where").querySelector(".own");
  if (own) own.hidden = target.value !== "own column";
});
// An application that is not connected yet: what the form says at first is worth seeing, too.
if (form && "begins" in form.dataset) look().catch(() => {});
