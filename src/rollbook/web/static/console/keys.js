// The key `/` leads to the search, as in other consoles.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const shown = [...document.querySelectorAll("#find, #find-below")].find((field) => field.checkVisibility());
  if (!shown) return;
  event.preventDefault();
  shown.focus();
});
