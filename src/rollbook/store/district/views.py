"""Views: which records a connection may see, and how they look there.

Only the view's own rows say which records exist in it, so a read cannot reach records outside the view. A row
holds its record's body, or refers to the body in the district's whole view (`store.records.shared_bodies`).
Connections that see the same share one view.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.view_spec import Shown
from rollbook.domain import shares
from rollbook.domain.shares import Share
from rollbook.domain.snapshot_names import new_mark
from rollbook.errors import BadSetting, Conflict, Unknown
from rollbook.store.engine.database import Database, Transaction

Spec = Shown
NOTHING = Spec(share=Share())
CHANGED = (
    "Another person has changed this share since you opened its page. Nothing was changed; look at it again."
)


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
    now. `is_whole`: the one view of its district that shows everything except sensitive fields. `base` is that
    view's number in all other views of the district.
    """

    number: int
    spec: Spec
    freezes: bool = False
    frozen: tuple[str, ...] = ()
    is_whole: bool = False
    base: int = 0


def begin(transaction: Transaction, district: int) -> View:
    """Make the view of a whole district (by number): it shows everything except sensitive fields."""
    made = transaction.row(
        "INSERT INTO views (district, spec, mark, is_whole) VALUES (?, ?, ?, 1) RETURNING number",
        (district, _as_text(Spec()), new_mark()),
    )
    return View(made[0] if made else 0, Spec(), is_whole=True)


def whole(transaction: Transaction, district: int) -> View:
    """The view of a whole district (by number)."""
    found = transaction.row(f"SELECT {_COLUMNS} FROM views WHERE district = ? AND is_whole = 1", (district,))
    if found is None:
        raise Unknown("the district is no longer there")
    return _view(found)


def ensure(transaction: Transaction, district: int, spec: Spec) -> tuple[View, bool]:
    """The view of a spec in a district (by number), and whether it was made just now and is still empty."""
    asked = (district, _as_text(spec))
    found = transaction.row("SELECT number FROM views WHERE district = ? AND owner = 0 AND spec = ?", asked)
    if found:
        return by_number(transaction, found[0]), False
    made = transaction.row(
        "INSERT INTO views (district, spec, mark) VALUES (?, ?, ?) RETURNING number", (*asked, new_mark())
    )
    return by_number(transaction, made[0] if made else 0), True


def list_all(transaction: Transaction, district: int) -> list[View]:
    """All views of a district (by number)."""
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM views WHERE district = ? AND owner >= 0 ORDER BY number", (district,)
    )
    return [_view(row) for row in rows]


def by_number(transaction: Transaction, number: int) -> View:
    """The view of a number, which must exist."""
    found = transaction.row(f"SELECT {_COLUMNS} FROM views WHERE number = ?", (number,))
    if found is None:
        raise Unknown(f"view {number} is no longer there")
    return _view(found)


def by_application(database: Database, district: int) -> dict[str, View]:
    """What each connected application sees of a district (by number), by the application's name."""
    with database.read() as transaction:
        rows = transaction.rows(
            f"SELECT a.name, {_columns('v')} FROM connections c"
            " JOIN applications a ON a.number = c.application JOIN views v ON v.number = c.view"
            " WHERE c.district = ? ORDER BY a.name",
            (district,),
        )
    return {name: _view(row) for name, *row in rows}


def share_mark(view: View | None) -> str:
    """A mark of a share, which another share does not have; of None: not connected."""
    told = repr((view.spec, view.freezes)) if view else "not connected"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def check_mark(transaction: Transaction, owner: int, mark: str) -> None:
    """Check the mark of the share of a connection (by number); any is right if `mark` is blank. Errors: Conflict."""
    if not mark:
        return
    found = transaction.row(
        f"SELECT {_columns('v')} FROM connections c JOIN views v ON v.number = c.view WHERE c.number = ?",
        (owner,),
    )
    if mark != share_mark(_view(found) if found else None):
        raise Conflict(CHANGED)


def find_own(transaction: Transaction, district: int, owner: int) -> View | None:
    """The view that only one connection (by number) uses, if it exists."""
    found = transaction.row(
        f"SELECT {_COLUMNS} FROM views WHERE district = ? AND owner = ?", (district, owner)
    )
    return _view(found) if found else None


def own(transaction: Transaction, district: int, owner: int) -> View:
    """The view that only one connection (by number) uses; an empty one is made if needed."""
    found = find_own(transaction, district, owner)
    if found:
        return found
    made = transaction.row(
        "INSERT INTO views (district, owner, spec, mark) VALUES (?, ?, ?, ?) RETURNING number",
        (district, owner, _as_text(NOTHING), new_mark()),
    )
    return by_number(transaction, made[0] if made else 0)


def edit(transaction: Transaction, view: View, run: int) -> None:
    """Store what a view shares from a run on, and whether it freezes."""
    transaction.run(
        "UPDATE views SET spec = ?, freezes = ?, edited = ? WHERE number = ?",
        (_as_text(view.spec), int(view.freezes), run, view.number),
    )


def is_edited_by(transaction: Transaction, view: View, run: int) -> bool:
    """Whether this run was the last to change what a view shares."""
    return (
        transaction.row("SELECT 1 FROM views WHERE number = ? AND edited = ?", (view.number, run)) is not None
    )


def freeze(transaction: Transaction, view: View, reasons: Iterable[object], run: int) -> None:
    """Store why a view is frozen.

    Without reasons it thaws, and the changes that it held back apply from this run on.
    """
    told = tuple(str(reason) for reason in reasons)
    transaction.run("UPDATE views SET frozen = ? WHERE number = ?", (json.dumps(told), view.number))
    if view.frozen and not told:
        transaction.run("UPDATE views SET edited = ? WHERE number = ?", (run, view.number))


def drop_unseen(transaction: Transaction, district: int) -> None:
    """Drop the views that no connection of a district (by number) uses. The first view, of everything, stays.

    The row stays with a negative owner: old snapshots name its number, which must not be given again.
    """
    rows = transaction.rows(
        "SELECT number FROM views WHERE district = ? AND owner >= 0 AND number NOT IN (SELECT view FROM connections)"
        " AND is_whole = 0",
        (district,),
    )
    for (number,) in rows:
        for table in ("records", "versions", "events"):
            transaction.run(f"DELETE FROM {table} WHERE view = ?", (number,))
        transaction.run("UPDATE views SET owner = -number WHERE number = ?", (number,))


def copy(transaction: Transaction, source: int, target: int) -> None:
    """Fill a view with the records, versions and events of another one (both by number).

    Rows of a copy of the whole view refer to its bodies. Only the district's own record has a body in each view.
    """
    refers = "form = 0 AND kind <> 'districts'" if by_number(transaction, source).is_whole else "false"
    body = f"CASE WHEN {refers} THEN '' ELSE body END"
    spans = f"CASE WHEN {refers} THEN CAST(octet_length(body) AS TEXT) || 's' ELSE spans END"
    for table, columns, *bodies in (
        ("records", "form, kind, id, since, roles", body, spans),
        ("versions", "form, kind, id, since, until, roles", body, spans),
        ("events", "id, kind, verb, schools, body, later_body"),
    ):
        names, values = (
            ", ".join((columns, *more)) for more in (("body", "spans") if bodies else (), bodies)
        )
        transaction.run(f"DELETE FROM {table} WHERE view = ?", (target,))
        transaction.run(
            f"INSERT INTO {table} (view, {names}) SELECT CAST(? AS BIGINT), {values} FROM {table} WHERE view = ?",
            (target, source),
        )


def base_of(view: str) -> str:
    """SQL for the number of the view to whose bodies the rows of a view refer, by the table's name; 0: to none."""
    whole_ = f"SELECT number FROM views base WHERE base.district = {view}.district AND base.is_whole = 1"
    return f"CASE {view}.is_whole WHEN 0 THEN coalesce(({whole_}), 0) ELSE 0 END"


def _columns(view: str) -> str:
    names = ("number", "spec", "freezes", "frozen", "is_whole")
    return f"{', '.join(f'{view}.{name}' for name in names)}, {base_of(view)}"


_COLUMNS = _columns("views")


def _view(row: Sequence[Any]) -> View:
    number, spec, freezes, frozen, is_whole, base = row
    return View(number, _from_text(spec), bool(freezes), tuple(json.loads(frozen)), bool(is_whole), base)
