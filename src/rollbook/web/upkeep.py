"""The regular work of a running server: update districts' records, drop expired rows, and tidy up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from itertools import count

from rollbook.errors import RollbookError
from rollbook.roster import workfolder
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import logins
from rollbook.store.engine.database import Database, open_database
from rollbook.store.engine.shared_counts import SharedCounts
from rollbook.store.records import record_search, request_log
from rollbook.store.records.own_record import keep_true

EVERY_SECONDS = 60.0
# Codes, tokens and sessions expire by themselves; their rows need not go at once.
SWEEP_ROUNDS = 10


def begin(settings: Settings) -> None:
    """Start the upkeep in a thread of its own, which ends with the program."""
    threading.Thread(target=_go_on, args=(settings,), name="upkeep", daemon=True).start()


def _go_on(settings: Settings) -> None:
    database, waiting = open_database(settings.database, may_make=False), threading.Event()
    for _ in rounds(database, settings):
        waiting.wait(EVERY_SECONDS)


def rounds(database: Database, settings: Settings) -> Iterator[None]:
    """Round after round. Only the first one that succeeds tells the server's address: if two servers with different
    addresses told theirs each minute, every district's record would change each minute, and syncs would lose to that."""
    base: str | None = base_url(settings)
    for number in count():
        if once(database, settings, sweeps=number % SWEEP_ROUNDS == 0, base=base):
            base = None
        yield


def once(database: Database, settings: Settings, *, sweeps: bool, base: str | None = None) -> bool:
    """One round; returns whether it succeeded. Errors go to the operator's log, and the next round tries again.

    `base` is the server's address; None keeps the one that was told last.
    """
    if sweeps:
        workfolder.remove_dead(workfolder.parent_of(settings.temporary))
    try:
        keep_true(database, base)
        record_search.catch_up(database)
        database.settle()
        if sweeps:
            request_log.prune(database, settings)
            with database.write(is_durable=False) as transaction:
                logins.sweep(transaction)
            if not database.is_local:
                SharedCounts(database).sweep()
    except RollbookError as error:
        logging.getLogger(__name__).warning("upkeep: %s", error)
        return False
    return True
