// Passkeys: asks the browser for one when a form with `data-passkey` is sent, and puts the answer into the form.
// Without this script, or in a browser without passkeys, the form stays hidden; password and code work as ever.
const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const letters = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const listed = (given = []) => given.map((one) => ({ ...one, id: bytes(one.id) }));

async function asked(kind, options) {
  options.challenge = bytes(options.challenge);
  if (kind === "get") {
    return navigator.credentials.get({ publicKey: { ...options, allowCredentials: listed(options.allowCredentials) } });
  }
  options.user.id = bytes(options.user.id);
  return navigator.credentials.create({ publicKey: { ...options, excludeCredentials: listed(options.excludeCredentials) } });
}

function answer(made) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = letters(made.response[name]);
  }
  return JSON.stringify({ id: made.id, rawId: letters(made.rawId), type: made.type, response });
}

const SENTENCES = {
  InvalidStateError: "This device has a passkey for your account already.",
  NotAllowedError: "No passkey was used: you stopped your browser's question, or took too long. Try again.",
  SecurityError: "Passkeys work only at the server's own address. Open the console there.",
};

async function send(event) {
  const form = event.target, said = form.querySelector("[role=status]");
  event.preventDefault();
  said.textContent = "Your browser asks you now.";
  try {
    // Asked for anew each time: a challenge is good once, and for five minutes. Only the page of a link carries its own.
    const passkey = form.dataset.asked ? JSON.parse(form.dataset.asked) : (await (await fetch(
      form.dataset.options, { headers: { accept: "application/json" } })).json()).passkey;
    form.elements.answer.value = answer(await asked(form.dataset.passkey, passkey));
  } catch (error) {
    said.textContent = SENTENCES[error.name] ?? "The browser made no passkey. Reload the page, and try again.";
    return;
  }
  form.submit();
}

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.closest("[hidden]")?.removeAttribute("hidden");
    form.addEventListener("submit", send);
  }
}
