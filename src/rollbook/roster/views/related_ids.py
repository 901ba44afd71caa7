"""The lists of ids for related paths, from the edges between records: packed, and stored like records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollbook.roster import parts
from rollbook.roster.views import made_records

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# Roles with a primary school, all roles with schools, and the sources of their people.
HOMED = {"student": "students", "teacher": "teachers"}
SCHOOLED = {**HOMED, "staff": "staff"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored list: its edge, the columns of the owner and of the ids, and a condition on the rows."""

    edge: str
    owner: str
    id: str
    condition: str = "true"


def add(connection: duckdb.DuckDBPyConnection, view: int) -> None:
    """Add a view's lists to `after`, from the edges that `narrowing.narrow` left."""
    for name, stored in selects().items():
        for _ in parts.each(connection, f"all_{stored.edge}", stored.owner, gathers_ids=True):
            made_records.add(
                connection,
                view,
                f"""
                SELECT '{name}', {stored.owner}, NULL, array_to_string(list_sort(list_distinct(list({stored.id}))), '')
                FROM {stored.edge}
                WHERE {stored.condition} AND within({stored.owner}) AND {stored.id} IS NOT NULL GROUP BY {stored.owner}
                """,
            )


def selects() -> dict[str, Stored]:
    """Every stored list of `contract.clever.endpoints.LISTS`."""
    found = {
        "students.sections": Stored("section_students", "student", "section"),
        "teachers.sections": Stored("section_teachers", "teacher", "section"),
        "students.contacts": Stored("contact_students", "student", "contact"),
        "courses.resources": Stored("resource_courses", "course", "resource"),
        "resources.courses": Stored("resource_courses", "resource", "course"),
    }
    for role, source in SCHOOLED.items():
        found[f"schools.{source}"] = Stored("user_schools", "school", "user", f"role = '{role}'")
    for role, source in HOMED.items():
        found[f"schools.home_{source}"] = Stored("home_schools", "school", "user", f"role = '{role}'")
        mapped = f"list_contains(roles, '{role}')"
        found[f"courses.{role}_resources"] = Stored("resource_courses", "course", "resource", mapped)
        found[f"resources.{role}_courses"] = Stored("resource_courses", "resource", "course", mapped)
    for kind, column in (("schools", "school"), ("terms", "term"), ("courses", "course")):
        found[f"{kind}.sections"] = Stored("section_places", column, "id")
    for kind, column in (("terms", "term"), ("courses", "course")):
        found[f"schools.{kind}"] = Stored("section_places", "school", column)
        found[f"{kind}.schools"] = Stored("section_places", column, "school")
    return found
