"""More requests than the server can answer: those that the event loop reaches too late get 503 with Retry-After.

In each turn, the loop reads all requests that have come, and then works on them one after another. A turn that works for
longer than a second has more requests than the server can answer. The server refuses the later ones, which costs
next to nothing. So no request waits much longer than that, and the server answers as before soon after the load is over.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from rollbook.errors import Unavailable
from rollbook.web.http.answers import Answer, failure

# How long a turn may work, by the processor's time: a machine that stands still refuses nobody.
TURN_SECONDS: Final = 1.0
RETRY_AFTER: Final = (b"retry-after", b"1")


class Overload:
    """The turns of one process."""

    def __init__(self) -> None:
        self._turn = self._begun = 0.0

    def is_too_late(self) -> bool:
        """Whether the loop reaches a request too late in its turn. Called once for each request."""
        turn = asyncio.get_running_loop().time()  # uvloop reads the clock once a turn
        if turn != self._turn:
            self._turn, self._begun = turn, time.thread_time()
            return False
        return time.monotonic() - turn > TURN_SECONDS and time.thread_time() - self._begun > TURN_SECONDS

    @staticmethod
    def answer(method: str, path: str) -> Answer:
        told = failure(
            Unavailable("The server has too many requests; try again in a second."), method, path, "json"
        )
        return Answer(told.status, (RETRY_AFTER, *told.headers), told.body)
