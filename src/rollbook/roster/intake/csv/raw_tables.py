"""The files of one sync as tables in an in-memory database; what is in them is left to `checks` and
`normalize`.

Each file's rows stand in a view of the file's name (`students` for students.csv) that has `row`, every column
of the contract and nothing else: a column that the file does not have is NULL in every row, a blank cell is
''. Outer blanks are gone.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import duckdb

from rollbook.roster import findings, parts
from rollbook.roster.sql_text import text

# Each thread pins its share of the memory: a sync of a million students failed in 512 MB with 8 threads, and
# not with 4.
_THREAD_BYTES: Final = 120 * 1024**2


@dataclass(frozen=True)
class Tables:
    """The database, and which files and columns the district sent.

    `columns` maps each file that is there to the names of its columns; `extensions` to its own `ext.` names,
    without `ext.`. `opened` holds the files open while they are read. `password_key` (hex) is what passwords
    are digested with as they are read; without one they are not read.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    password_key: str = ""
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extensions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    opened: ExitStack = field(default_factory=ExitStack)

    def has(self, file: str, column: str) -> bool:
        """Whether the district sent this column."""
        return column in self.columns.get(file, ())

    def one(self, query: str) -> tuple[Any, ...]:
        """The only row of a query's answer."""
        rows: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return rows[0]

    def count(self, file: str) -> int:
        """How many rows a file has."""
        return int(self.one(f"SELECT count(*) FROM {file.removesuffix('.csv')}")[0])

    def close(self) -> None:
        """Give back the memory and the temporary files."""
        self.connection.close()
        self.opened.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Tables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def new(folder: Path, memory_limit: str, password_key: str = "") -> Tables:
    """An empty database that uses at most `memory_limit` (such as `512MB`) and spills into `folder`, not
    locked yet."""
    connection = connect(folder, memory_limit)
    findings.create_table(connection)
    return Tables(connection, folder, password_key)


def connect(folder: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """An empty engine that uses at most `memory_limit` (such as `512MB`) and spills into `folder`."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(folder / "spill"),
            # Nothing is ever fetched, whatever a file is called.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    # It would be drawn on stdout, in the middle of the JSON that a program reads there.
    connection.execute("SET enable_progress_bar = false")
    _limit_threads(connection)
    parts.begin(connection)
    return connection


def lock(connection: duckdb.DuckDBPyConnection, *reaches: Path) -> None:
    """Let the engine reach no files any more but those in the folders `reaches`, whatever stands in a
    district's files."""
    listed = ", ".join(text(str(path.absolute())) for path in reaches)
    for statement in (
        f"SET allowed_directories = [{listed}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def _limit_threads(connection: duckdb.DuckDBPyConnection) -> None:
    """Use no more threads than there is memory for."""
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute(
        f"SET threads = {max(1, min(threads, parts.memory_bytes(connection) // _THREAD_BYTES))}"
    )
