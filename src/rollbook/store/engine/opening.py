"""Open the database of the settings, bring its schema up to date, and check its key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rollbook.settings import Settings, masked
from rollbook.store.engine import keys, partitions
from rollbook.store.engine.database import Database, not_begun, open_database
from rollbook.store.engine.migrations import is_begun, migrate


@contextmanager
def opened(settings: Settings, *, may_begin: bool = False) -> Iterator[Database]:
    """The database of the settings, with its schema up to date and its key checked.

    `may_begin`: make a missing database, because the caller begins something. Errors: BadSetting.
    """
    database = open_database(settings.database, may_make=may_begin)
    try:
        if not (may_begin or is_begun(database)):
            raise not_begun(str(masked(settings)["database"]), "holds nothing of Rollbook")
        migrate(database)
        partitions.settle(database, settings.partitions)
        keys.settle(database, settings)
        yield database
    finally:
        database.close()
