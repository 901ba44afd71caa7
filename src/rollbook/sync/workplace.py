"""Where a run works: a folder for its files, and an engine with limited memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from rollbook.errors import BadSetting, MachineTrouble
from rollbook.roster import workfolder
from rollbook.roster.intake.csv.raw_tables import connect, lock
from rollbook.settings import Settings
from rollbook.sync.ending import by_signals, interrupted_by_signals

MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?[KMGT]i?B", re.IGNORECASE)


@contextmanager
def workplace(settings: Settings) -> Iterator[Path]:
    """A folder for a run's files, which is removed even if a signal ends the run.

    Errors: MachineTrouble says in one line what went wrong with memory or disk.
    """
    if not MEMORY.fullmatch(settings.sync_memory):
        raise BadSetting(f"sync_memory: expected a size such as 512MB or 2GB, got {settings.sync_memory!r}")
    parent = workfolder.parent_of(settings.temporary)
    workfolder.remove_dead(parent)
    with ExitStack() as held:
        try:
            folder = held.enter_context(workfolder.made(parent))
        except OSError as error:
            where = settings.temporary or "the system"
            raise BadSetting(f"temporary: no file can be made in {where!r}: {error.strerror}") from None
        try:
            with by_signals(folder):
                yield folder
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            reason = str(error).partition("\n")[0]
            raise MachineTrouble(
                f"memory or disk was not sufficient (see sync_memory and temporary in the settings): {reason}"
            ) from None
        except OSError as error:
            raise MachineTrouble(f"the disk refused: {error.strerror}: {error.filename or folder}") from None


@contextmanager
def engine_in(settings: Settings, folder: Path, *reaches: Path) -> Iterator[DuckDBPyConnection]:
    """An engine that can reach the files in `folder`, and in the folders `reaches`."""
    with connect(folder, settings.sync_memory) as engine, interrupted_by_signals(engine.interrupt):
        lock(engine, folder, *reaches)
        yield engine
