"""A web application with "Sign in": OAuth 2.0 with OpenID Connect, state, nonce and PKCE.

    rollbook demo --redirect-uri http://localhost:3000/callback
    python3 web_login.py      # then open http://localhost:3000

ROLLBOOK_URL, CLIENT_ID and CLIENT_SECRET name the server and the application; without them it is the demo's SSO
application. BASE is the address at which browsers reach this program. It needs nothing but Python.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import secrets
import time
import urllib.error
import urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

SERVER = os.environ.get("ROLLBOOK_URL", "http://127.0.0.1:8400")
CLIENT_ID = os.environ.get("CLIENT_ID", "1b440a84a54301d1f08c")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "a678ba23b1586a25c14b6f273a74632f9f206d70")
BASE = os.environ.get("BASE", "http://localhost:3000")
CALLBACK = f"{BASE}/callback"
LOGIN_SECONDS = 600

# What this program remembers of browsers, by the random number in their cookie. A real one keeps it in its database.
logins: dict[str, dict[str, Any]] = {}
people: dict[str, dict[str, Any]] = {}


class Refused(Exception):
    """A login that does not fit together; the person may begin again."""


def fetch(url: str, authorization: str = "", form: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON at an address; a form is posted."""
    body = urlencode(form).encode() if form else None
    headers = {"Authorization": authorization} if authorization else {}
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        raise Refused(f"{urlsplit(url).path} answered {error.code}") from error


def begin() -> tuple[str, str]:
    """Begin a login: (number for the browser's cookie, address to send the browser to)."""
    login = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    number = secrets.token_urlsafe(32)
    for ended in [known for known, begun in [*logins.items()] if begun["ends"] < time.time()]:
        logins.pop(ended, None)
    logins[number] = {**login, "ends": time.time() + LOGIN_SECONDS}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(login["verifier"].encode()).digest()).rstrip(b"=")
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": login["state"],
        "nonce": login["nonce"],
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }
    return number, f"{SERVER}/oauth/authorize?{urlencode(asked)}"


def finish(login: dict[str, Any] | None, sent: dict[str, str]) -> dict[str, Any]:
    """Who has signed in. A login is good once, in the browser that began it, for ten minutes."""
    if "error" in sent:
        raise Refused(f"The server answered {sent['error']}")
    if (
        login is None
        or login["ends"] < time.time()
        or not secrets.compare_digest(login["state"], sent["state"])
    ):
        raise Refused("This login was not begun here, or has ended")
    basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    form = {
        "grant_type": "authorization_code",
        "code": sent.get("code", ""),
        "redirect_uri": CALLBACK,
        "code_verifier": login["verifier"],
    }
    tokens = fetch(f"{SERVER}/oauth/tokens", f"Basic {basic}", form)
    person = fetch(f"{SERVER}/userinfo", f"Bearer {tokens['access_token']}")
    claims = claims_of(tokens["id_token"])
    issuer = fetch(f"{SERVER}/.well-known/openid-configuration")["issuer"]
    expected = {"iss": issuer, "aud": CLIENT_ID, "nonce": login["nonce"], "sub": person["sub"]}
    if any(claims.get(name) != value for name, value in expected.items()) or claims["exp"] < time.time():
        raise Refused("The id token is not for this login")
    return person


def claims_of(id_token: str) -> dict[str, Any]:
    """What an id token says. It came from the server itself, so that its signature need not be checked (OpenID Connect
    Core, 3.1.3.7); over a network the server's address must begin with https for that."""
    middle = id_token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4))))


class Handler(BaseHTTPRequestHandler):
    """The pages: `/`, `/login`, `/callback` and `/logout`."""

    def do_GET(self) -> None:
        path, sent = urlsplit(self.path).path, dict(parse_qs(urlsplit(self.path).query))
        if path == "/":
            self.home()
        elif path == "/login" or (path == "/callback" and not {"state", "error"} & {*sent}):
            # A login that began at the server, such as a click in its portal, has no state: begin one of our own.
            # An error ends the login: the person may have no access.
            number, address = begin()
            self.redirect(address, f"login={number}; Max-Age={LOGIN_SECONDS}")
        elif path == "/callback":
            self.callback({name: values[0] for name, values in sent.items()})
        else:
            self.page(404, "<h1>No such page</h1>")

    def do_POST(self) -> None:
        people.pop(self.cookie("person"), None)
        self.redirect("/", "person=; Max-Age=0")

    def home(self) -> None:
        person = people.get(self.cookie("person"))
        if person is None:
            self.page(200, '<h1>Hello</h1><p><a href="/login">Sign in</a></p>')
            return
        name = html.escape(" ".join(filter(None, (person["name"]["first"], person["name"]["last"]))))
        role = html.escape(person["user_type"])
        leave = '<form method="post" action="/logout"><button>Sign out</button></form>'
        self.page(200, f"<h1>Hello, <bdi>{name}</bdi></h1><p>You are a {role}.</p>{leave}")

    def callback(self, sent: dict[str, str]) -> None:
        try:
            person = finish(logins.pop(self.cookie("login"), None), sent)
        except Refused as refused:
            again = '<p><a href="/login">Sign in again</a></p>'
            self.page(400, f"<h1>You are not signed in</h1><p>{html.escape(str(refused))}.</p>{again}")
            return
        number = secrets.token_urlsafe(32)
        people[number] = person
        self.redirect("/", f"person={number}")

    def cookie(self, name: str) -> str:
        found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        return found.value if found else ""

    def redirect(self, address: str, cookie: str) -> None:
        secure = "; Secure" if BASE.startswith("https:") else ""
        self.send_response(303)
        self.send_header("Location", address)
        self.send_header("Set-Cookie", f"{cookie}; Path=/; HttpOnly; SameSite=Lax{secure}")
        self.end_headers()

    def page(self, status: int, body: str) -> None:
        text = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Hello</title>{body}</html>'.encode()
        )
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", urlsplit(BASE).port or 3000), Handler) as server:
        print(BASE, flush=True)
        server.serve_forever()
