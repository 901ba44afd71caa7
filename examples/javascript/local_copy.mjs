// Keep a local copy of a district true: read everything once, then apply the events.
//
//     node local_copy.mjs copy.json       once: makes the copy, or brings it up to date
//     node local_copy.mjs copy.json 60    and again each 60 seconds, until Ctrl+C
//
// ROLLBOOK_URL and ROLLBOOK_TOKEN name the server and the district token; without them it is the demo's. The program
// needs nothing but Node 18 or later.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const { ROLLBOOK_URL: BASE = "http://127.0.0.1:8400", ROLLBOOK_TOKEN: TOKEN = "TEST_TOKEN" } = process.env;
const KINDS = ["districts", "schools", "terms", "courses", "resources", "users", "sections"];
const TRIES_MAX = 5;
// Events are kept for 30 days. A copy that has not asked for 25 days is read anew, to be safe.
const EVENTS_MS = 25 * 24 * 3600 * 1000;

/** The answer to a GET. Waits when the server says that the window of requests is used up, and tries again after a
 * bad minute of the server. */
async function get(path) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await fetch(BASE + path, { headers: { authorization: `Bearer ${TOKEN}` } }).catch((error) => error);
    if (answer.ok) return answer.json();
    const mayPass = answer instanceof Error || [429, 500, 502, 503, 504].includes(answer.status);
    if (!mayPass || attempt === TRIES_MAX) throw new Error(`GET ${path}: ${answer.status ?? answer.message}`);
    const reset = Number(answer.headers?.get("x-ratelimit-reset") ?? 0) * 1000 - Date.now();
    await sleep(Math.min(Math.max(reset, 250 * 2 ** attempt), 120_000));
  }
}

/** Every record of a list: follow `next` until there is none. */
async function* pages(path) {
  while (path) {
    const page = await get(path);
    for (const element of page.data) yield element.data;
    path = page.links.find((link) => link.rel === "next")?.uri;
  }
}

/** The record without what only one of the two ways shows: a list has a student's `email` twice, and an event has
 * three keys of version 2 in a contact's role. */
function tidy(kind, record) {
  const { student = {}, contact = {} } = kind === "users" ? record.roles : {};
  delete student.email;
  for (const name of ["relationship", "type", "students"]) delete contact[name];
  return record;
}

/** A new copy. The last event is noted first: what changes during the reading comes again as an event. */
async function readEverything() {
  const newest = (await get("/v3.0/events?ending_before=last&limit=1")).data;
  const records = {};
  for (const kind of KINDS) {
    records[kind] = {};
    for await (const record of pages(`/v3.0/${kind}?limit=10000`)) records[kind][record.id] = tidy(kind, record);
  }
  return { last_event: newest[0]?.data.id ?? "", records };
}

/** Bring the copy up to date; gives the number of events. An event that comes twice changes nothing. */
async function applyEvents(copy) {
  let count = 0;
  const after = copy.last_event ? `&starting_after=${copy.last_event}` : "";
  for await (const event of pages(`/v3.0/events?limit=1000${after}`)) {
    const [kind, verb] = event.type.split(".");
    const record = event.data.object;
    if (verb === "deleted") delete copy.records[kind][record.id];
    else copy.records[kind][record.id] = tidy(kind, record);
    copy.last_event = event.id;
    count += 1;
  }
  return count;
}

/** Make the copy in a file, or bring it up to date. A program that is killed leaves the copy before, whole. */
async function update(file) {
  let copy = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
  const now = Date.now();
  let said;
  if (copy === null || now - copy.asked > EVENTS_MS) {
    copy = await readEverything();
    said = `read ${Object.values(copy.records).flatMap(Object.keys).length} records`;
  } else {
    said = `applied ${await applyEvents(copy)} events`;
  }
  process.umask(0o077); // the copy holds students: no other user of the machine may read it
  writeFileSync(`${file}.new`, JSON.stringify({ ...copy, asked: now }));
  renameSync(`${file}.new`, file);
  return said;
}

const [file, every] = process.argv.slice(2);
if (!file) {
  console.error("usage: node local_copy.mjs FILE [SECONDS]");
  process.exit(2);
}
try {
  do {
    console.log(await update(file));
    await sleep(Number(every ?? 0) * 1000);
  } while (every);
} catch (error) {
  console.error(`${BASE} does not answer as it should: ${error.message}`);
  process.exit(1);
}
