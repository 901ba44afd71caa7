"""A demo in a folder, moved on and read as an application reads it; and the law for its feed of events."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson

from rollbook import settings as setting_rows
from rollbook.contract.clever.event_rows import shown
from rollbook.demo import build, published
from rollbook.demo.advance import Moved, advance
from rollbook.demo.demo_folder import LIMITS, PULLS
from rollbook.demo.serving import Demo as DemoFacts
from rollbook.domain.kinds import KINDS
from rollbook.settings import Settings
from rollbook.store.engine.database import open_database
from rollbook.web.app import App

NAME = "#DEMO Willow Unified"
STUDENTS = 200
BEARER = {"Authorization": f"Bearer {published.DISTRICT_TOKEN}"}
ID = re.compile(r'"([0-9a-f]{24})"')

Key = tuple[str, str]
Roster = dict[Key, dict[str, Any]]


def make(folder: Path, *, seed: int = 1) -> Path:
    """A demo as `rollbook demo` makes it."""
    build.prepare(folder, NAME, STUDENTS, seed, "http://127.0.0.1:8400")
    (folder / "ready").touch()
    return folder


def settings_of(folder: Path) -> Settings:
    return setting_rows.read(
        {}, database=str(folder / "rollbook.db"), key_file=str(folder / "rollbook.db.key")
    )


@contextmanager
def app_of(folder: Path, *, is_demo: bool = True, logs: bool = False) -> Iterator[App]:
    """The demo's server; or a usual server on the same database."""
    settings = settings_of(folder)
    database = open_database(settings.database)
    facts = DemoFacts(published.DISTRICT_TOKEN, published.BASIC, NAME) if is_demo else None
    app = App(
        database,
        settings,
        limits=folder / LIMITS,
        pulls=folder / PULLS,
        extend=facts.extend if facts else None,
        logs_requests=logs,
    )
    try:
        yield app
    finally:
        if app.tap:
            app.tap.close()
        app.close()
        database.close()


@dataclass
class Demo:
    """A copy of a demo for one test. `feed` has all events that an application has read."""

    folder: Path
    feed: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def copied(made: Path, folder: Path) -> Demo:
        return Demo(Path(shutil.copytree(made, folder)))

    def move(self, target: str) -> list[Moved]:
        """Move on, and read the published events."""
        moved = advance(self.folder, target, settings_of(self.folder))
        self.pull()
        return moved

    def pull(self) -> list[dict[str, Any]]:
        """Read the new events of the feed."""
        after = f"&starting_after={self.feed[-1]['id']}" if self.feed else ""
        new = self.list(f"events?limit=10000{after}")
        self.feed += new
        return new

    def list(self, path: str) -> list[dict[str, Any]]:
        """The records of a list."""
        return [element["data"] for element in self.get(f"/v3.0/{path}")["data"]]

    def get(self, path: str, token: str = published.DISTRICT_TOKEN) -> Any:
        return orjson.loads(self._answer(path, {"Authorization": f"Bearer {token}"}).content)

    def page(self, path: str) -> str:
        """A page as a browser gets it."""
        return self._answer(path, {"Accept": "text/html"}).text

    def _answer(self, path: str, headers: dict[str, str]) -> httpx.Response:
        async def ask(app: App) -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://demo.test"
            ) as client:
                return await client.get(path, headers=headers)

        with app_of(self.folder) as app:
            answer = asyncio.run(ask(app))
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return answer

    def roster(self) -> Roster:
        """Every record of every kind, as an event would show it."""
        return {
            (kind.name, record["id"]): shown(kind.name, record)
            for kind in KINDS
            for record in self.list(f"{kind.name}?limit=10000")
        }

    def people(self, role: str) -> dict[str, dict[str, Any]]:
        """The users of a role, by SIS id."""
        return {user["roles"][role]["sis_id"]: user for user in self.list(f"users?role={role}&limit=10000")}


def replayed(before: Mapping[Key, dict[str, Any]], feed: list[dict[str, Any]]) -> Roster:
    """The roster after the events.

    Each event must fit: nothing is created twice, and only existing records change or go.
    """
    state = dict(before)
    created_later = _creations(feed)
    last = ""
    for event in feed:
        assert event["id"] > last, "events come in the order of their ids"
        last = event["id"]
        kind, verb = event["type"].split(".")
        record = event["data"]["object"]
        key = (kind, record["id"])
        if verb == "created":
            assert key not in state, event
            created_later[record["id"]].remove(event["id"])
        else:
            assert key in state, event
        if verb == "deleted":
            del state[key]
            continue
        state[key] = record
        present = {id_ for _, id_ in state}
        early = [
            id_
            for id_ in ID.findall(orjson.dumps(record).decode())
            if id_ not in present and created_later.get(id_)
        ]
        assert early == [], f"{event['type']} {event['id']} names records that do not exist yet"
    return state


def _creations(feed: list[dict[str, Any]]) -> dict[str, list[str]]:
    """For each record that is created in the feed, the events that create it."""
    found: dict[str, list[str]] = {}
    for event in feed:
        if event["type"].endswith(".created"):
            found.setdefault(event["data"]["object"]["id"], []).append(event["id"])
    return found


def without_ids_and_dates(demo: Demo) -> str:
    """Roster and feed with ids replaced by their rank, without times: a break must not change this."""
    text = orjson.dumps([list(demo.roster().values()), demo.feed]).decode()
    text = re.sub(
        r'"(launch_date":"\d{4}-\d\d-\d\d|portal_url":"[^"]*|\d{4}-\d\d-\d\dT[\d:.]+Z)"', '"then"', text
    )
    rank = {id_: f'"#{place}"' for place, id_ in enumerate(sorted({*ID.findall(text)}))}
    return ID.sub(lambda found: rank[found[1]], text)
