// A relying party on openid-client: /login sends a person to the server, /callback says who came back, or what was refused.
import { webcrypto } from "node:crypto";
import { createServer } from "node:http";

import * as client from "openid-client";

globalThis.crypto ??= webcrypto; // Node 18 keeps it in a module.
const { SERVER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, METHOD } = process.env;

const authentication = { client_secret_basic: client.ClientSecretBasic, client_secret_post: client.ClientSecretPost }[METHOD];
const config = await client.discovery(new URL(SERVER), CLIENT_ID, undefined, authentication(CLIENT_SECRET), {
  // The second has the id token's signature verified, too: of one that comes straight from the server, it is trusted otherwise.
  execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks],
});
const expected = {
  pkceCodeVerifier: client.randomPKCECodeVerifier(),
  expectedState: client.randomState(),
  expectedNonce: client.randomNonce(),
};
const login = client.buildAuthorizationUrl(config, {
  redirect_uri: REDIRECT_URI,
  scope: "openid email profile",
  code_challenge: await client.calculatePKCECodeChallenge(expected.pkceCodeVerifier),
  code_challenge_method: "S256",
  state: expected.expectedState,
  nonce: expected.expectedNonce,
});

async function callback(search) {
  const tokens = await client.authorizationCodeGrant(config, new URL(REDIRECT_URI + search), expected);
  const claims = tokens.claims();
  return { claims, userinfo: await client.fetchUserInfo(config, tokens.access_token, claims.sub) };
}

const refused = ({ code, cause }) => ({ code, reason: cause?.error ?? cause?.message });

const app = createServer(async (request, response) => {
  const { pathname, search } = new URL(request.url, REDIRECT_URI);
  if (pathname === "/login") response.writeHead(302, { location: login.href }).end();
  else response.end(JSON.stringify(await callback(search).catch(refused)));
});
app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${app.address().port}`));
