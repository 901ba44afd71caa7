"""Edit a person of the demo by hand: cells of the SIS files, which the next sync takes in like others.

The database holds the edits, so saves contain them. Each night's files have them until they are removed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from rollbook.demo import demo_folder, published
from rollbook.demo.login_for import of_role
from rollbook.errors import BadSetting, Refused
from rollbook.store.accounts import connections
from rollbook.store.engine import server_values
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lookup
from rollbook.store.records.people_lookup import Person
from rollbook.synthetic.hand_edits import FILES, editable

# The fact with the edits of a demo.
EDITS = "demo_edits"
CELL_MAX, EDITS_BYTES_MAX = 200, 64 * 1024


@dataclass(frozen=True, slots=True)
class Edited:
    """All edits, and the SIS id of the person in the next move (blank: no edit waits for a sync)."""

    cells: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    waiting: str = ""

    def as_json(self) -> dict[str, object]:
        told = [
            {"file": file, "sis_id": sis_id, "fields": values}
            for file, people in self.cells.items()
            for sis_id, values in people.items()
        ]
        return {"edits": told, "waiting": self.waiting or None}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A person in a form: the row of one role, by column."""

    person: Person
    role: str
    file: str
    sis_id: str
    values: Mapping[str, str]


def read(transaction: Transaction) -> Edited:
    text = server_values.read(transaction, EDITS)
    return Edited(**orjson.loads(text)) if text else Edited()


def sheet(database: Database, folder: Path, text: str, role: str = "") -> Sheet:
    """The row of a person (id, SIS id, username or email) in the last night's files, with waiting edits.

    Errors: Unknown for an unknown person, Refused if no file of that role has them.
    """
    with database.read() as transaction:
        access = connections.resolve(transaction, published.DISTRICT_TOKEN, in_demo=True)
        if access is None:
            raise Refused("there is no demo here; `rollbook demo` makes one")
        person = people_lookup.find(
            transaction, people_lookup.whole(transaction, access.district), of_role(transaction, text)
        )
        edited = read(transaction)
    roles = [known for known in FILES if known in person.record["roles"]]
    if role and role not in roles:
        raise BadSetting(f"role: expected one of {', '.join(roles)}, the roles of {person.name}")
    role = role or roles[0]
    file, key = FILES[role]
    sis_id = person.record["roles"][role].get("sis_id", "")
    with (folder / demo_folder.FILES / file).open(encoding="utf-8", newline="") as rows:
        row = next((row for row in csv.DictReader(rows) if row[key] == sis_id), None)
    if row is None:
        raise Refused(
            f"{person.name} is not in the last night's {file}; move the demo on, and edit them then"
        )
    values = {name: row[name] for name in editable(file)}
    return Sheet(person, role, file, sis_id, values | edited.cells.get(file, {}).get(sis_id, {}))


def edit(database: Database, folder: Path, asked: Mapping[str, Any]) -> dict[str, object]:
    """Keep changed cells of a person for the next sync.

    Errors: those of `sheet`; BadSetting names a column.
    """
    shown = sheet(database, folder, _text(asked, "person"), str(asked.get("role", "")))
    fields = asked.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise BadSetting(f"fields: expected columns of {shown.file} with their new values")
    for name, value in fields.items():
        _check_cell(shown.file, name, value)
    changed = {name: value for name, value in fields.items() if shown.values[name] != value}
    if changed:
        with database.write() as transaction:
            known = read(transaction)
            people = known.cells.setdefault(shown.file, {})
            people[shown.sis_id] = {**people.get(shown.sis_id, {}), **changed}
            _write(transaction, Edited(known.cells, shown.sis_id))
    return {
        "person": {"id": shown.person.id, "name": shown.person.name, "sis_id": shown.sis_id},
        "file": shown.file,
        "fields": changed,
    }


def settle(database: Database) -> None:
    """Note that a sync has taken the edits in."""
    with database.write() as transaction:
        _write(transaction, Edited(read(transaction).cells))


def clear(database: Database) -> None:
    """Remove all edits: the next night's files are without them."""
    with database.write() as transaction:
        _write(transaction, Edited())


def _write(transaction: Transaction, edited: Edited) -> None:
    text = orjson.dumps({"cells": edited.cells, "waiting": edited.waiting})
    if len(text) > EDITS_BYTES_MAX:
        raise Refused("there are too many edits; take them back with `DELETE /demo/edits`")
    server_values.write(transaction, EDITS, text.decode())


def _check_cell(file: str, name: object, value: object) -> None:
    if name not in editable(file):
        raise BadSetting(
            f"fields: {name!r} cannot be edited; expected columns of {file}: {', '.join(editable(file))}"
        )
    if not isinstance(value, str) or len(value) > CELL_MAX or not value.isprintable():
        raise BadSetting(f"fields: expected for {name} a text of at most {CELL_MAX} letters on one line")


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise BadSetting(f"{name}: expected a text")
    return value
