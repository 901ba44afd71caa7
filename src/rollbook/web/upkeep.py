"""The regular work of a running server: update districts' records, drop expired rows, and tidy up."""

from __future__ import annotations

import logging
import threading

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
    database, rounds, waiting = open_database(settings.database, may_make=False), 0, threading.Event()
    while True:
        once(database, settings, sweeps=rounds % SWEEP_ROUNDS == 0)
        rounds += 1
        waiting.wait(EVERY_SECONDS)


def once(database: Database, settings: Settings, *, sweeps: bool) -> None:
    """One round. Errors go to the operator's log, and the next round tries again."""
    if sweeps:
        workfolder.remove_dead(workfolder.parent_of(settings.temporary))
    try:
        keep_true(database, base_url(settings))
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
