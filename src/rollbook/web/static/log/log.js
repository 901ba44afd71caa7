// The log goes on by itself: new rows come as server-sent events. Without a stream, the page asks again and again.
const body = document.querySelector("#rows");
const live = document.querySelector("#live");
const pause = document.querySelector("#pause");
const ROWS_MAX = 500, POLL_MS = 2000, FRESH_MS = 1500;
let isPaused = false, waiting = [], at = -1;

const requests = () => [...body.querySelectorAll("tr.request")];

function add(html) {
  const made = document.createElement("tbody");
  made.innerHTML = html;
  const rows = [...made.children];
  const standing = requests()[at];
  body.prepend(...rows);
  for (const row of rows) row.classList.add("fresh");
  setTimeout(() => { for (const row of rows) row.classList.remove("fresh"); }, FRESH_MS);
  while (body.children.length > ROWS_MAX) body.lastElementChild.remove();
  if (standing) at = requests().indexOf(standing);
}

function take(html) {
  if (!html.trim()) return;
  if (isPaused) { waiting.push(html); say(); } else add(html);
}

function say() {
  live.textContent = isPaused ? (waiting.length ? "Paused, there is more" : "Paused") : "Live";
  pause.textContent = isPaused ? "Go on" : "Pause";
  pause.setAttribute("aria-pressed", String(isPaused));
}

function toggle() {
  isPaused = !isPaused;
  if (!isPaused) { for (const html of waiting) add(html); waiting = []; }
  say();
}

function move(by) {
  const rows = requests();
  if (!rows.length) return;
  rows[at]?.classList.remove("at");
  at = Math.min(Math.max(at + by, 0), rows.length - 1);
  rows[at].classList.add("at");
  rows[at].querySelector("a").focus({ preventScroll: true });
  rows[at].scrollIntoView({ block: "nearest" });
}

async function poll() {
  const newest = body.querySelector("tr.request")?.dataset.at ?? "0";
  try {
    const answer = await fetch(body.dataset.rows + newest);
    if (answer.ok) take(await answer.text());
  } finally {
    setTimeout(poll, POLL_MS);
  }
}

function listen() {
  const stream = new EventSource(body.dataset.live);
  stream.addEventListener("rows", (event) => take(event.data));
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) poll();
  });
}

const KEYS = { p: toggle, j: () => move(1), k: () => move(-1) };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
  if (body?.dataset.rows && event.key in KEYS) { event.preventDefault(); KEYS[event.key](); }
});

if (body?.dataset.rows) {
  for (const part of [live, pause, document.querySelector("#keys")]) part.hidden = false;
  document.querySelector("#reload").hidden = true;
  pause.addEventListener("click", toggle);
  if (body.dataset.live) listen(); else poll();
}
