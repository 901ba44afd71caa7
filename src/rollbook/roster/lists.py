"""The lists of ids that related paths read, from the edges between records: packed, and stored like records."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a server that only serves need not load the engine
    import duckdb

# Roles with a primary school, all roles with schools, and the sources of those who hold them.
HOMED = {"student": "students", "teacher": "teachers"}
SCHOOLED = {**HOMED, "staff": "staff"}


def add(connection: duckdb.DuckDBPyConnection, view: int) -> None:
    """Add a view's lists to `after`, from the edges that `sharing.narrow` left."""
    for name, select in selects().items():
        connection.execute(
            f"INSERT INTO after SELECT {view}, '{name}', owner, NULL, string_agg(id, '' ORDER BY id)"
            f" FROM (SELECT DISTINCT owner, id FROM ({select}) WHERE owner IS NOT NULL AND id IS NOT NULL) GROUP BY owner"
        )


def selects() -> dict[str, str]:
    """SQL for (owner, id) of every stored list of `contract.endpoints.LISTS`."""
    found = {
        "students.sections": "SELECT student AS owner, section AS id FROM section_students",
        "teachers.sections": "SELECT teacher AS owner, section AS id FROM section_teachers",
        "students.contacts": "SELECT student AS owner, contact AS id FROM contact_students",
        "courses.resources": "SELECT course AS owner, resource AS id FROM resource_courses",
        "resources.courses": "SELECT resource AS owner, course AS id FROM resource_courses",
    }
    for role, source in SCHOOLED.items():
        found[f"schools.{source}"] = f"SELECT school AS owner, user AS id FROM user_schools WHERE role = '{role}'"
    for role, source in HOMED.items():
        found[f"schools.home_{source}"] = f"SELECT school AS owner, user AS id FROM home_schools WHERE role = '{role}'"
        mapped = f"FROM resource_courses WHERE list_contains(roles, '{role}')"
        found[f"courses.{role}_resources"] = f"SELECT course AS owner, resource AS id {mapped}"
        found[f"resources.{role}_courses"] = f"SELECT resource AS owner, course AS id {mapped}"
    for kind, column in (("schools", "school"), ("terms", "term"), ("courses", "course")):
        found[f"{kind}.sections"] = f"SELECT {column} AS owner, id FROM section_places"
    for kind, column in (("terms", "term"), ("courses", "course")):
        found[f"schools.{kind}"] = f"SELECT school AS owner, {column} AS id FROM section_places"
        found[f"{kind}.schools"] = f"SELECT {column} AS owner, school AS id FROM section_places"
    return found
