// An application with a Passport strategy for Clever: /login sends a person to the server, /callback says who came back.
const { createServer } = require("node:http");

const passport = require("passport");

const { SERVER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, STRATEGY } = process.env;

// Where people sign in is an option. The data's address, with version 2.1, stands inside the strategies: what they fetch is led
// to version 3.0 of the server on its way out.
const fetch = require("node-fetch");
require.cache[require.resolve("node-fetch")].exports = (address, options) =>
  fetch(address.replace("https://api.clever.com", SERVER).replace("/v2.1/", "/v3.0/"), options);
// passport-clever uses js-base64, but nowhere loads it.
globalThis.Base64 = require("js-base64").Base64;

const Strategy = require(STRATEGY);
const options = {
  authorizationURL: `${SERVER}/oauth/authorize`,
  tokenURL: `${SERVER}/oauth/tokens`,
  clientID: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  callbackURL: REDIRECT_URI,
  state: true,
  pkce: true,
};
passport.use(new Strategy(options, (accessToken, refreshToken, profile, done) => done(null, profile)));

const session = {};
const app = createServer((request, response) => {
  const answer = (error, user, info) =>
    response.end(JSON.stringify({ code: error?.code, user, reason: (error ?? info)?.message }));
  request.query = Object.fromEntries(new URL(request.url, REDIRECT_URI).searchParams);
  request.session = session;
  passport.authenticate("clever", { session: false }, answer)(request, response);
});
app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${app.address().port}`));
