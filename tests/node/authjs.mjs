// A site on Auth.js 5 (@auth/core) or NextAuth 4: /login sends a person to the server, /callback says who came back, or what was refused.
// The provider is a plain OAuth one, whose addresses are written out, or an OpenID Connect one that knows the issuer alone.
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

globalThis.crypto ??= webcrypto; // Node 18 keeps it in a module.
const { SERVER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, LIBRARY, PROVIDER } = process.env;
const { origin, pathname } = new URL(REDIRECT_URI);
const basePath = pathname.replace("/callback/rollbook", "");
process.env.NEXTAUTH_URL = origin + basePath;

const client = { id: "rollbook", name: "Rollbook", clientId: CLIENT_ID, clientSecret: CLIENT_SECRET };
const plain = {
  ...client,
  type: "oauth",
  authorization: { url: `${SERVER}/oauth/authorize`, params: { scope: "" } },
  token: `${SERVER}/oauth/tokens`,
  userinfo: `${SERVER}/userinfo`,
  profile: (person) => ({ id: person.sub, name: person.name.first, email: person.email }),
};
const profile = (claims) => ({ id: claims.sub, name: claims.given_name, email: claims.email });
const discovered = { ...client, issuer: SERVER, profile };
const oidc = {
  "@auth/core": { ...discovered, type: "oidc" },
  "next-auth": { ...discovered, type: "oauth", wellKnown: `${SERVER}/.well-known/openid-configuration`, idToken: true },
}[LIBRARY];

const problems = [];
const options = {
  providers: [PROVIDER === "oidc" ? oidc : plain],
  secret: "of this site",
  trustHost: true,
  basePath,
  logger: {
    error: (error, more) => problems.push(String(error?.cause?.err?.message ?? more?.error?.message ?? error?.message ?? error)),
    warn: () => {},
    debug: () => {},
  },
};

const cookies = {};
const keep = (name, value) => (value ? (cookies[name] = value) : delete cookies[name]);

// One request of the browser to the site: where it is sent, and what it is answered.
const ways = {
  "@auth/core": async () => {
    const { Auth } = await import("@auth/core");
    return async (method, path, search = "", form = undefined) => {
      const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
      const request = new Request(`${origin}${basePath}/${path}${search}`, {
        method,
        headers: { cookie: cookie.join("; ") },
        body: form && new URLSearchParams(form),
      });
      const answer = await Auth(request, options);
      for (const line of answer.headers.getSetCookie()) keep(line.split("=")[0], line.split(";")[0].slice(line.indexOf("=") + 1));
      return { location: answer.headers.get("location"), body: await answer.json().catch(() => null) };
    };
  },
  "next-auth": async () => {
    // Its core, which it shows to no one but the frameworks that it comes with.
    const { AuthHandler } = createRequire(import.meta.url)("./node_modules/next-auth/core/index.js");
    return async (method, path, search = "", body = {}) => {
      const [action, providerId] = path.split("/");
      const query = Object.fromEntries(new URLSearchParams(search));
      const req = { method, action, providerId, query, body, cookies, headers: {}, origin };
      const answer = await AuthHandler({ req, options });
      for (const { name, value } of answer.cookies ?? []) keep(name, value);
      return { location: answer.redirect, body: answer.body };
    };
  },
};
const ask = await ways[LIBRARY]();

async function begin() {
  const { csrfToken } = (await ask("GET", "csrf")).body;
  return (await ask("POST", "signin/rollbook", "", { csrfToken, callbackUrl: origin })).location;
}

async function finish(search) {
  await ask("GET", "callback/rollbook", search);
  const session = (await ask("GET", "session")).body;
  return { user: session?.user ?? null, problems: problems.splice(0) };
}

const app = createServer(async (request, response) => {
  const { pathname: path, search } = new URL(request.url, origin);
  if (path === "/login") response.writeHead(302, { location: await begin() }).end();
  else response.end(JSON.stringify(await finish(search)));
});
app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${app.address().port}`));
