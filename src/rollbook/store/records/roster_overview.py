"""Overview of rosters: find districts by the name of a school, and count records and people."""

from __future__ import annotations

import orjson

from rollbook.domain.kinds import ROLES
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.engine import text_parts
from rollbook.store.engine.database import Database, Transaction


def search(transaction: Transaction, text: str, limit: int) -> list[tuple[District, str]]:
    """Districts whose name, or a school's name, contains the text. Each comes with that school's name, blank
    if the district's own name matched.

    A demo's district is found by its id, too.
    """
    own = transaction.rows(
        (
            f"SELECT {districts.COLUMNS} FROM districts WHERE {text_parts.contains('name')} OR id = ? "
            "ORDER BY name LIMIT ?"
        ),
        (text_parts.pattern(text), text.lower(), limit),
    )
    found = [(District(*row), "") for row in own]
    schools = transaction.rows(
        "SELECT v.district, r.body FROM records r JOIN views v ON r.view = v.number"
        f" WHERE v.is_whole = 1 AND r.form = 0 AND r.kind = 'schools' AND {text_parts.contains('r.body')} LIMIT ?",
        (text_parts.in_json(text), limit * 10),
    )
    for number, body in schools:
        name = orjson.loads(body).get("name", "")
        if text.lower() in name.lower() and len(found) < limit:
            found.append((districts.by_number(transaction, number), name))
    return found


def count_records(database: Database, district: District) -> dict[str, int]:
    """How many records of each kind the district has now, without its own record."""
    with database.read() as transaction:
        view = views.whole(transaction, district.number)
        found = transaction.rows(
            "SELECT kind, count(*) FROM records WHERE view = ? AND form = 0 AND kind NOT LIKE '%.%' AND kind <> 'districts'"
            " GROUP BY kind ORDER BY kind",
            (view.number,),
        )
    return dict(found)


def count_roles(database: Database, district: District) -> dict[str, int]:
    """How many users of each role the district has now; a user with two roles counts in both."""
    with database.read() as transaction:
        view = views.whole(transaction, district.number)
        found = transaction.rows(
            "SELECT roles, count(*) FROM records WHERE view = ? AND form = 0 AND kind = 'users' GROUP BY roles",
            (view.number,),
        )
    return {role.name: sum(count for mask, count in found if mask & role.bit) for role in ROLES}


def count_people(database: Database, view: int) -> int:
    """How many people a view (by number) shows."""
    with database.read() as transaction:
        found = transaction.row(
            "SELECT count(*) FROM records WHERE view = ? AND form = 0 AND kind = 'users'", (view,)
        )
    return int(found[0]) if found else 0
