"""Views: what a connection sees of a district, kept as records of its own.

A read needs nothing but the view's number, so it costs the same whatever the view hides, and cannot reach what is not in it.
Connections that see the same share one view.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from rollbook.roster import sharing
from rollbook.roster.sharing import Share
from rollbook.roster.snapshot import Shown
from rollbook.store.database import Connection

Spec = Shown
NOTHING = Spec(share=Share())


def _as_text(spec: Spec) -> str:
    return json.dumps(
        {
            "scopes": spec.scopes,
            "share": sharing.as_json(spec.share),
            "withheld": sorted(spec.withheld),
            "keeps_ids": spec.keeps_ids,
        }
    )


def _from_text(text: str) -> Spec:
    given = json.loads(text)
    share = sharing.parse(given["share"])
    return Spec(tuple(given["scopes"]), share, tuple(given["withheld"]), given["keeps_ids"])


@dataclass(frozen=True, slots=True)
class View:
    """A view of one district; `number` is the store's own."""

    number: int
    spec: Spec


def ensure(connection: Connection, district: int, spec: Spec) -> tuple[View, bool]:
    """The view of that spec of a district (by its number), and whether it was made just now and is still empty."""
    asked = (district, _as_text(spec))
    found = connection.row("SELECT number FROM views WHERE district = ? AND owner = 0 AND spec = ?", asked)
    if found:
        return View(found[0], spec), False
    made = connection.row("INSERT INTO views (district, spec) VALUES (?, ?) RETURNING number", asked)
    return View(made[0] if made else 0, spec), True


def list_all(connection: Connection, district: int) -> list[View]:
    """All views of a district (by its number); the first one shows everything but sensitive fields."""
    rows = connection.rows("SELECT number, spec FROM views WHERE district = ? ORDER BY number", (district,))
    return [View(number, _from_text(spec)) for number, spec in rows]


def own(connection: Connection, district: int, owner: int) -> View:
    """The view that belongs to one connection alone (by its number), made empty when there is none yet."""
    found = connection.row("SELECT number, spec FROM views WHERE district = ? AND owner = ?", (district, owner))
    if found:
        return View(found[0], _from_text(found[1]))
    made = connection.row(
        "INSERT INTO views (district, owner, spec) VALUES (?, ?, ?) RETURNING number", (district, owner, _as_text(NOTHING))
    )
    return View(made[0] if made else 0, NOTHING)


def set_spec(connection: Connection, view: View, spec: Spec) -> None:
    connection.run("UPDATE views SET spec = ? WHERE number = ?", (_as_text(spec), view.number))


def copy(connection: Connection, source: int, target: int) -> None:
    """Fill a view with what another one shows and has published (both by number)."""
    for table, columns in (("records", "kind, id, since, roles, body"), ("events", "id, kind, schools, body")):
        connection.run(f"DELETE FROM {table} WHERE view = ?", (target,))
        connection.run(
            f"INSERT INTO {table} (view, {columns}) SELECT CAST(? AS BIGINT), {columns} FROM {table} WHERE view = ?",
            (target, source),
        )
    connection.run("DELETE FROM versions WHERE view = ?", (target,))
