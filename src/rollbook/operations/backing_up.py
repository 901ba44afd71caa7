"""Backups: written while the server runs, and restored after all checks; and copies of databases."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rollbook.errors import BadSetting, Conflict, Refused
from rollbook.settings import Settings, key_path
from rollbook.store.engine import backup_files, migrations, table_copies
from rollbook.store.engine.backup_files import Manifest
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import is_begun, migrate


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup: its file, its size, and its content."""

    path: Path
    bytes: int
    manifest: Manifest


def backup(database: Database, path: Path) -> Kept:
    """Write a backup of the whole database into a file.

    Errors: MachineTrouble if the disk refuses, Refused if a later version upgraded the database.
    """
    with database.read() as transaction:
        last, known, _ = migrations.schema(transaction)
    if last != known:
        raise Refused(
            f"the database has schema {last}, and this version knows {known}; make the backup with the version that"
            " upgraded it"
        )
    manifest = backup_files.write(database, path, table_copies.tables(), int(time.time()))
    return Kept(path, path.stat().st_size, manifest)


def restore(path: Path, settings: Settings, *, replaces: bool = False) -> Manifest:
    """Restore a backup into the database of the settings, which must be empty unless `replaces`.

    Errors, all before anything is touched: BadSetting for a file that is not a backup; Refused for a damaged
    backup, or one of another version or key; Conflict if the database is not empty.
    """
    manifest = backup_files.read(path)
    _check_version(manifest)
    _check_key(manifest, settings)
    every = table_copies.tables()
    backup_files.check(path, manifest, every)
    if "://" not in settings.database:
        # A link stays: the backup takes the place of the file that it leads to, which SQLite opens as well.
        target = Path(settings.database).resolve()
        if target.exists() and not replaces:
            raise Conflict(f"{target} exists already; add --replace to put the backup in its place")
        backup_files.put_in_place(path, target)
        return manifest
    with closing(open_database(settings.database)) as database:
        _prepare(database, replaces=replaces)
        with database.write() as transaction:
            backup_files.put_into(path, manifest, transaction, every)
    return manifest


def _check_version(manifest: Manifest) -> None:
    known = len(migrations.STEPS)
    if manifest.schema != known:
        raise Refused(
            f"the backup is of Rollbook {manifest.version} with schema {manifest.schema}, and this version has schema"
            f" {known}; restore it with that version, and upgrade then"
        )


def _check_key(manifest: Manifest, settings: Settings) -> None:
    if not manifest.key_mark:
        return
    own = Sealer(key_path(settings))
    if not own.is_there:
        raise Refused(f"key_file: {key_path(settings)} is not there; put the key of the backup there first")
    if own.mark() != manifest.key_mark:
        raise Refused(f"key_file: {key_path(settings)} is not the key that the backup was made with")


def _prepare(database: Database, *, replaces: bool) -> None:
    """Prepare a database for a copy. Errors: Conflict if it is not empty."""
    if is_begun(database) and not replaces:
        with database.read() as transaction:
            if not table_copies.is_empty(transaction):
                raise Conflict(
                    "the database holds districts already; add --replace to put the copy in their place"
                )
    migrate(database)


def copy_database(source: str, target: str) -> dict[str, int]:
    """Copy all of one database into another, empty one; returns the rows of each table.

    Each is a file path or a postgresql:// address. The copy is compared with the source by counts and
    digests. Errors: BadSetting if the source does not exist, Refused if it is of another version, Conflict if
    the target holds districts.
    """
    if source == target:
        raise BadSetting("to: expected another database than the one to copy from")
    with closing(open_database(source, may_make=False)) as old:
        if not is_begun(old):
            raise BadSetting("from: the database holds nothing of Rollbook")
        with old.read() as transaction:
            last, known, _ = migrations.schema(transaction)
        if last > known:
            raise Refused(
                f"from: the database has schema {last}, and this version knows {known}; copy it with the version that"
                " upgraded it"
            )
        if last < known:
            raise Refused(
                f"from: the database has schema {last}, and this version has {known}; run `rollbook status` once to upgrade it"
            )
        with closing(open_database(target)) as new:
            _prepare(new, replaces=False)
            every = table_copies.tables()
            with old.read() as reading, new.write() as writing:
                wanted = table_copies.copy(reading, writing, every)
                wrong = table_copies.differences(wanted, table_copies.contents(writing, every))
                if wrong:
                    raise Refused(f"nothing was copied: {wrong[0]}")
    return {name: each.rows for name, each in wanted.items()}
