// A small application: teachers sign in and see their classes. Its tests stand beside it, in class_list.test.mjs.
import { randomUUID } from "node:crypto";

const TRIES_MAX = 5;

export class ClassList {
  constructor({ baseUrl, token, clientId, clientSecret, callback }) {
    Object.assign(this, { baseUrl, token, clientId, clientSecret, callback });
    this.begun = new Set();
  }

  // The names of a teacher's sections, each with the names of its students.
  async classesOf(teacher) {
    const found = {};
    for (const section of await this.list(`/v3.0/users/${teacher}/sections`)) {
      const students = await this.list(`/v3.0/sections/${section.id}/users?role=student`);
      found[section.name] = students.map(({ name }) => `${name.first} ${name.last}`);
    }
    return found;
  }

  // The address to which a browser is sent.
  beginLogin() {
    const state = randomUUID();
    this.begun.add(state);
    const asked = { response_type: "code", client_id: this.clientId, redirect_uri: this.callback, state };
    return `${this.baseUrl}/oauth/authorize?${new URLSearchParams(asked)}`;
  }

  // The id of the person who comes back to the callback.
  async finishLogin(address) {
    const asked = new URL(address).searchParams;
    if (!this.begun.delete(asked.get("state"))) throw new Error("this login did not begin here");
    const body = new URLSearchParams({ code: asked.get("code"), grant_type: "authorization_code", redirect_uri: this.callback });
    const basic = Buffer.from(`${this.clientId}:${this.clientSecret}`).toString("base64");
    const { access_token: token } = await this.ask("/oauth/tokens", { method: "POST", body, headers: { Authorization: `Basic ${basic}` } });
    return (await this.ask("/v3.0/me", { headers: { Authorization: `Bearer ${token}` } })).data.id;
  }

  // Every record of a list, along its `next` links.
  async list(path) {
    const records = [];
    for (let next = path; next; ) {
      const page = await this.ask(next, { headers: { Authorization: `Bearer ${this.token}` } });
      records.push(...page.data.map((element) => element.data));
      next = page.links.find((link) => link.rel === "next")?.uri;
    }
    return records;
  }

  // The JSON of a request. A GET that fails for a while is tried again; after 429, when the window ends.
  async ask(path, options) {
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(this.baseUrl + path, options).catch((error) => ({ status: 0, error }));
      if (answer.ok) return answer.json();
      const passes = [0, 429, 500, 502, 503].includes(answer.status) && options.method !== "POST";
      if (!passes || attempt === TRIES_MAX) throw answer.error ?? new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      const reset = Number(answer.headers?.get("x-ratelimit-reset") ?? 0) * 1000 - Date.now();
      await new Promise((resolve) => setTimeout(resolve, Math.min(Math.max(reset, 250 * 2 ** attempt), 90_000)));
    }
  }
}
