"""A database as an earlier version left it: with the schema's first steps only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine import migrations
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.migrations import STEPS, migrate


@contextmanager
def opened_before(address: str, step: Callable[[Transaction], None]) -> Iterator[Database]:
    """A new database at the address, with all steps before the one given."""
    with closing(open_database(address)) as opened:
        with pytest.MonkeyPatch.context() as earlier:
            earlier.setattr(migrations, "STEPS", STEPS[: STEPS.index(step)])
            migrate(opened)
        yield opened


def begun_before(database: Database, name: str, *, given: str | None = None) -> District:
    """A district as earlier versions created it: with one view, which holds its own record."""
    id_ = json.loads(given)["id"] if given else f"{name:>024.24}".encode().hex()[-24:]
    with database.write() as transaction:
        transaction.run(
            "INSERT INTO districts (id, name, created, state, error, given) VALUES (?, ?, '2026-01-01T00:00:00.000Z', '', '', ?)",
            (id_, name, given),
        )
        (number,) = transaction.row("SELECT number FROM districts WHERE id = ?", (id_,)) or (0,)
        spec = '{"scopes": [], "share": {"rules": []}, "withheld": [], "keeps_ids": false}'
        transaction.run("INSERT INTO views (district, spec) VALUES (?, ?)", (number, spec))
        (view,) = transaction.row("SELECT number FROM views WHERE district = ?", (number,)) or (0,)
        own = (view, "districts", id_, 0, given or json.dumps({"id": id_, "name": name, "error": ""}))
        transaction.insert("records", "view, kind, id, since, body", [own])
    return districts.find(database, name)
