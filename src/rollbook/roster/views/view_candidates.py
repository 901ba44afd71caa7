"""Which records of a view can differ from the last snapshot's, found from changed rows of the roster
(`roster_changes`), or from the difference of the whole view.

A view's record depends only on the roster's rows and on which records the view shows. So only three groups can
differ: records with a change in the roster, records that enter or leave this view or a role in it, and the
neighbours of both. No other record is made or compared. A view that picks records and hides whole kinds is made in
full (`is_followed`). A view that shows no more than the whole view (`follows`) follows the whole view's difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollbook.contract.clever.view_spec import KINDS_OF_SCOPES, SENSITIVE_FIELDS, Shown
from rollbook.domain.kinds import ROLE
from rollbook.roster import parts
from rollbook.roster.views.identities import SOURCES

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
# The edges of `projection`, with the columns of ids at their ends. Sections have up to three places.
_EDGES = {
    "section_students": ("section", "student"),
    "section_teachers": ("section", "teacher"),
    "contact_students": ("contact", "student"),
    "resource_courses": ("resource", "course"),
    "user_schools": ("user", "school"),
    "home_schools": ("user", "school"),
}
_PLACES = ("school", "course", "term")
EDGES = {**_EDGES, "section_places": ("id", *_PLACES)}


# The ids of the records with a change in the roster.
IN_ROSTER = "SELECT id FROM touched"


def in_view(view: int) -> str:
    """The ids of the records and lists that differ in a view."""
    return f"SELECT DISTINCT id FROM changes WHERE view = {view}"


def is_followed(shown: Shown) -> bool:
    """Whether `choose` finds the candidates of a view."""
    return shown.share is None or _is_open(shown)


def follows(shown: Shown) -> bool:
    """Whether everything that a view shows stands in the whole view, too, and all its kinds are shown."""
    return _is_open(shown) and set(SENSITIVE_FIELDS) <= set(shown.hidden)


def _is_open(shown: Shown) -> bool:
    return all(scope in shown.scopes for scope in KINDS_OF_SCOPES)


def choose(
    connection: duckdb.DuckDBPyConnection, view: int, changed: str, *, moves: bool, narrows: bool = True
) -> None:
    """Let queries see only the view's candidates: `within(id)`, ids, and the edges at candidates. Call it after
    `narrowing` has made these.

    `changed` is a query for the ids that changed (`IN_ROSTER`, `in_view`). `moves`: others can differ, too, because
    records enter and leave the view. `candidates` remembers what was chosen. `narrows`: ids and edges do not show only
    these candidates yet.
    """
    if moves:
        connection.execute(_with_neighbours(view, changed))
    else:
        connection.execute(f"INSERT INTO candidates SELECT {view}, id FROM ({changed})")
    chosen = f"SELECT id FROM candidates WHERE view = {view}"
    parts.narrow(connection, chosen)
    if not narrows:
        return
    # Dozens of queries read these: to narrow them down once costs far less.
    for name, ends in {**{f"{source}_id": ("id",) for source in SOURCES}, **EDGES}.items():
        at = " OR ".join(f"{end} IN ({chosen})" for end in ends)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE near_{name} AS FROM {name} WHERE {at}")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM near_{name}")


def _with_neighbours(view: int, changed: str) -> str:
    """SQL that adds the candidates of a view that other records can enter or leave."""
    near = [
        f"SELECT {one} FROM all_{edge} JOIN moved ON moved.id = {other}"
        for edge, ends in _EDGES.items()
        for one, other in (ends, ends[::-1])
    ]
    near += [f"SELECT p.{place} FROM all_section_places p JOIN moved USING (id)" for place in _PLACES]
    near += [f"SELECT p.id FROM all_section_places p JOIN moved ON moved.id = p.{place}" for place in _PLACES]
    # A section that moves changes the lists of its places, even if the whole view's lists stay the same.
    near += [f"SELECT p.{place} FROM placed p" for place in _PLACES]
    return f"""
        INSERT INTO candidates
        WITH changed AS ({changed}),
        placed AS (SELECT p.* FROM all_section_places p JOIN changed USING (id) WHERE {_can_have_moved(changed)}),
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


def _can_have_moved(changed: str) -> str:
    """SQL for whether a changed section `p` can have moved: a place has gained it, or a place of it is missing now."""
    if changed == IN_ROSTER:
        return "true"
    kinds = ", ".join(f"'{place}s.sections'" for place in _PLACES)
    lists = f"{changed} AND kind IN ({kinds})"
    return " OR ".join(f"p.{place} IS NULL OR p.{place} IN ({lists})" for place in _PLACES)


def done(connection: duckdb.DuckDBPyConnection, view: int) -> None:
    """Drop the rest of the view's records from `after`; queries see all ids again."""
    connection.execute(
        f"DELETE FROM after WHERE view = {view} AND id NOT IN (SELECT id FROM candidates WHERE view = {view})"
    )
    parts.narrow(connection, None)
