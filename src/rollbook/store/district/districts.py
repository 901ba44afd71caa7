"""Districts, and the ids of all records of the server.

An id is 24 hex characters: a Unix second in eight, and sixteen more. Each batch of ids reserves its own
second, later than all before it. So ids rise with creation, even if the clock goes back, and are unique over
districts and kinds.

A demo's ids follow from a seed, and its clock follows its ids: the same moves give the same ids and dates
(see `fix_ids`).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import orjson

from rollbook.contract.clever.event_rows import CONTACT
from rollbook.domain import upload_notices
from rollbook.errors import Busy, Conflict, Unknown
from rollbook.store.district import views
from rollbook.store.district.views import View
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database, Transaction

RESERVE_TRIES = 50
# The path of a district's sign-in page, before the district's name.
PORTAL = "/in/"
# The fact that holds the address under which people reach the server.
BASE_ADDRESS = "base_address"
GOOGLE = "https://accounts.google.com"


@dataclass(frozen=True, slots=True)
class District:
    """A district. `number` is the store's own, `id` the one on the wire.

    `head` is the last run that changed anything, `snapshot` the last committed one (0: none yet). `state` is
    running, pending (the district can fix it) or paused. `error` is the notice that every application reads
    (see `domain.upload_notices`). Pauses are days, YYYY-MM-DD. `given` is another server's record of a cloned
    district. `contact` is the id of the person who is the contact for applications.
    """

    number: int
    id: str
    name: str
    created: str
    head: int = 0
    snapshot: int = 0
    state: str = "pending"
    error: str = upload_notices.NO_FILES
    last_sync: str | None = None
    pause_start: str | None = None
    pause_end: str | None = None
    given: str | None = None
    contact: str | None = None


COLUMNS = ", ".join(entry.name for entry in fields(District))


@dataclass(frozen=True, slots=True)
class IdBatch:
    """A reserved range of ids: `prefix` (16 hex characters) and a counter of 8."""

    prefix: str

    def id(self, counter: int) -> str:
        return f"{self.prefix}{counter:08x}"


def timestamp(seconds: float | None = None) -> str:
    """A moment as the API writes it, in UTC with milliseconds; now by default."""
    moment = datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def now(transaction: Transaction) -> float:
    """Now in Unix seconds, by the database's clock.

    If ids follow from a seed, it is the second of the last batch.
    """
    facts = _id_facts(transaction)
    return float(facts["id_second"]) if "id_seed" in facts else time.time()


def moment_after(database: Database, previous: str | None, wanted: float | None = None) -> float:
    """The wanted time in seconds, by default now. If the clock went back, a millisecond after `previous`."""
    if wanted is None:
        with database.read() as transaction:
            wanted = now(transaction)
    if previous is None:
        return wanted
    return max(wanted, datetime.fromisoformat(previous).timestamp() + 0.001)


def fix_ids(database: Database, seed: str, moment: float) -> None:
    """Let the ids of an empty database follow from a seed and from what is done, beginning at a time in Unix
    seconds.

    For a demo, whose ids may be written in tests. From then on the database's clock stands still until a run
    sets a later time. Other databases have random ids, which nobody can guess from one another.
    """
    with database.write() as transaction:
        transaction.insert("facts", "name, value", [("id_seed", seed), ("id_second", str(int(moment) - 1))])


def reserve_ids(transaction: Transaction, moment: float | None = None) -> IdBatch:
    """Reserve a batch of ids: a second that no other batch has, and four random bytes that nobody can guess.

    `moment` is the time of the ids in seconds, by default now. If its second is taken, the next free one is
    used.
    """
    facts = _id_facts(transaction)
    second = max(int(now(transaction) if moment is None else moment), int(facts.get("id_second", -1)) + 1)
    transaction.run(
        (
            "INSERT INTO facts (name, value) VALUES ('id_second', ?) ON CONFLICT (name) DO "
            "UPDATE SET value = excluded.value"
        ),
        (str(second),),
    )
    return IdBatch(f"{second:08x}{_drawn(facts.get('id_seed'), second)}")


def _id_facts(transaction: Transaction) -> dict[str, str]:
    return dict(transaction.rows("SELECT name, value FROM facts WHERE name IN ('id_second', 'id_seed')"))


def _drawn(seed: str | None, second: int) -> str:
    """Eight hex characters: random, or those that a seed gives for a second."""
    if seed is None:
        return secrets.token_hex(4)
    return hashlib.blake2b(f"{seed} {second}".encode(), digest_size=4).hexdigest()


def reserve(database: Database, moment: float | None = None) -> IdBatch:
    """Reserve a batch of ids in a transaction of its own, because a long one would delay other districts'
    syncs.

    If two reserve at the same instant, PostgreSQL refuses one, which tries again; SQLite lets it wait. The transaction
    that uses the ids makes this one durable, too.
    """
    tries = 1 if database.is_local else RESERVE_TRIES
    while True:
        try:
            with database.write(is_durable=False) as transaction:
                return reserve_ids(transaction, moment)
        except Busy:
            tries -= 1
            if not tries:
                raise


def create(database: Database, name: str, *, given: str | None = None) -> District:
    """Create an empty district. Errors: Conflict if the name is taken or blank.

    `given` is the record, as JSON, of a cloned district, which keeps its id and all its fields.
    """
    name = name.strip()
    if not name:
        raise Conflict("a district needs a name")
    with database.write() as transaction:
        # `find` takes a name or an id, so neither may be one of another district in any place.
        if transaction.row("SELECT 1 FROM districts WHERE name = ? OR id = ?", (name, name)):
            raise Conflict(f"a district named {name!r} exists already")
        id_ = str(orjson.loads(given)["id"]) if given else reserve_ids(transaction).id(0)
        if transaction.row("SELECT 1 FROM districts WHERE id = ? OR name = ?", (id_, id_)):
            raise Conflict(f"a district with the id {id_} exists already")
        blank = District(0, id_, name, timestamp(now(transaction)), given=given)
        transaction.run(
            "INSERT INTO districts (id, name, created, state, error, given) VALUES (?, ?, ?, ?, ?, ?)",
            (blank.id, blank.name, blank.created, blank.state, blank.error, blank.given),
        )
        district = reread(transaction, blank)
        view = views.begin(transaction, district.number)
        insert_record(transaction, district, view, 0)
    return district


def find(database: Database, name_or_id: str) -> District:
    """The district of that id or name. Errors: Unknown names the districts that exist."""
    with database.read() as transaction:
        found = transaction.row(
            f"SELECT {COLUMNS} FROM districts WHERE id = ? OR name = ?", (name_or_id, name_or_id)
        )
    if found is None:
        known = ", ".join(repr(district.name) for district in list_all(database)[:10])
        raise Unknown(f"no district has the name or id {name_or_id!r}; there is {known or 'none yet'}")
    return District(*found)


def reread(transaction: Transaction, district: District) -> District:
    """The district as it is now."""
    found = transaction.row(f"SELECT {COLUMNS} FROM districts WHERE id = ?", (district.id,))
    if found is None:
        raise Unknown(f"the district {district.name!r} is no longer there")
    return District(*found)


def by_number(transaction: Transaction, number: int) -> District:
    """The district of the store's own number. Errors: Unknown."""
    found = transaction.row(f"SELECT {COLUMNS} FROM districts WHERE number = ?", (number,))
    if found is None:
        raise Unknown("the district is no longer there")
    return District(*found)


def by_id(transaction: Transaction, id_: str) -> District | None:
    found = transaction.row(f"SELECT {COLUMNS} FROM districts WHERE id = ?", (id_,))
    return District(*found) if found else None


def by_slug(transaction: Transaction, text: str) -> District | None:
    """The district with this name in addresses, or None."""
    rows = transaction.rows(
        f"SELECT {COLUMNS} FROM districts WHERE substr(id, 9, 6) = ?", (text.rpartition("-")[2],)
    )
    return next((district for district in (District(*row) for row in rows) if slug(district) == text), None)


def first(transaction: Transaction, limit: int) -> list[District]:
    """The oldest districts, at most `limit`."""
    return [
        District(*row)
        for row in transaction.rows(f"SELECT {COLUMNS} FROM districts ORDER BY number LIMIT ?", (limit,))
    ]


def only(transaction: Transaction) -> District | None:
    """The district if there is exactly one, else None."""
    found = first(transaction, 2)
    return found[0] if len(found) == 1 else None


def list_all(database: Database) -> list[District]:
    with database.read() as transaction:
        return all_in(transaction)


def all_in(transaction: Transaction) -> list[District]:
    return [District(*row) for row in transaction.rows(f"SELECT {COLUMNS} FROM districts ORDER BY number")]


def update(transaction: Transaction, district: District, **columns: object) -> District:
    """Change columns of a district; returns the changed district."""
    changes = ", ".join(f"{name} = ?" for name in columns)
    transaction.run(f"UPDATE districts SET {changes} WHERE number = ?", (*columns.values(), district.number))
    return reread(transaction, district)


def insert_record(transaction: Transaction, district: District, view: View, sync: int) -> None:
    """Put the district's own record into a new view."""
    transaction.run(
        "INSERT INTO records (view, kind, id, since, body) VALUES (?, 'districts', ?, ?, ?)",
        (view.number, district.id, sync, body(transaction, district)),
    )


def body(transaction: Transaction, district: District, people: Iterable[str] = ("records",)) -> str:
    """The district's own record as JSON, the same for every application.

    Its contact comes from the last of the tables `people` that has the person. In the table `incoming` of a
    commit, the person may be leaving.
    """
    if district.given:
        return _given(district.given)
    record, contact = _record(transaction, district), _contact(transaction, district, people)
    return orjson.dumps({**record, CONTACT: contact} if contact else record).decode()


def _given(text: str) -> str:
    """A clone's record from its source, byte for byte.

    Only its error is replaced, because it may quote cells.
    """
    record = orjson.loads(text)
    error = record.get("error") or ""
    told = upload_notices.of_source(error)
    return text if told == error else orjson.dumps({**record, "error": told}).decode()


def _record(transaction: Transaction, district: District) -> dict[str, Any]:
    """The district as the API shows it, without its contact."""
    shown: dict[str, Any] = {
        "id": district.id,
        "name": district.name,
        "sis_type": "sftp",
        "state": district.state,
        "error": district.error,
        "launch_date": district.created[:10],
        "login_methods": _login_methods(transaction, district),
        "portal_url": portal_url(transaction, district),
    }
    also = {
        "last_sync": district.last_sync,
        "pause_start": district.pause_start,
        "pause_end": district.pause_end,
    }
    return {**shown, **{name: value for name, value in also.items() if value}}


def _login_methods(transaction: Transaction, district: District) -> list[str]:
    """How people sign in, in the documented words.

    `Other` stands for other services and for a demo's list of people.
    """
    used = {
        "Clever Badges": "SELECT 1 FROM badges WHERE district = ? LIMIT 1",
        "Clever Passwords": "SELECT 1 FROM credentials WHERE district = ? AND verifier <> '' LIMIT 1",
    }
    methods = [name for name, statement in used.items() if transaction.row(statement, (district.number,))]
    provider = transaction.row("SELECT issuer FROM providers WHERE district = ?", (district.number,))
    if provider:
        methods.append("Google" if provider[0] == GOOGLE else "Other")
    return methods or ["Other"]


def portal_url(transaction: Transaction, district: District) -> str:
    """Where people of the district sign in: a path alone, until a server has stored its address."""
    return f"{base_address(transaction)}{PORTAL}{slug(district)}"


def base_address(transaction: Transaction) -> str:
    """The address under which people reach the server; blank until a server has stored it."""
    return server_values.read(transaction, BASE_ADDRESS) or ""


def _contact(transaction: Transaction, district: District, people: Iterable[str]) -> dict[str, Any] | None:
    """The contact for applications, while the roster has the person.

    It does not depend on an application's share.
    """
    if not district.contact:
        return None
    whole = "(SELECT number FROM views WHERE district = ? AND is_whole = 1)"
    body: str | None = None
    for table in people:
        query = f"SELECT body FROM {table} WHERE form = 0 AND kind = 'users' AND id = ? AND view = {whole}"
        for (found,) in transaction.rows(query, (district.contact, district.number)):
            body = found
    if body is None:
        return None
    person = orjson.loads(body)
    name, roles = person.get("name") or {}, (person.get("roles") or {}).values()
    return {
        "district": district.id,
        "email": person.get("email") or "",
        "id": person["id"],
        "name": {part: name.get(part) or "" for part in ("first", "last")},
        "title": next((role["title"] for role in roles if role and role.get("title")), ""),
    }


def slug(district: District) -> str:
    """The district's name in addresses: its letters and digits, then the random part of its id, to keep it
    unique."""
    words = re.sub(r"[^a-z0-9]+", "-", district.name.lower()).strip("-")
    return f"{words[:40]}-{district.id[8:14]}"
