// The link's secret stands behind the # of the address, which no server sees. It goes into the form.
const field = document.getElementById("link");
if (field && location.hash.length > 1) {
  field.value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  document.getElementById("name")?.focus();
}
