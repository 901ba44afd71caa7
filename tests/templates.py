"""Databases that are filled once in a test process, and copied for each test that begins with what is in
them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg


class Template:
    """A database to fill, and to copy once it is closed. `server` is the address of the tests' PostgreSQL,
    "" for SQLite."""

    def __init__(self, folder: Path, server: str = "") -> None:
        self._server, self._name = server, f"template_{uuid4().hex[:16]}"
        self._file = folder / "template.db"

    @contextmanager
    def filling(self) -> Iterator[str]:
        """The address of the empty database, which exists until the end of the block."""
        if not self._server:
            yield str(self._file)
            return
        self._tell(f"CREATE DATABASE {self._name}")
        try:
            yield self._address(self._name)
        finally:
            self._tell(f"DROP DATABASE {self._name} WITH (FORCE)")

    @contextmanager
    def copy(self, folder: Path) -> Iterator[str]:
        """The address of a copy in a test's folder."""
        if not self._server:
            yield str(shutil.copy(str(self._file), folder / "rollbook.db"))
            return
        name = f"copy_{uuid4().hex[:16]}"
        # A copy of files costs two thirds of one by way of the log.
        self._tell(f"CREATE DATABASE {name} TEMPLATE {self._name} STRATEGY FILE_COPY")
        try:
            yield self._address(name)
        finally:
            self._tell(f"DROP DATABASE {name} WITH (FORCE)")

    def _address(self, name: str) -> str:
        # A transaction that was left open makes the test fail here, where it would wait for ever.
        return f"{urlsplit(self._server)._replace(path=f'/{name}').geturl()}&options=-clock_timeout%3D60s"

    def _tell(self, sql: str) -> None:
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.encode())
