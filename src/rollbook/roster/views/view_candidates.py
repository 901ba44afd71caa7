"""Which records of a view can differ from the last snapshot's, found from the difference of the whole view.

A view's record depends only on the whole view's record and on which records the view shows. So only three groups
can differ: records and lists that differ in the whole view, records that enter or leave this view or a role in it,
and the neighbours of both. No other record is made or compared. A view that shows more than the whole view, or hides
whole kinds, is made in full (`follows`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollbook.contract.clever.view_spec import KINDS_OF_SCOPES, SENSITIVE_FIELDS, Shown
from rollbook.domain.kinds import ROLE
from rollbook.roster import parts

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

_BITS = " ".join(
    f"WHEN '{source}' THEN {ROLE[role].bit}"
    for source, role in (
        ("students", "student"),
        ("teachers", "teacher"),
        ("staff", "staff"),
        ("district_admins", "district_admin"),
        ("contacts", "contact"),
    )
)
# The edges of `projection`, with the columns of ids at their ends.
_EDGES = {
    "section_students": ("section", "student"),
    "section_teachers": ("section", "teacher"),
    "contact_students": ("contact", "student"),
    "resource_courses": ("resource", "course"),
    "user_schools": ("user", "school"),
    "home_schools": ("user", "school"),
}
_PLACES = ("school", "course", "term")


def follows(shown: Shown) -> bool:
    """Whether everything that a view shows stands in the whole view, too, and all its kinds are shown."""
    is_open = all(scope in shown.scopes for scope in KINDS_OF_SCOPES)
    return is_open and set(SENSITIVE_FIELDS) <= set(shown.hidden)


def choose(connection: duckdb.DuckDBPyConnection, view: int, base: int) -> None:
    """Let queries with `within(id)` see only the view's candidates. Call it after `narrowing` has made `shared`.

    `changes` has the difference of the base. `candidates` remembers what was chosen.
    """
    near = [
        f"SELECT {one} FROM all_{edge} JOIN moved ON moved.id = {other}"
        for edge, ends in _EDGES.items()
        for one, other in (ends, ends[::-1])
    ]
    near += [f"SELECT p.{place} FROM all_section_places p JOIN moved USING (id)" for place in _PLACES]
    near += [f"SELECT p.id FROM all_section_places p JOIN moved ON moved.id = p.{place}" for place in _PLACES]
    # A section that moves changes the lists of its places, even if the whole view's lists stay the same.
    near += [f"SELECT p.{place} FROM all_section_places p JOIN changed USING (id)" for place in _PLACES]
    connection.execute(
        f"""
        INSERT INTO candidates
        WITH changed AS (SELECT DISTINCT id FROM changes WHERE view = {base}),
        today AS (SELECT id, bit_or(CASE source {_BITS} ELSE 0 END) AS roles FROM shared GROUP BY id),
        before AS (
            SELECT id, coalesce(roles, 0) AS roles FROM digests_before
            WHERE view = {view} AND NOT contains(kind, '.') AND NOT contains(kind, '@')
        ),
        moved AS (
            SELECT id FROM today FULL JOIN before USING (id) WHERE today.roles IS DISTINCT FROM before.roles
        )
        SELECT DISTINCT {view}, id FROM (
            SELECT id FROM changed UNION ALL SELECT id FROM moved UNION ALL {" UNION ALL ".join(near)}
        ) WHERE id IS NOT NULL
        """
    )
    parts.narrow(connection, f"SELECT id FROM candidates WHERE view = {view}")


def done(connection: duckdb.DuckDBPyConnection, view: int) -> None:
    """Drop the rest of the view's records from `after`; queries see all ids again."""
    connection.execute(
        f"DELETE FROM after WHERE view = {view} AND id NOT IN (SELECT id FROM candidates WHERE view = {view})"
    )
    parts.narrow(connection, None)
