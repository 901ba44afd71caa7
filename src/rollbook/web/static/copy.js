// Makes each copy button work; without a clipboard (plain http on another host) the buttons stay hidden.
"use strict";

async function copy(button) {
  const line = button.parentElement.querySelector("code").textContent;
  await navigator.clipboard.writeText(line);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
