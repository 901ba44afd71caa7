"""Where a request is worked on: here in the event loop as long as nothing has to be waited for, else in a
thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

from anyio import to_thread

from rollbook.errors import Busy
from rollbook.store.engine.database import Database

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


async def done(database: Database, work: Callable[[Unpack[Given]], Result], *given: *Given) -> Result:
    """What `work` returns for what is given.

    Threads that hand the interpreter to and fro cost more than a short read or write of a local file. Where
    another program is writing, or the disk is to be waited for, the work begins anew in a thread: whatever
    may wait, it does before it changes anything.
    """
    try:
        with database.without_waiting():
            return work(*given)
    except Busy:
        pass
    return await to_thread.run_sync(work, *given)
