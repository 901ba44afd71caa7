// A web application with "Sign in": OAuth 2.0 with OpenID Connect, state, nonce and PKCE.
//
//     rollbook demo --redirect-uri http://localhost:3000/callback
//     node web_login.mjs      then open http://localhost:3000
//
// ROLLBOOK_URL, CLIENT_ID and CLIENT_SECRET name the server and the application; without them it is the demo's SSO
// application. BASE is the address at which browsers reach this program. It needs nothing but Node 18 or later.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const {
  ROLLBOOK_URL: SERVER = "http://127.0.0.1:8400",
  CLIENT_ID = "1b440a84a54301d1f08c",
  CLIENT_SECRET = "a678ba23b1586a25c14b6f273a74632f9f206d70",
  BASE = "http://localhost:3000",
} = process.env;
const CALLBACK = `${BASE}/callback`;
const BASIC = `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString("base64")}`;
const LOGIN_SECONDS = 600;

// What this program remembers of browsers, by the random number in their cookie. A real one keeps it in its database.
const logins = new Map();
const people = new Map();

/** A login that does not fit together; the person may begin again. */
class Refused extends Error {}

const random = () => randomBytes(32).toString("base64url");
const escaped = (text) => String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** The JSON at an address; a form is posted. */
async function fetched(path, authorization, form) {
  const body = form && new URLSearchParams(form);
  const headers = authorization ? { authorization } : {};
  const answer = await fetch(SERVER + path, { method: form ? "POST" : "GET", headers, body });
  if (!answer.ok) throw new Refused(`${path} answered ${answer.status}`);
  return answer.json();
}

/** Begin a login: the number for the browser's cookie, and the address to send the browser to. */
function begin() {
  const login = { state: random(), nonce: random(), verifier: random(), ends: Date.now() + LOGIN_SECONDS * 1000 };
  const number = random();
  for (const [known, begun] of logins) if (begun.ends < Date.now()) logins.delete(known);
  logins.set(number, login);
  const asked = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT_ID,
    redirect_uri: CALLBACK,
    scope: "openid",
    state: login.state,
    nonce: login.nonce,
    code_challenge: createHash("sha256").update(login.verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  return [number, `${SERVER}/oauth/authorize?${asked}`];
}

/** Who has signed in. A login is good once, in the browser that began it, for ten minutes. */
async function finish(login, sent) {
  if (sent.has("error")) throw new Refused(`The server answered ${sent.get("error")}`);
  if (!login || login.ends < Date.now() || !isSame(login.state, sent.get("state"))) {
    throw new Refused("This login was not begun here, or has ended");
  }
  const tokens = await fetched("/oauth/tokens", BASIC, {
    grant_type: "authorization_code",
    code: sent.get("code") ?? "",
    redirect_uri: CALLBACK,
    code_verifier: login.verifier,
  });
  const person = await fetched("/userinfo", `Bearer ${tokens.access_token}`);
  const { issuer } = await fetched("/.well-known/openid-configuration");
  const claims = claimsOf(tokens.id_token);
  const expected = { iss: issuer, aud: CLIENT_ID, nonce: login.nonce, sub: person.sub };
  const isWrong = Object.entries(expected).some(([name, value]) => claims[name] !== value);
  if (isWrong || claims.exp * 1000 < Date.now()) throw new Refused("The id token is not for this login");
  return person;
}

const isSame = (one, other) => one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

/** What an id token says. It came from the server itself, so that its signature need not be checked (OpenID Connect
 * Core, 3.1.3.7); over a network the server's address must begin with https for that. */
function claimsOf(idToken) {
  return JSON.parse(Buffer.from(idToken.split(".")[1], "base64url").toString());
}

const cookie = (request, name) => new RegExp(`(?:^|; )${name}=([\\w-]+)`).exec(request.headers.cookie ?? "")?.[1] ?? "";

function redirect(response, address, set) {
  const secure = BASE.startsWith("https:") ? "; Secure" : "";
  response.writeHead(303, { location: address, "set-cookie": `${set}; Path=/; HttpOnly; SameSite=Lax${secure}` }).end();
}

function page(response, status, body) {
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Hello</title>${body}</html>`);
}

function home(request, response) {
  const person = people.get(cookie(request, "person"));
  if (!person) return page(response, 200, '<h1>Hello</h1><p><a href="/login">Sign in</a></p>');
  const name = escaped([person.name.first, person.name.last].filter(Boolean).join(" "));
  const leave = '<form method="post" action="/logout"><button>Sign out</button></form>';
  const role = escaped(person.user_type);
  return page(response, 200, `<h1>Hello, <bdi>${name}</bdi></h1><p>You are a ${role}.</p>${leave}`);
}

async function callback(request, response, sent) {
  const login = logins.get(cookie(request, "login"));
  logins.delete(cookie(request, "login"));
  try {
    const number = random();
    people.set(number, await finish(login, sent));
    redirect(response, "/", `person=${number}`);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const again = '<p><a href="/login">Sign in again</a></p>';
    page(response, 400, `<h1>You are not signed in</h1><p>${escaped(error.message)}.</p>${again}`);
  }
}

/** The pages: `/`, `/login`, `/callback` and `/logout`. */
async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, BASE);
  if (request.method === "POST") {
    people.delete(cookie(request, "person"));
    redirect(response, "/", "person=; Max-Age=0");
  } else if (pathname === "/") {
    home(request, response);
  } else if (pathname === "/login" || (pathname === "/callback" && !searchParams.has("state") && !searchParams.has("error"))) {
    // A login that began at the server, such as a click in its portal, has no state: begin one of our own.
    // An error ends the login: the person may have no access.
    const [number, address] = begin();
    redirect(response, address, `login=${number}; Max-Age=${LOGIN_SECONDS}`);
  } else if (pathname === "/callback") {
    await callback(request, response, searchParams);
  } else {
    page(response, 404, "<h1>No such page</h1>");
  }
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    page(response, 500, "<h1>Something went wrong</h1>");
  });
}).listen(new URL(BASE).port || 3000, "127.0.0.1", () => console.log(BASE));
