"""Copy a district from another server: read it whole, check that nothing changed meanwhile, and commit it
like a sync.

`remote` asks the other server, `pull` reads the lists, and `sync` does the work in the engine and the
database.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import orjson

from rollbook import sync
from rollbook.clone import pull, remote
from rollbook.clone.pull import Progress
from rollbook.clone.remote import Wait
from rollbook.errors import Conflict, Refused
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.sync import Sync


def run(
    database: Database,
    address: str,
    token: str,
    settings: Settings,
    *,
    name: str | None = None,
    is_fresh: bool = False,
    progress: Progress | None = None,
    wait: Wait = time.sleep,
) -> Sync:
    """Copy the district of a token, or bring the copy up to date. Ids, dates and unknown fields are kept.

    `name` is the name of a new copy here; the default is its name at the source. A run that broke off less
    than an hour ago continues where it stopped, unless `is_fresh`. Errors: RemoteTrouble, Conflict if the
    name is taken, Refused if the district comes from files here.
    """
    base = remote.checked_address(address)
    with pull.folder(_parent(settings), base, token, is_fresh=is_fresh) as into:
        with remote.opened(base, token, wait=wait) as server:
            _home(database, *pull.district(server), name)
            pulled = pull.read(server, into, progress or _say_nothing)
        home, called = _home(database, pulled.id, pulled.record, name)
        home = home or districts.create(database, called, given=pulled.record.decode())
        done = sync.take_in(database, home, pulled.pages, settings)
        pull.forget(into)
    return done


def _home(database: Database, id_: str, record: bytes, name: str | None) -> tuple[District | None, str]:
    """The existing copy, if any, and the district's name here. Errors: Conflict, Refused."""
    there = districts.list_all(database)
    called = (name or str(orjson.loads(record).get("name") or "")).strip() or id_
    for district in there:
        if district.id == id_ and district.given is None:
            raise Refused(
                f"the district {district.name!r} with this id ({id_}) is not a copy, and "
                "keeps what its files say"
            )
        if district.id == id_ and name not in (None, district.name):
            raise Conflict(f"this district has been copied already, and is called {district.name!r} here")
        if district.id == id_:
            return district, district.name
    if any(district.name == called for district in there):
        raise Conflict(f"another district is called {called!r} here; call the copy otherwise with --name")
    return None, called


def _parent(settings: Settings) -> Path:
    """The folder for pages: the folder of a sync's temporary files, else that of the database file."""
    if settings.temporary:
        return Path(settings.temporary)
    return Path(
        tempfile.gettempdir() if "://" in settings.database else Path(settings.database).absolute().parent
    )


def _say_nothing(_: str, __: int, ___: int | None) -> None:
    """The progress function if nobody watches."""
