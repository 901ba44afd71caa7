// The Explorer without a reload: a pasted token stays in this page, and goes along with each request as long as the page is open.
// Without this script every form and link works by itself.

const OWN = ["token", "basic_id", "basic_secret"];
const secrets = new Map();
const done = [];
let isMeant = false;
let language = "";

const main = () => document.getElementById("main");
const isOfOurs = (url) => url.origin === location.origin && url.pathname.startsWith("/explorer");

// Sends a request for a page and puts the page in place. What was pasted goes in the body, never in an address.
async function go(address, { fields = new Map(), isBack = false, focus = "" } = {}) {
  const url = new URL(address, location.href);
  const body = new URLSearchParams([...fields]);
  for (const [name, value] of secrets) body.set(name, value);
  if (isMeant) body.set("real", "yes");
  const isPost = fields.size > 0 || secrets.size > 0;
  main().setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, isPost ? { method: "POST", body } : {});
    show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    if (!isBack) history.pushState({}, "", shareable(url));
    note(url);
    document.getElementById(focus)?.focus();
  } catch {
    main().removeAttribute("aria-busy");
    say("The server did not answer. Is it still running?");
  }
}

// The address of what is shown: as the page itself names it, as a form may have sent more.
function shareable(url) {
  return document.getElementById("copy-address")?.dataset.address ?? url.pathname + url.search;
}

function show(page) {
  document.title = page.title;
  const side = document.getElementById("side");
  const other = page.getElementById("side");
  if (side && other) side.querySelector("nav").replaceWith(other.querySelector("nav"));
  main().replaceWith(page.getElementById("main"));
  begin();
}

function begin() {
  for (const name of ["copy-sample", "copy-address"]) document.getElementById(name)?.removeAttribute("hidden");
  for (const [name, value] of secrets) {
    const input = document.querySelector(`input[name="${name}"]`);
    if (input) input.value = value;
  }
  const real = document.getElementById("real");
  if (real) real.checked = isMeant;
  for (const group of document.querySelectorAll(".views")) {
    const wanted = group.querySelector(`.tabs a[href="#${language}"]`) ?? group.querySelector(".tabs a");
    if (wanted) choose(wanted);
  }
  list();
}

function choose(tab) {
  const group = tab.closest(".views");
  const id = tab.getAttribute("href").slice(1);
  group.dataset.view = id;
  for (const view of group.querySelectorAll(".view")) view.classList.toggle("shown", view.id === id);
  for (const each of group.querySelectorAll(".tabs a")) {
    if (each === tab) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
}

function note() {
  const status = document.querySelector("#status b")?.textContent;
  const request = document.getElementById("request");
  if (!status || !request) return;
  const told = document.querySelector(".path").textContent.trim();
  done.unshift({ status, told, address: location.pathname + location.search });
  done.splice(20);
  list();
}

// The history of requests stands in the page alone, and names no token.
function list() {
  const part = document.getElementById("history");
  if (!part || done.length < 2) return;
  part.hidden = false;
  part.querySelector("ol").replaceChildren(
    ...done.map(({ status, address }) => {
      const row = document.createElement("li");
      const link = document.createElement("a");
      link.href = address;
      link.textContent = decodeURIComponent(address.replace("/explorer", "") || "/users");
      row.append(`${status} `, link);
      return row;
    }),
  );
}

function say(text) {
  const place = document.getElementById("copied");
  if (place) place.textContent = text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
  } catch {
    say("Not copied: the browser does not allow it.");
  }
}

// Takes what was pasted out of a form. False: it opens real data, and the person has not said yes.
function take(form) {
  const given = OWN.map((name) => form.querySelector(`input[name="${name}"]`)).filter(Boolean);
  if (!given.length) return true;
  isMeant = form.querySelector("#real").checked;
  for (const input of given) {
    if (input.value.trim()) secrets.set(input.name, input.value.trim());
    else secrets.delete(input.name);
  }
  const published = (form.dataset.published ?? "").split(" ");
  return isMeant || !secrets.size || [...secrets.values()].every((value) => published.includes(value));
}

function keepBack(form) {
  document.getElementById("kept-back-here").hidden = false;
  form.querySelector("#real").focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!isOfOurs(new URL(form.action))) return;
  event.preventDefault();
  const fields = new Map();
  for (const [name, value] of new FormData(form)) {
    if (!OWN.includes(name) && name !== "real" && String(value).trim()) fields.set(name, String(value).trim());
  }
  if (fields.has("as")) secrets.clear();
  if (!take(form)) return keepBack(form);
  if (fields.has("other_id")) {
    fields.set("id", fields.get("other_id"));
    fields.delete("other_id");
  }
  const url = new URL(form.action);
  if (form.dataset.in === "address") {
    url.search = new URLSearchParams([...fields]).toString() || "limit=";
    fields.clear();
  }
  go(url, { fields, focus: form.id === "request" || form.id === "own-form" ? "answer-panel" : "main" });
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (event.target.closest("#copy-sample")) {
    return copy(document.querySelector("#samples .view.shown code").textContent.trimEnd());
  }
  const address = event.target.closest("#copy-address");
  if (address) return copy(new URL(address.dataset.address, location.href).href);
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (link.closest(".views .tabs")) {
    event.preventDefault();
    if (link.closest("#samples")) language = link.getAttribute("href").slice(1);
    choose(link);
    return;
  }
  const url = new URL(link.href);
  if (isOfOurs(url) && !url.hash) {
    event.preventDefault();
    go(url, { focus: "main" });
  }
});

addEventListener("popstate", () => go(location.href, { isBack: true }));
begin();
note();
