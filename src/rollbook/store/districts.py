"""Districts, and the ids that all records of the server share.

An id is 24 hex characters: a Unix second, and sixteen more. Each batch of ids reserves a second of its own, later than all
before it, so that ids rise with creation, also when the clock went back, and are unique over districts and kinds.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from rollbook.errors import Conflict, Unknown
from rollbook.store import views
from rollbook.store.database import Connection, Database
from rollbook.store.views import View

# Login pages come with single sign-on; the address is relative to the server until then.
PORTAL = "/in/"


@dataclass(frozen=True, slots=True)
class District:
    """A district: `number` is the store's own, `id` the one on the wire, `head` its last committed sync (0: none yet)."""

    number: int
    id: str
    name: str
    created: str
    head: int


@dataclass(frozen=True, slots=True)
class IdBatch:
    """A reserved range of ids: `prefix` (16 hex characters) and a counter of 8."""

    prefix: str

    def id(self, counter: int) -> str:
        return f"{self.prefix}{counter:08x}"


def timestamp(seconds: float | None = None) -> str:
    """A moment as the API writes it, in UTC with milliseconds; now by default."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def moment_after(previous: str | None) -> float:
    """The present moment in seconds, or one millisecond after `previous` when the clock went back: history never does."""
    now = time.time()
    if previous is None:
        return now
    return max(now, datetime.fromisoformat(previous).timestamp() + 0.001)


def reserve_ids(connection: Connection) -> IdBatch:
    """Reserve a batch of ids: a second that no batch had before, and four random bytes that no one can guess from it."""
    found = connection.row("SELECT value FROM facts WHERE name = 'id_second'")
    second = max(int(time.time()), int(found[0]) + 1 if found else 0)
    connection.run(
        "INSERT INTO facts (name, value) VALUES ('id_second', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(second),),
    )
    return IdBatch(f"{second:08x}{secrets.token_hex(4)}")


def create(database: Database, name: str) -> District:
    """Create an empty district. Errors: Conflict when the name is taken, or blank."""
    name = name.strip()
    if not name:
        raise Conflict("a district needs a name")
    with database.write() as connection:
        if connection.row("SELECT 1 FROM districts WHERE name = ?", (name,)):
            raise Conflict(f"a district named {name!r} exists already")
        id_, created = reserve_ids(connection).id(0), timestamp()
        connection.run("INSERT INTO districts (id, name, created) VALUES (?, ?, ?)", (id_, name, created))
        found = connection.row("SELECT number FROM districts WHERE id = ?", (id_,))
        district = District(found[0] if found else 0, id_, name, created, head=0)
        view, _ = views.ensure(connection, district.number, views.Spec())
        write_record(connection, district, view, 0, None)
    return district


def find(database: Database, name_or_id: str) -> District:
    """The district of that id or name. Errors: Unknown names those there are."""
    with database.read() as connection:
        found = connection.row(
            "SELECT number, id, name, created, head FROM districts WHERE id = ? OR name = ?", (name_or_id, name_or_id)
        )
    if found is None:
        known = ", ".join(repr(district.name) for district in list_all(database)[:10])
        raise Unknown(f"no district has the name or id {name_or_id!r}; there is {known or 'none yet'}")
    return District(*found)


def list_all(database: Database) -> list[District]:
    with database.read() as connection:
        return [
            District(*row) for row in connection.rows("SELECT number, id, name, created, head FROM districts ORDER BY number")
        ]


def count_records(database: Database, district: District) -> dict[str, int]:
    """How many records of each kind the district has now."""
    with database.read() as connection:
        view = views.list_all(connection, district.number)[0]
        found = connection.rows(
            "SELECT kind, count(*) FROM records WHERE view = ? AND kind NOT LIKE '%.%' GROUP BY kind ORDER BY kind",
            (view.number,),
        )
    return dict(found)


def write_record(connection: Connection, district: District, view: View, sync: int, last_sync: str | None) -> None:
    """Write the district's own record in a view; the version it supersedes moves to the history."""
    connection.run(
        "INSERT INTO versions (view, kind, id, since, until, roles, body)"
        " SELECT view, kind, id, since, CAST(? AS BIGINT), roles, body FROM records WHERE view = ? AND kind = 'districts'",
        (sync, view.number),
    )
    connection.run("DELETE FROM records WHERE view = ? AND kind = 'districts'", (view.number,))
    connection.run(
        "INSERT INTO records (view, kind, id, since, body) VALUES (?, 'districts', ?, ?, ?)",
        (view.number, district.id, sync, orjson.dumps(_record(district, last_sync)).decode()),
    )


def _record(district: District, last_sync: str | None) -> dict[str, object]:
    record: dict[str, object] = {
        "id": district.id,
        "name": district.name,
        "sis_type": "sftp",
        "state": "running" if last_sync else "pending",
        "error": "" if last_sync else "No files have been synced yet.",
        "launch_date": district.created[:10],
        "login_methods": ["Clever Passwords"],
        "portal_url": f"{PORTAL}{_slug(district)}",
    }
    return {**record, "last_sync": last_sync} if last_sync else record


def _slug(district: District) -> str:
    """A name for addresses: letters and digits of the district's name, and the end of its id against doubles."""
    words = re.sub(r"[^a-z0-9]+", "-", district.name.lower()).strip("-")
    return f"{words[:40]}{district.id[-6:]}"
