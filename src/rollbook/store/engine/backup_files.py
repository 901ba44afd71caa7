"""A backup as one file: a SQLite database with all tables, from either database, and a manifest.

The manifest names its version, its key, and the content of each table. A file is written under another name,
and gets its own name when it is complete and on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import apsw
import orjson

from rollbook import __version__
from rollbook.errors import BadSetting, MachineTrouble, Refused
from rollbook.store.engine import migrations, server_values, table_copies
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.keys import MARK
from rollbook.store.engine.migrations import migrate
from rollbook.store.engine.sqlite import inspected
from rollbook.store.engine.table_copies import Contents, Table

PART = ".part"
_MANIFEST = "backup_manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. `key_mark` is the mark of the server's key, blank if nothing needed one."""

    version: str
    schema: int
    created: int
    key_mark: str
    tables: Mapping[str, Contents]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.tables.values())


def write(database: Database, path: Path, every: list[Table], created: int) -> Manifest:
    """Write a backup of a database as it is at one moment, while others read and write it.

    Errors: MachineTrouble if the disk refuses, BadSetting if `path` is a file but no backup; an existing file stays then.
    """
    _check_target(database, path)
    with _taking_its_place(path) as part:
        with database.read() as transaction, _refused_by_disk(path):
            if transaction.engine == "sqlite":
                _clone(transaction, part)
            else:
                _collect(transaction, part, every)
        return _sign(part, every, created)


def read(path: Path) -> Manifest:
    """The manifest of a backup. Errors: BadSetting for a file that is not a backup."""
    if not path.is_file():
        raise BadSetting(f"file: {path} is not there; expected a backup that `rollbook backup` wrote")
    with inspected(path) as connection:
        if connection.row("SELECT 1 FROM sqlite_master WHERE name = ?", (_MANIFEST,)) is None:
            raise BadSetting(f"file: {path} is no backup; expected a file that `rollbook backup` wrote")
        (text,) = connection.row(f"SELECT text FROM {_MANIFEST}") or ("",)
    told: dict[str, Any] = orjson.loads(text)
    tables = {name: Contents(**each) for name, each in told.pop("tables").items()}
    return Manifest(**told, tables=tables)


def check(path: Path, manifest: Manifest, every: list[Table]) -> None:
    """Compare a backup with its manifest, table by table. Errors: Refused."""
    with inspected(path) as connection:
        # The digests tell of tables alone. A damaged index would hide records from reads.
        if connection.rows("PRAGMA integrity_check") != [("ok",)]:
            raise Refused(f"file: {path} is damaged; use another backup")
        wrong = table_copies.differences(manifest.tables, table_copies.contents(connection, every))
    if wrong:
        raise Refused(f"file: {path} is damaged: {wrong[0]}; use another backup")


def put_into(path: Path, manifest: Manifest, target: Transaction, every: list[Table]) -> None:
    """Replace all rows of an open database by a backup. Errors: Refused if they differ afterwards."""
    with inspected(path) as source:
        table_copies.copy(source, target, every)
    wrong = table_copies.differences(manifest.tables, table_copies.contents(target, every))
    if wrong:
        raise Refused(f"nothing was restored: {wrong[0]}")


def put_in_place(path: Path, target: Path) -> None:
    """Replace a SQLite file that no process uses by a backup, completely or not at all.

    Errors: Refused, MachineTrouble.
    """
    if target.exists():
        _refuse_if_used(target)
    with _taking_its_place(target) as part:
        with inspected(path) as connection:
            _clone(connection, part)
        with closing(apsw.Connection(str(part))) as raw:
            raw.pragma("journal_mode", "delete")
            raw.execute(f"DROP TABLE {_MANIFEST}")
    for ending in ("-wal", "-shm"):
        target.with_name(target.name + ending).unlink(missing_ok=True)


def _refuse_if_used(path: Path) -> None:
    """Errors: Refused if another process has the SQLite file open."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as raw:
            # Only the last connection to a file can leave WAL mode.
            if raw.pragma("journal_mode", "delete") != "delete":
                raise apsw.BusyError
    except apsw.BusyError:
        raise Refused(f"{path} is in use; stop the server and all workers first") from None
    except apsw.Error as error:
        raise BadSetting(f"database: {path} cannot be used: {error}") from None


def _check_target(database: Database, path: Path) -> None:
    """Only a backup or an empty file is replaced: never a database in use, its key, or anything else.

    Errors: BadSetting.
    """
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return
    refused = BadSetting(f"file: {path} is there already and is no backup; choose another name")
    with database.read() as transaction:
        # A file that was a backup once may be the database now.
        if transaction.engine == "sqlite" and path.samefile(cast(Any, transaction).raw.db_filename("main")):
            raise refused
    try:
        read(path)
    except BadSetting:
        raise refused from None


@contextmanager
def _taking_its_place(path: Path) -> Iterator[Path]:
    """A file beside `path`, which gets its name at the end of the block, or is removed after a failure."""
    part = path.with_name(path.name + PART)
    try:
        with _refused_by_disk(path):
            part.unlink(missing_ok=True)
            os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            yield part
            with open(part, "rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
    finally:
        for ending in ("", "-journal", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)


@contextmanager
def _refused_by_disk(path: Path) -> Iterator[None]:
    """Report that a file cannot be written; otherwise the error would name the database."""
    try:
        yield
    except (OSError, apsw.FullError, apsw.IOError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise MachineTrouble(f"{path} cannot be written: {reason}; what was there before stays") from None


def _clone(transaction: Transaction, part: Path) -> None:
    """Copy a SQLite database in one step: the copy is of one moment, and writers do not restart it."""
    with (
        closing(apsw.Connection(str(part))) as target,
        target.backup("main", cast(Any, transaction).raw, "main") as copying,
    ):
        copying.step(-1)


def _collect(source: Transaction, part: Path, every: list[Table]) -> None:
    """Read all tables of another database into a SQLite file, within the source's transaction."""
    with closing(open_database(str(part))) as target:
        migrate(target)
        with target.write() as transaction:
            table_copies.copy(source, transaction, every)


def _sign(part: Path, every: list[Table], created: int) -> Manifest:
    """Write the manifest into a backup."""
    with closing(apsw.Connection(str(part))) as raw:
        raw.pragma("journal_mode", "delete")
    with inspected(part) as connection:
        tables = table_copies.contents(connection, every)
        manifest = Manifest(
            __version__, len(migrations.STEPS), created, server_values.read(connection, MARK) or "", tables
        )
    with closing(apsw.Connection(str(part))) as raw:
        # A database that was copied from a backup by hand has one already.
        raw.execute(f"DROP TABLE IF EXISTS {_MANIFEST}")
        raw.execute(f"CREATE TABLE {_MANIFEST} (text TEXT NOT NULL)")
        raw.execute(f"INSERT INTO {_MANIFEST} (text) VALUES (?)", (orjson.dumps(asdict(manifest)).decode(),))
    return manifest
