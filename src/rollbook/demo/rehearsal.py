"""Play scenes for an application under development, and read from the request log what it did.

The rehearsal runs beside a demo that serves. It starts the application's reads by a command, and signs people
in at its address as a browser does. It does everything over HTTP, as a test suite would.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from rollbook.demo import demo_folder, published, saves, turns
from rollbook.demo.rehearsal_judges import Login, PageEnd, Scene, Seen, Verdict, is_page
from rollbook.demo.rehearsal_points import POINTS, Point
from rollbook.demo.visitor import AGENT, REDIRECTS_MAX, Browser, Page, Way, trusting
from rollbook.errors import Refused
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application
from rollbook.store.engine import keys
from rollbook.store.engine.database import Database
from rollbook.store.records.request_log import Entry, RequestLog, is_there, now_ms
from rollbook.web.http.demo_lines import ARRIVED

# The log is written twice a second.
LOG_SECONDS = 1.0
COMMAND_SECONDS = 300
# Scenes in which the application reads: name, fault of its first request, and what happens before.
READINGS: tuple[tuple[str, str, str], ...] = (
    ("everything", "", ""),
    ("rate-limit", "rate-limit", ""),
    ("server-error", "server-error", ""),
    ("dropped", "dropped", ""),
    ("school", "", "student-changes-school"),
    ("deleted", "", "person-leaves"),
)
# The callback of an application that plays no login.
NO_LOGIN = "-"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the rehearsal may use: a command that makes the application read, and its redirect address (blank:
    its first registered one; a dash: none)."""

    command: str = ""
    callback: str = ""
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A point with its verdict."""

    point: Point
    verdict: Verdict

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.point.name,
            "title": self.point.title,
            "state": self.verdict.state,
            "why": self.verdict.why,
            "rule": self.point.rule,
            "requests": [
                {
                    "at": entry.at,
                    "method": entry.method,
                    "address": entry.address,
                    "status": entry.status or None,
                }
                for entry in self.verdict.shown
            ],
        }


def judge(database: Database, settings: Settings, application: Application) -> list[Judged]:
    """The report card from the log alone, without playing scenes."""
    entries = entries_of(database, settings, application, since=0)
    return judged(Seen(entries))


def judged(seen: Seen, names: Iterable[str] = ()) -> list[Judged]:
    return [Judged(point, point.judge(seen)) for point in POINTS if not names or point.name in names]


def entries_of(
    database: Database, settings: Settings, application: Application, *, since: int
) -> list[Entry]:
    """The application's requests since a time (Unix ms), oldest first, without those of a rehearsal."""
    if not is_there(settings):
        return []
    with closing(RequestLog(database, settings)) as log:
        batches = log.read(since_ms=since)
    found = [
        entry
        for batch in batches
        for entry in batch.entries
        if entry.at >= since
        and application.client_id in (entry.client_id, entry.notes.get("client"))
        and entry.headers.get("user-agent") != AGENT
    ]
    return sorted(found, key=lambda entry: (entry.at, entry.id))


@dataclass(frozen=True, slots=True)
class Served:
    """A demo that is served: its address, and a browser that reaches it."""

    base: str
    browser: Browser


def served(folder: Path) -> Served:
    """The demo that is served from a folder. Errors: Refused if none is."""
    base, listening = turns.served_at(folder)
    if base:
        trust = trusting(folder / demo_folder.TLS / demo_folder.AUTHORITY)
        browser = Browser(Way(listening), trust)
        with suppress(Refused):
            if browser.ask(f"{base}/openapi.json").status == 200:
                return Served(base, browser)
    raise Refused(f"no demo of {folder} is served; start it first, with `rollbook demo --folder {folder}`")


@dataclass(slots=True)
class Rehearsal:
    """One rehearsal of one application."""

    database: Database
    settings: Settings
    application: Application
    served: Served
    wish: Wish
    say: Callable[[str], None] = lambda _: None
    begun: int = field(default_factory=now_ms)
    _scenes: dict[str, Scene] = field(default_factory=dict)
    _logins: dict[str, Login] = field(default_factory=dict)

    @property
    def base(self) -> str:
        return self.served.base

    def play(self) -> list[Judged]:
        """Play the requested scenes, and judge them.

        Errors: Refused if the application cannot be rehearsed here.
        """
        token = self._district_token()
        try:
            if self.wish.command:
                for name, fault, story in READINGS:
                    self._read(name, fault, story, token)
            if callback := self._callback():
                self._sign_in(callback)
        finally:
            self._control("faults/clear", {})
        time.sleep(LOG_SECONDS)
        seen = Seen(self._entries(), self._scenes, self._logins)
        return judged(seen, self.wish.points)

    # Reading -----------------------------------------------------------------------------------------

    def _read(self, name: str, fault: str, story: str, token: str) -> None:
        self.say(f"The application reads: {name}")
        person: dict[str, Any] = {}
        known = self._last_event(token)
        if story:
            person = self._control("advance", {"scenario": story})["runs"][0]["person"] or {}
        if fault:
            self._control("faults", {"fault": fault, "requests": 1, "token": token})
        begun = now_ms()
        self._run_command(token)
        ended = now_ms()
        self._control("faults/clear", {})
        time.sleep(LOG_SECONDS)
        pages = self._page_ends(token, begun)
        event = self._event_of(token, known, person.get("id", "")) if story else ""
        self._scenes[name] = Scene(begun, ended, event, person.get("id", ""), pages)

    def _run_command(self, token: str) -> None:
        given = {
            "ROLLBOOK_URL": self.base,
            "ROLLBOOK_TOKEN": token,
            "CLIENT_ID": self.application.client_id,
            "CLIENT_SECRET": _secret(self.application),
        }
        try:
            subprocess.run(  # noqa: S602 - it is the developer's own command line
                self.wish.command,
                shell=True,
                check=False,
                timeout=COMMAND_SECONDS,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **given},
            )
        except subprocess.TimeoutExpired:
            raise Refused(
                f"the command did not end within {COMMAND_SECONDS} seconds: {self.wish.command}"
            ) from None

    def _page_ends(self, token: str, begun: int) -> dict[tuple[str, str], PageEnd]:
        """Where each page ended that was read since a time; the pages are requested again."""
        entries = {(entry.path, entry.query): entry for entry in self._entries() if entry.at >= begun}
        return {key: self._page_end(entry.address, token) for key, entry in entries.items() if is_page(entry)}

    def _page_end(self, address: str, token: str) -> PageEnd:
        page = self.served.browser.ask(f"{self.base}{address}", token=token)
        if page.status != 200:
            return PageEnd("", has_more=False)
        told = page.json()
        last = told["data"][-1]["data"]["id"] if told["data"] else ""
        return PageEnd(last, any(link["rel"] == "next" for link in told["links"]))

    def _last_event(self, token: str) -> str:
        told = self.served.browser.ask(f"{self.base}/v3.0/events?ending_before=last&limit=1", token=token)
        found = told.json()["data"] if told.status == 200 else []
        return str(found[0]["data"]["id"]) if found else ""

    def _event_of(self, token: str, after: str, user: str) -> str:
        """The event about what happened to a person."""
        cursor = f"&starting_after={after}" if after else ""
        told = self.served.browser.ask(f"{self.base}/v3.0/events?limit=10000{cursor}", token=token)
        found = told.json()["data"] if told.status == 200 and user else []
        return next((e["data"]["id"] for e in found if e["data"]["data"]["object"]["id"] == user), "")

    # Signing in --------------------------------------------------------------------------------------

    def _sign_in(self, callback: str) -> None:
        self.say("People sign in")
        begun = now_ms()
        given, person = self.served.browser.another(), self._code(callback)
        login = _mark(person["code"])
        home = self._follow(given, person["url"])
        time.sleep(LOG_SECONDS)
        self._scenes["stateless"] = Scene(begun, now_ms())
        self._logins["stateless"] = Login(login, home is not None)
        forged = self._code(callback, state="forged-by-the-rehearsal")
        answer = self._follow(self.served.browser.another(), forged["url"])
        self._logins["forged"] = Login(_mark(forged["code"]), answer is not None)
        self._logins["refused"] = self._refuse(callback, home)

    def _refuse(self, callback: str, home: Page | None) -> Login:
        """A login of a person without access, and what its browser sees of the page for signed-in people."""
        if home is None or home.status != 200:
            return Login()
        refused = self.served.browser.another()
        glue = "&" if "?" in callback else "?"
        answer = self._follow(refused, f"{callback}{glue}error=unauthorized-user")
        address = home.address.partition("?")[0]
        stranger, now = (
            self._follow(browser, address, goes_in=False) for browser in (refused.another(), refused)
        )
        if answer is None or stranger is None or now is None:
            return Login()
        if stranger.words() == home.words():
            return Login(has_answered=True)
        return Login(has_answered=True, is_stranger=now.words() == stranger.words())

    def _follow(self, browser: Browser, address: str, *, goes_in: bool = True) -> Page | None:
        """Where a browser ends; at `/oauth/authorize` a person is signed in.

        None if the application is unreachable.
        """
        try:
            page = browser.ask(address)
            for _ in range(REDIRECTS_MAX):
                if not page.location:
                    return page
                if page.location.startswith(f"{self.base}/oauth/authorize"):
                    if not goes_in:
                        return page
                    page = browser.ask(self._authorized(page.location))
                else:
                    page = browser.ask(page.location)
        except Refused as error:
            self.say(str(error))
            return None
        return page

    def _authorized(self, address: str) -> str:
        """The address with a code, to which `/oauth/authorize` redirects a signed-in person."""
        asked = dict(parse_qsl(urlsplit(address).query))
        names = ("client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method")
        return str(
            self._control("code", {"person": "teacher", **{n: asked[n] for n in names if n in asked}})["url"]
        )

    def _code(self, callback: str, **more: str) -> dict[str, Any]:
        registered = self.application.redirect_uris
        also = {"redirect_uri": callback} if callback in registered else {}
        asked = {"person": "teacher", "client_id": self.application.client_id, **also, **more}
        given = self._control("code", asked)
        query = urlsplit(given["url"]).query
        return {**given, "url": f"{callback}{'&' if '?' in callback else '?'}{query}"}

    def _callback(self) -> str:
        if self.wish.callback == NO_LOGIN:
            return ""
        own = [uri for uri in self.application.redirect_uris if not uri.endswith(ARRIVED)]
        return self.wish.callback or (own[0] if own else "")

    # The demo ----------------------------------------------------------------------------------------

    def _control(self, path: str, asked: Mapping[str, object]) -> dict[str, Any]:
        answer = self.served.browser.ask(
            f"{self.base}/demo/{path}", method="POST", token=published.DISTRICT_TOKEN, asked=asked
        )
        told: dict[str, Any] = answer.json()
        if answer.status != 200:
            raise Refused(f"{path}: {told['message']}")
        return told

    def _entries(self) -> list[Entry]:
        return entries_of(self.database, self.settings, self.application, since=self.begun)

    def _district_token(self) -> str:
        """The application's token for the demo's first district."""
        if self.application.client_id == published.APPLICATION.client_id:
            return published.DISTRICT_TOKEN
        sealer = keys.sealer(self.database, self.settings)
        with self.database.read() as transaction:
            main = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
            district = main.district_id if main else None
            found = connections.list_tokens(
                transaction, sealer, self.application.number, district, in_demo=True
            )
        if found:
            return found[0].access_token
        if not self.wish.command:
            return ""
        raise Refused(
            f"{self.application.name} reads no district of this demo; connect it with `rollbook connect`"
        )


@contextmanager
def put_back_after(folder: Path, settings: Settings, *, is_wanted: bool) -> Iterator[None]:
    """Put the demo back to how it was, after the rehearsal or its failure. The request log stays, to be read."""
    if not is_wanted:
        yield
        return
    name = f"before-rehearsal-{now_ms()}"
    saves.save(folder, name, settings)
    try:
        yield
    finally:
        saves.restore(folder, name, settings, keeps_log=True)
        saves.delete(folder, name)


def find(database: Database, name: str) -> Application:
    """The application of a name or client id. Errors: Unknown."""
    return applications.find(database, name)


def _secret(application: Application) -> str:
    return next((one.secret for one in published.CLIENTS if one.client_id == application.client_id), "")


def _mark(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()[:12]
