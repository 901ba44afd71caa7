// A badge's QR code has its letters behind the `#`, which a browser keeps to itself: no log on the way shows them.
"use strict";

const letters = location.hash.slice(1);
if (letters) {
  const typed = document.getElementById("code");
  typed.value = letters;
  document.getElementById("typing").hidden = true;
  typed.form.querySelector("button").focus();
  history.replaceState(null, "", location.pathname + location.search);
}
