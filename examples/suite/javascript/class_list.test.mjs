// The tests of the application, by node's test runner: `node --test`. They start the demo, and control it over HTTP.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, afterEach, before, test } from "node:test";

import { ClassList } from "./class_list.mjs";

const CALLBACK = "http://localhost:3000/callback";
let folder, server, demo, app;

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

// One control of the demo, such as control("/demo/advance", { days: 1 }).
async function control(path, body) {
  const headers = { Authorization: `Bearer ${demo.district_token}`, "Content-Type": "application/json" };
  const answer = await fetch(demo.base_url + path, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "class-list-"));
  const size = ["--students", "60", "--folder", join(folder, "demo"), "--port", String(await freePort())];
  const rollbook = process.env.ROLLBOOK ?? "rollbook";
  server = spawn(rollbook, ["demo", "--json", ...size, "--redirect-uri", CALLBACK], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    demo = JSON.parse(line);
    break;
  }
  app = new ClassList({
    baseUrl: demo.base_url,
    token: demo.district_token,
    clientId: demo.client_id,
    clientSecret: demo.client_secret,
    callback: CALLBACK,
  });
  await control("/demo/save", { name: "start" });
});

afterEach(() => control("/demo/restore", { name: "start" }));

after(async () => {
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGINT");
  await ended;
  await rm(folder, { recursive: true });
});

const person = (role) => demo.user_tokens.find((each) => each.role === role).user_id;

test("a teacher sees classes with students", async () => {
  const classes = await app.classesOf(person("teacher"));
  assert.ok(Object.keys(classes).length > 0);
  assert.ok(Object.values(classes).every((names) => names.length > 0));
});

test("a student who changes school is an event", async () => {
  await control("/demo/advance", { scenario: "student-changes-school" });
  const events = await app.list("/v3.0/events?record_type=users");
  assert.ok(events.some((event) => event.type === "users.updated"));
});

for (const fault of ["rate-limit", "server-error", "dropped"]) {
  test(`a failure that passes is waited out: ${fault}`, async () => {
    await control("/demo/faults", { fault, requests: 1 });
    assert.ok((await app.list("/v3.0/schools")).length > 0);
  });
}

test("a teacher signs in once", async () => {
  const state = new URL(app.beginLogin()).searchParams.get("state");
  const login = await control("/demo/code", { person: "teacher", redirect_uri: CALLBACK, state });
  assert.equal(await app.finishLogin(login.url), person("teacher"));
  await assert.rejects(app.finishLogin(login.url), /did not begin here/);
});

test("a code that is too old is refused", async () => {
  const state = new URL(app.beginLogin()).searchParams.get("state");
  const login = await control("/demo/code", { person: "teacher", redirect_uri: CALLBACK, state });
  await control("/demo/faults", { fault: "expired-code" });
  await assert.rejects(app.finishLogin(login.url), /invalid_grant/);
});
