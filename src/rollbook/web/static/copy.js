// Makes each copy button work; without a clipboard (plain http on another host) the buttons stay hidden.
// What happened is also read out: the text of a button that changes is not.
const said = document.createElement("p");
said.className = "hide";
said.setAttribute("role", "status");

async function copy(button) {
  const line = button.closest(".value, li").querySelector("code").textContent;
  const done = await navigator.clipboard.writeText(line).then(() => "Copied", () => "Not copied");
  button.textContent = said.textContent = done;
  setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
}

if (navigator.clipboard) {
  document.body.append(said);
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
