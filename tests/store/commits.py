"""Commits by hand: records as plain dictionaries, without files, so that a test of the feed takes
milliseconds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from rollbook.contract.clever.endpoints import EVENTS
from rollbook.contract.clever.event_rows import rank
from rollbook.contract.clever.query import parse
from rollbook.domain.access import SECURE_SYNC, Access
from rollbook.domain.kinds import ROLE
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District, timestamp
from rollbook.store.district.views import Spec, View
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.records import commits, event_feed
from rollbook.store.records.commits import THIS_RUN, Outcome
from rollbook.store.records.reading import Reading
from rollbook.store.records.retention import Keep

Json = dict[str, Any]
# (verb, kind, record)
Change = tuple[str, str, Json]

NOTHING_TOO_OLD = "0" * 24


def id_(number: int) -> str:
    return f"{number:024x}"


def school(number: int, name: str = "Ash", **more: Any) -> Json:
    return {"id": id_(number), "name": name, **more}


def person(number: int, role: str, **fields: Any) -> Json:
    return {"id": id_(number), "email": "", "name": {"first": "A", "last": "B"}, "roles": {role: fields}}


def mask(record: Json) -> int | None:
    roles = record.get("roles")
    return sum(ROLE[name].bit for name in roles) if isinstance(roles, dict) else None


@dataclass
class Feed:
    """A district, applications that read it, and commits of its records."""

    database: Database
    folder: Path
    district: District
    count: int = 0
    known: dict[str, Access] = field(default_factory=dict)

    @property
    def sealer(self) -> Sealer:
        return Sealer(self.folder / "key")

    def view(self, scopes: tuple[str, ...] = SECURE_SYNC) -> View:
        with self.database.write() as transaction:
            view, is_new = views.ensure(transaction, self.district.number, Spec(scopes))
            if is_new:
                districts.insert_record(transaction, self.district, view, 0)
        return view

    def application(self, *, on: bool = True, view: View | None = None) -> tuple[Application, Access, str]:
        """A connected application with its access and token."""
        self.count += 1
        made, _ = applications.create(self.database, NewApplication(f"{self.district.name} {self.count}"))
        token = connections.connect(self.database, self.sealer, made, self.district, view or self.view())
        if on:
            event_feed.switch(self.database, made.number, on=True)
        return made, self.access(token), token

    def access(self, token: str) -> Access:
        """What a token may see now."""
        with self.database.read() as transaction:
            access = connections.resolve(transaction, token, in_demo=False)
        assert access is not None
        return access

    def commit(
        self,
        *changes: Change,
        view: View | None = None,
        moment: float | None = None,
        event_days: float = 30,
        state: str = "running",
    ) -> int:
        """Commit changes to one view, the first one by default."""
        before = commits.present(self.database, self.district)
        now = districts.moment_after(self.database, before.created, moment or time.time())
        number = (view or before.views[0]).number
        rows = sorted(
            (
                (
                    number,
                    0,
                    rank(kind, mask(record) or 0, verb),
                    kind,
                    record["id"],
                    mask(record),
                    None if verb == "deleted" else orjson.dumps(record).decode(),
                )
                for verb, kind, record in changes
            ),
            key=lambda row: (row[0], row[3], row[4]),
        )
        outcome = Outcome(
            "files",
            now,
            {},
            {"snapshot": THIS_RUN, "state": "running", "error": "", "last_sync": timestamp(now)},
        )
        keep = Keep(timestamp(now - 100 * 86_400), event_feed.floor_at(now - event_days * 86_400))
        return commits.commit(self.database, self.district, before, outcome, changes=rows, keep=keep)


def feed(database: Database, folder: Path, name: str = "Ash District") -> Feed:
    return Feed(database, folder, districts.create(database, name))


def page(
    store: Feed, access: Access, query: str = "", floor: str = NOTHING_TOO_OLD
) -> tuple[list[Json], bool]:
    """One page of the feed: its events, and whether more follow."""
    with store.database.read() as transaction:
        found = event_feed.page(Reading(transaction, access), parse(EVENTS[0], query), floor)
    elements = orjson.loads(b"[%b]" % found.elements)
    assert [f"/v3.0/events/{element['data']['id']}" for element in elements] == [
        element["uri"] for element in elements
    ]
    shown = [element["data"] for element in elements]
    ends = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    assert ends == (found.first, found.last)
    return shown, found.has_more


def whole(store: Feed, access: Access, query: str = "") -> list[Json]:
    found, has_more = page(store, access, f"limit=10000&{query}")
    assert not has_more
    return found


def types(found: Sequence[Json]) -> list[str]:
    return [event["type"] for event in found]
