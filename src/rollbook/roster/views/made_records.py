"""The records and lists that a run makes: the table `after` (view, kind, id, roles, core, digest).

`roles` is the mask of a user's roles. `core` is the record's JSON without its dates and closing brace, the whole
record in a cloned district, or for a list the packed ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

_DIGEST: Final = "md5_number(core || coalesce(roles::VARCHAR, ''))"


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Create an empty `after`."""
    connection.execute(
        "CREATE TEMP TABLE after"
        " (view BIGINT, kind VARCHAR, id VARCHAR, roles BIGINT, core VARCHAR, digest UHUGEINT)"
    )


def add(connection: duckdb.DuckDBPyConnection, view: int, select: str) -> None:
    """Add the rows (kind, id, roles, core) of a query, each with its digest.

    The digest is made while the record is in memory: a large district's records do not stay there.
    """
    connection.execute(
        f"INSERT INTO after SELECT {view}, kind, id, roles, core, {_DIGEST}"
        f" FROM ({select}) made(kind, id, roles, core)"
    )
