"""Heavy stages in parts: a query that would gather too many rows at once runs once for each range of ids.

An aggregate that orders its rows cannot spill to disk, so its memory grows with them. A query with
`within(id)` reads only the ids of the current part. The results do not depend on the number of parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # a server without syncs need not load the engine
    import duckdb

# The engine's memory for each row of a part: an ordered aggregate takes up to 400 bytes, and other work needs
# as much again.
ROW_BYTES: Final = 750
# An aggregate that only gathers ids, in a list that is sorted afterwards, needs a third of it.
_LISTS_IN_ONE: Final = 3
_UNITS: Final = {"bytes": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
# With less memory the engine could not even read the files, so smaller values are not considered.
_LEAST_BYTES: Final = 16 * 1024**2
# The ends of the parts come from a sample of so many rows; a few percent more or less do no harm.
_SAMPLE_ROWS: Final = 10_000

Range = tuple[str, str | None]
ALL: Final[Range] = ("", None)


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Let queries use `within(id)`. Outside of a part it is true for every id."""
    narrow(connection, None)
    _set(connection, ALL)


def narrow(connection: duckdb.DuckDBPyConnection, ids: str | None) -> None:
    """Let `within` be true only for the ids of a query; None: for all again."""
    among = f" AND one IN ({ids})" if ids else ""
    connection.execute(
        "CREATE OR REPLACE MACRO within(one) AS one >= getvariable('low')"
        f" AND (getvariable('high') IS NULL OR one < getvariable('high')){among}"
    )


def each(
    connection: duckdb.DuckDBPyConnection, table: str, id_: str, *, gathers_ids: bool = False
) -> Iterator[None]:
    """Run the loop's body once for each part of a table, by its column of ids; `within` is true for the
    part's ids meanwhile. `gathers_ids`: the body only gathers the ids of the table's rows."""
    found = ranges(connection, table, id_, ROW_BYTES // _LISTS_IN_ONE if gathers_ids else ROW_BYTES)
    if found == [ALL]:
        yield
        return
    try:
        for part in found:
            _set(connection, part)
            yield
    finally:
        _set(connection, ALL)


def ranges(
    connection: duckdb.DuckDBPyConnection, table: str, id_: str, row_bytes: int, count: int | None = None
) -> list[Range]:
    """Ranges of ids of a table or query with `count` rows. Each range excludes its second id.

    The rows of about one range, with `row_bytes` each, fill the engine's memory.
    """
    if count is None:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    if count * row_bytes <= _LEAST_BYTES:
        return [ALL]
    number = -(-count * row_bytes // memory_bytes(connection))
    if number <= 1:
        return [ALL]
    ends = ", ".join(str(place / number) for place in range(1, number))
    ((found,),) = connection.execute(
        f"SELECT quantile_disc({id_}, [{ends}]) FROM {table} USING SAMPLE "
        f"{max(_SAMPLE_ROWS, 100 * number)} ROWS"
    ).fetchall()
    starts = sorted({end for end in found or () if end})
    return list(zip(("", *starts), (*starts, None), strict=True))


def memory_bytes(connection: duckdb.DuckDBPyConnection) -> int:
    """How much memory the engine may use, in bytes."""
    ((limit,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    number, unit = limit.split()
    return int(float(number) * _UNITS[unit])


def _set(connection: duckdb.DuckDBPyConnection, part: Range) -> None:
    for name, value in zip(("low", "high"), part, strict=True):
        connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
