"""Reads in the event loop: while a read waits for the database server, the loop runs other work.

A read is written once, as a plain function. On SQLite it runs as it is. On PostgreSQL it runs in a greenlet: a
transaction that has to wait switches to the loop, which waits and switches back. So no thread is needed, and no
read has a second form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, TypeVarTuple, Unpack

from greenlet import getcurrent, greenlet

Given = TypeVarTuple("Given")
Result = TypeVar("Result")

# How often a read may begin: only the first attempt supposes rows, and the last one may not begin again.
ATTEMPTS = 3


class Again(Exception):
    """The read must begin again: what it supposed was wrong, or a session was lost before it was used."""


@dataclass(frozen=True, slots=True)
class Work:
    """A read that is under way in a loop.

    `may_suppose`: it may use what an earlier read found, if the database confirms it. `may_repeat`: it may
    raise Again.
    """

    loop: asyncio.AbstractEventLoop
    may_suppose: bool
    may_repeat: bool


async def run(work: Callable[[Unpack[Given]], Result], *given: *Given) -> Result:
    """The result of `work`, which may wait only for the database, and only by `wait`.

    `work` may run several times, so it must have no side effect.
    """
    loop = asyncio.get_running_loop()
    for attempt in range(1, ATTEMPTS):
        try:
            return await _done(work, given, Work(loop, attempt == 1, may_repeat=True))
        except Again:
            pass
    return await _done(work, given, Work(loop, may_suppose=False, may_repeat=False))


async def _done(work: Callable[..., Result], given: tuple[Any, ...], noted: Work) -> Result:
    parent = getcurrent()
    running = greenlet(work, parent)
    running.gr_context, running.rollbook_work = parent.gr_context, noted
    awaited = running.switch(*given)
    while not running.dead:
        try:
            found = await awaited
        except BaseException as error:  # the work must close what it opened
            awaited = running.throw(error)
        else:
            awaited = running.switch(found)
    result: Result = awaited
    return result


def current() -> Work | None:
    """The read that runs now; None outside of `run`."""
    return getattr(getcurrent(), "rollbook_work", None)


def wait(awaitable: Awaitable[Result]) -> Result:
    """The result of an awaitable; the loop runs other work meanwhile. Only for code inside `run`."""
    found: Result = getcurrent().parent.switch(awaitable)
    return found
