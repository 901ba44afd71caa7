"""Views: a connection's own copy of the records that it may see.

A read needs only the view's number. So it costs the same whatever the view hides, and cannot reach records
outside the view. Connections that see the same share one view.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.view_spec import Shown
from rollbook.domain import shares
from rollbook.domain.shares import Share
from rollbook.domain.snapshot_names import new_mark
from rollbook.errors import BadSetting, Unknown
from rollbook.store.engine.database import Connection, Database

Spec = Shown
NOTHING = Spec(share=Share())


def _as_text(spec: Spec) -> str:
    return json.dumps(
        {
            "scopes": spec.scopes,
            "share": shares.as_json(spec.share),
            "withheld": sorted(spec.withheld),
            "keeps_ids": spec.keeps_ids,
            "sensitive": sorted(spec.sensitive),
            "unasked": sorted(spec.unasked),
        }
    )


def _from_text(text: str) -> Spec:
    given = json.loads(text)
    try:
        share = shares.parse(given["share"])
    except BadSetting:
        # An earlier version accepted this share but never applied it: share nothing until it is set again.
        share = shares.Share()
    # A view of an earlier version opens no sensitive field, because the district has not opened any.
    later = (tuple(given.get(name, ())) for name in ("sensitive", "unasked"))
    return Spec(tuple(given["scopes"]), share, tuple(given["withheld"]), given["keeps_ids"], *later)


@dataclass(frozen=True, slots=True)
class View:
    """A view of one district; `number` is the store's own.

    `freezes`: the view freezes if a run would change too much of it. `frozen` has the reasons if it is frozen
    now. `is_whole`: the one view of its district that shows everything except sensitive fields.
    """

    number: int
    spec: Spec
    freezes: bool = False
    frozen: tuple[str, ...] = ()
    is_whole: bool = False


def begin(connection: Connection, district: int) -> View:
    """Make the view of a whole district (by number): it shows everything except sensitive fields."""
    made = connection.row(
        "INSERT INTO views (district, spec, mark, is_whole) VALUES (?, ?, ?, 1) RETURNING number",
        (district, _as_text(Spec()), new_mark()),
    )
    return View(made[0] if made else 0, Spec(), is_whole=True)


def whole(connection: Connection, district: int) -> View:
    """The view of a whole district (by number)."""
    found = connection.row(f"SELECT {_COLUMNS} FROM views WHERE district = ? AND is_whole = 1", (district,))
    if found is None:
        raise Unknown("the district is no longer there")
    return _view(found)


def ensure(connection: Connection, district: int, spec: Spec) -> tuple[View, bool]:
    """The view of a spec in a district (by number), and whether it was made just now and is still empty."""
    asked = (district, _as_text(spec))
    found = connection.row("SELECT number FROM views WHERE district = ? AND owner = 0 AND spec = ?", asked)
    if found:
        return View(found[0], spec), False
    made = connection.row(
        "INSERT INTO views (district, spec, mark) VALUES (?, ?, ?) RETURNING number", (*asked, new_mark())
    )
    return View(made[0] if made else 0, spec), True


def list_all(connection: Connection, district: int) -> list[View]:
    """All views of a district (by number)."""
    rows = connection.rows(
        f"SELECT {_COLUMNS} FROM views WHERE district = ? AND owner >= 0 ORDER BY number", (district,)
    )
    return [_view(row) for row in rows]


def by_number(connection: Connection, number: int) -> View:
    """The view of a number, which must exist."""
    found = connection.row(f"SELECT {_COLUMNS} FROM views WHERE number = ?", (number,))
    if found is None:
        raise Unknown(f"view {number} is no longer there")
    return _view(found)


def by_application(database: Database, district: int) -> dict[str, View]:
    """What each connected application sees of a district (by number), by the application's name."""
    with database.read() as connection:
        rows = connection.rows(
            "SELECT a.name, v.number, v.spec, v.freezes, v.frozen, v.is_whole FROM connections c"
            " JOIN applications a ON a.number = c.application JOIN views v ON v.number = c.view"
            " WHERE c.district = ? ORDER BY a.name",
            (district,),
        )
    return {name: _view(row) for name, *row in rows}


def find_own(connection: Connection, district: int, owner: int) -> View | None:
    """The view that only one connection (by number) uses, if it exists."""
    found = connection.row(
        f"SELECT {_COLUMNS} FROM views WHERE district = ? AND owner = ?", (district, owner)
    )
    return _view(found) if found else None


def own(connection: Connection, district: int, owner: int) -> View:
    """The view that only one connection (by number) uses; an empty one is made if needed."""
    found = find_own(connection, district, owner)
    if found:
        return found
    made = connection.row(
        "INSERT INTO views (district, owner, spec, mark) VALUES (?, ?, ?, ?) RETURNING number",
        (district, owner, _as_text(NOTHING), new_mark()),
    )
    return View(made[0] if made else 0, NOTHING)


def edit(connection: Connection, view: View, run: int) -> None:
    """Store what a view shares from a run on, and whether it freezes."""
    connection.run(
        "UPDATE views SET spec = ?, freezes = ?, edited = ? WHERE number = ?",
        (_as_text(view.spec), int(view.freezes), run, view.number),
    )


def is_edited_by(connection: Connection, view: View, run: int) -> bool:
    """Whether this run was the last to change what a view shares."""
    return (
        connection.row("SELECT 1 FROM views WHERE number = ? AND edited = ?", (view.number, run)) is not None
    )


def freeze(connection: Connection, view: View, reasons: Iterable[object], run: int) -> None:
    """Store why a view is frozen.

    Without reasons it thaws, and the changes that it held back apply from this run on.
    """
    told = tuple(str(reason) for reason in reasons)
    connection.run("UPDATE views SET frozen = ? WHERE number = ?", (json.dumps(told), view.number))
    if view.frozen and not told:
        connection.run("UPDATE views SET edited = ? WHERE number = ?", (run, view.number))


def drop_unseen(connection: Connection, district: int) -> None:
    """Drop the views that no connection of a district (by number) uses. The first view, of everything, stays.

    The row stays with a negative owner: old snapshots name its number, which must not be given again.
    """
    rows = connection.rows(
        "SELECT number FROM views WHERE district = ? AND owner >= 0 AND number NOT IN (SELECT view FROM connections)"
        " AND is_whole = 0",
        (district,),
    )
    for (number,) in rows:
        for table in ("records", "versions", "events"):
            connection.run(f"DELETE FROM {table} WHERE view = ?", (number,))
        connection.run("UPDATE views SET owner = -number WHERE number = ?", (number,))


def copy(connection: Connection, source: int, target: int) -> None:
    """Fill a view with the records, versions and events of another one (both by number)."""
    for table, columns in (
        ("records", "form, kind, id, since, roles, body"),
        ("versions", "form, kind, id, since, until, roles, body"),
        ("events", "id, kind, verb, schools, body, later_body"),
    ):
        connection.run(f"DELETE FROM {table} WHERE view = ?", (target,))
        connection.run(
            (
                f"INSERT INTO {table} (view, {columns}) SELECT CAST(? AS BIGINT), {columns} "
                f"FROM {table} WHERE view = ?"
            ),
            (target, source),
        )


_COLUMNS = "number, spec, freezes, frozen, is_whole"


def _view(row: Sequence[Any]) -> View:
    number, spec, freezes, frozen, is_whole = row
    return View(number, _from_text(spec), bool(freezes), tuple(json.loads(frozen)), bool(is_whole))
