"""The files of one sync as tables in an in-memory database; `checks` and `normalize` read them.

Each file has a view with its name (`students` for students.csv). The view has `row` and every column of the
contract. A column that the file does not have is NULL in every row; a blank cell is ''. Blanks at the ends of
cells are gone.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import duckdb

from rollbook.roster import findings, parts
from rollbook.roster.sql_text import text

# Each thread reserves its share of memory. A sync of a million students failed in 512 MB with 8 threads, and
# worked with 4.
_THREAD_BYTES: Final = 120 * 1024**2


@dataclass(frozen=True)
class Tables:
    """The database, with the files and columns that the district sent.

    `columns` has the column names of each file that exists; `extensions` its own `ext.` names, without
    `ext.`. `opened` keeps the files open while they are read. `password_key` (hex) is the key of password
    digests; without it, passwords are not read.
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

    def counts(self, files: Sequence[str]) -> dict[str, int]:
        """How many rows each file has, in the order given."""
        counted = ", ".join(f"(SELECT count(*) FROM {file.removesuffix('.csv')})" for file in files)
        return dict(zip(files, self.one(f"SELECT {counted}"), strict=True)) if files else {}

    def close(self) -> None:
        """Free the memory, and remove the temporary files."""
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
    """An empty database with at most `memory_limit` (such as `512MB`), which spills into `folder` and is not
    locked yet."""
    connection = connect(folder, memory_limit)
    findings.create_table(connection)
    return Tables(connection, folder, password_key)


def connect(folder: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """An empty engine with at most `memory_limit` (such as `512MB`), which spills into `folder`."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": memory_limit,
            "temp_directory": str(folder / "spill"),
            # The engine never downloads anything, whatever a file's name is.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    # The engine would draw it on stdout, in the middle of JSON for programs.
    connection.execute("SET enable_progress_bar = false")
    _limit_threads(connection)
    parts.begin(connection)
    return connection


def lock(connection: duckdb.DuckDBPyConnection, *reaches: Path) -> None:
    """Let the engine reach only files in the folders `reaches`, whatever a district's files contain."""
    listed = ", ".join(text(str(path.absolute())) for path in reaches)
    for statement in (
        f"SET allowed_directories = [{listed}]",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)


def _limit_threads(connection: duckdb.DuckDBPyConnection) -> None:
    """Use only as many threads as the memory allows."""
    ((threads,),) = connection.execute("SELECT current_setting('threads')").fetchall()
    connection.execute(
        f"SET threads = {max(1, min(threads, parts.memory_bytes(connection) // _THREAD_BYTES))}"
    )
