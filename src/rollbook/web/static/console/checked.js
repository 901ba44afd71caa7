// While a person types, shows what the server says about the settings of a form with `data-check`. The server checks them again.
for (const form of document.querySelectorAll("form[data-check]")) {
  const shown = form.querySelector("[role=status]");
  let wait = 0;
  async function look() {
    const given = new URLSearchParams([...new FormData(form)].filter(([name, text]) => text && name !== "form"));
    const answer = await fetch(`${form.dataset.check}?${given}`);
    const { found, error } = await answer.json();
    const lines = (found ?? [error]).map((text) => Object.assign(document.createElement("p"), { textContent: text }));
    if (lines.map((line) => line.textContent).join("") !== shown.textContent) shown.replaceChildren(...lines);
  }
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => look().catch(() => {}), 300);
  });
}
