"""Where to work on a request: in the event loop if nothing blocks it, else in a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from anyio import to_thread

from rollbook.errors import Busy
from rollbook.store.engine import in_loop
from rollbook.store.engine.database import Database

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


async def done(database: Database, work: Callable[[Unpack[Given]], Result], *given: *Given) -> Result:
    """The result of `work` for the given arguments.

    Threads that pass the interpreter to each other cost more than a short read or write of a local file. If
    it would block on another writer or on the disk, `work` restarts in a thread. So it must do all that can
    block before its first side effect.
    """
    try:
        with database.without_waiting():
            return work(*given)
    except Busy:
        pass
    return await to_thread.run_sync(work, *given)


async def read(database: Database, work: Callable[[Unpack[Given]], Result], *given: *Given) -> Result:
    """The result of `work`, which waits for nothing but reads of the database.

    If the database is a server, the work stays in the loop, and other requests go on while it waits. It may be
    called again from its beginning.
    """
    if not database.is_local:
        return await in_loop.run(work, *given)
    try:
        return work(*given)
    except Busy:
        return await to_thread.run_sync(work, *given)
