// Pulls every list by a client whose types were made from the served document, logs a person in, and prints what it got.
// Each parameter, path and field that is named here is checked by the compiler.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Lists = "/v3.0/schools" | "/v3.0/terms" | "/v3.0/courses" | "/v3.0/sections" | "/v3.0/users" | "/v3.0/resources" | "/v3.0/events";
type Setting = "SERVER" | "TOKEN" | "CLIENT_ID" | "CLIENT_SECRET" | "CODE" | "REDIRECT_URI";
declare const process: { env: Record<Setting, string> };
const { SERVER, TOKEN, CLIENT_ID, CLIENT_SECRET, CODE, REDIRECT_URI } = process.env;

const bearer = (token: string) => createClient<paths>({ baseUrl: SERVER, headers: { Authorization: `Bearer ${token}` } });
const client = bearer(TOKEN);

async function pull<Path extends Lists>(path: Path, limit: number) {
  const records: { id: string }[] = [];
  let starting_after: string | undefined;
  do {
    const { data, error } = await client.GET(path as "/v3.0/users", { params: { query: { limit, starting_after } } });
    if (data === undefined) throw new Error(`${path}: ${JSON.stringify(error)}`);
    records.push(...data.data.map((element) => element.data));
    const next = data.links.find((link) => link.rel === "next");
    starting_after = next && (new URL(next.uri, SERVER).searchParams.get("starting_after") ?? undefined);
  } while (starting_after);
  return records;
}

async function teachers(): Promise<string[]> {
  const { data } = await client.GET("/v3.0/users", { params: { query: { role: "teacher", limit: 1000 } } });
  return (data?.data ?? []).map(({ data: user }) => `${user.name.first} ${user.name.last} ${user.roles?.teacher?.sis_id}`);
}

async function sectionsOf(id: string): Promise<components["schemas"]["Section"][]> {
  const { data } = await client.GET("/v3.0/users/{id}/sections", { params: { path: { id } } });
  return (data?.data ?? []).map((element) => element.data);
}

async function login() {
  const { data } = await client.POST("/oauth/tokens", {
    headers: { Authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` },
    body: { code: CODE, grant_type: "authorization_code", redirect_uri: REDIRECT_URI },
  });
  if (data === undefined || !("access_token" in data)) throw new Error("no token");
  const me = await bearer(data.access_token).GET("/v3.0/me");
  return me.data?.data.id;
}

async function missing() {
  const { error, response } = await client.GET("/v3.0/users/{id}", { params: { path: { id: "5f".repeat(12) } } });
  return [response.status, typeof error === "object" ? error.message : ""];
}

const who = await login();
console.log(
  JSON.stringify({
    schools: await pull("/v3.0/schools", 1),
    terms: await pull("/v3.0/terms", 1),
    courses: await pull("/v3.0/courses", 7),
    sections: await pull("/v3.0/sections", 7),
    users: await pull("/v3.0/users", 50),
    resources: await pull("/v3.0/resources", 3),
    events: await pull("/v3.0/events", 5),
    teachers: await teachers(),
    who,
    classes: (await sectionsOf(who ?? "")).map((section) => section.name),
    missing: await missing(),
  }),
);
