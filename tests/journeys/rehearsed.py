"""An application under development, for the rehearsal: it reads a district, and people sign in to it.

    python rehearsed.py sync STATE.json     # reads everything, or what is new
    python rehearsed.py serve PORT          # the web application

FAULTS names what it does wrong, with commas between: the names of the rehearsal's points.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

SERVER = os.environ["ROLLBOOK_URL"]
TOKEN = os.environ.get("ROLLBOOK_TOKEN", "TEST_TOKEN")
CLIENT = os.environ.get("CLIENT_ID", ""), os.environ.get("CLIENT_SECRET", "")
FAULTS = frozenset(filter(None, os.environ.get("FAULTS", "").split(",")))
TRIES_MAX = 5


def ask(path: str, token: str = TOKEN) -> Any:
    """The answer to a GET; a failure that passes is waited for, unless the application has not learned to."""
    request = urllib.request.Request(SERVER + path, headers={"Authorization": f"Bearer {token}"})
    for _ in range(TRIES_MAX):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 429:
                until = float(error.headers["X-RateLimit-Reset"]) - time.time()
                time.sleep(0 if "rate-limit" in FAULTS else max(until, 0) + 0.05)
            elif error.code < 500 or "server-error" in FAULTS:
                raise
        except (http.client.HTTPException, ConnectionError, urllib.error.URLError):
            if "dropped" in FAULTS:
                raise
    raise RuntimeError("the server has failed too often")


def pages(path: str) -> Any:
    while path:
        page = ask(path)
        yield from (element["data"] for element in page["data"])
        path = next((link["uri"] for link in page["links"] if link["rel"] == "next"), "")
        if "next" in FAULTS:
            return


def sync(file: Path) -> None:
    state = json.loads(file.read_text()) if file.exists() else None
    if state is None:
        newest = ask("/v3.0/events?ending_before=last&limit=1")["data"]
        users = [user["id"] for user in pages("/v3.0/users?limit=100")]
        state = {"last": newest[0]["data"]["id"] if newest else "", "users": users, "runs": 0}
        file.write_text(json.dumps(state))
        return
    state["runs"] += 1
    file.write_text(json.dumps(state))
    after = f"&starting_after={state['last']}" if state["last"] else ""
    is_asleep = "school" in FAULTS and state["runs"] == 4  # the night on which a student changes schools
    for event in () if is_asleep else pages(f"/v3.0/events?limit=500{after}"):
        state["last"] = event["id"]
        gone = event["data"]["object"]["id"]
        if event["type"] == "users.deleted" and "deleted" in FAULTS:
            try:
                ask(f"/v3.0/users/{gone}")
            except urllib.error.HTTPError:
                print("still there?", file=sys.stderr)
    file.write_text(json.dumps(state))


class Handler(BaseHTTPRequestHandler):
    """`/` is home, `/callback` where logins return."""

    states: dict[str, str] = {}  # noqa: RUF012 - one program, one memory
    people: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        sent = dict(parse_qsl(parts.query))
        if parts.path != "/callback":
            self.show(200, f"Hello, {self.people.get(self.cookie('person'), 'stranger')}")
        elif "error" in sent:
            if "no-access" in FAULTS:
                self.enter("guest")
            else:
                self.show(403, "You have no access")
        elif "state" not in sent and "instant-login" in FAULTS:
            self.show(400, "state is missing")
        elif "state" not in sent:
            self.begin()
        elif "state" not in FAULTS and self.states.pop(self.cookie("login"), "") != sent["state"]:
            self.show(400, "This login was not begun here")
        else:
            self.complete(sent["code"])

    def begin(self) -> None:
        number, state = secrets.token_hex(16), secrets.token_hex(16)
        self.states[number] = state
        asked = {
            "response_type": "code",
            "client_id": CLIENT[0],
            "state": state,
            "redirect_uri": self.callback(),
        }
        self.lead(f"{SERVER}/oauth/authorize?{urlencode(asked)}", f"login={number}")

    def complete(self, code: str) -> None:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.callback()}
        try:
            token = self.exchange(form)
            me = ask("/v3.0/me", token)["data"]
            record = ask(f"/v3.0/users/{me['id']}", token)["data"]
            if "user-token" in FAULTS:
                ask(f"/v3.0/users/{me['id']}?limit=10", token)
            if "scopes" in FAULTS:
                ask("/v3.0/sections", token)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                self.show(400, "The login failed")
                return
        if "code-once" in FAULTS:
            try:
                self.exchange(form)
            except urllib.error.HTTPError:
                print("a code is good once", file=sys.stderr)
        self.enter(" ".join((record["name"]["first"], record["name"]["last"])))

    def exchange(self, form: dict[str, str]) -> str:
        basic = b64encode(":".join(CLIENT).encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        request = urllib.request.Request(f"{SERVER}/oauth/tokens", urlencode(form).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["access_token"])

    def callback(self) -> str:
        return f"http://{self.headers['Host']}/callback"

    def enter(self, name: str) -> None:
        number = secrets.token_hex(16)
        self.people[number] = name
        self.lead("/", f"person={number}")

    def cookie(self, name: str) -> str:
        found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        return found.value if found else ""

    def lead(self, address: str, cookie: str) -> None:
        self.send_response(303)
        self.send_header("Location", address)
        self.send_header("Set-Cookie", f"{cookie}; Path=/; HttpOnly")
        self.end_headers()

    def show(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    if sys.argv[1] == "sync":
        sync(Path(sys.argv[2]))
    else:
        with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler) as server:
            print("ready", flush=True)
            server.serve_forever()
