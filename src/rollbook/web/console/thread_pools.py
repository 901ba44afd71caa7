"""The threads in which the console's pages run. Those that compute for long have few, and few requests wait for them.

The console shares the machine with the API. Sign-ins have threads of their own, so that a flood of them stops no act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVarTuple, Unpack

from anyio import CapacityLimiter, to_thread
from starlette.responses import Response

from rollbook.web.http.safety_headers import safety

RETRY_SECONDS = 10
Given = TypeVarTuple("Given")


class Pool:
    """Threads for one kind of request. `waiting_max`: how many requests wait for one; None: any number."""

    def __init__(self, threads: int, waiting_max: int | None = None) -> None:
        self._limiter = CapacityLimiter(threads)
        self._most = None if waiting_max is None else threads + waiting_max
        self._inside = 0

    async def run(self, work: Callable[[Unpack[Given]], Response], *given: *Given) -> Response:
        """Answer a request in a thread; 503 at once if too many wait."""
        if self._most is not None and self._inside >= self._most:
            return _busy()
        self._inside += 1
        try:
            return await to_thread.run_sync(work, *given, limiter=self._limiter)
        finally:
            self._inside -= 1


def _busy() -> Response:
    """The answer while too many requests wait. It needs no thread and no database."""
    text = f"The console is busy. Nothing was done. Send it again in {RETRY_SECONDS} seconds.\n"
    headers = {**safety(), "Retry-After": str(RETRY_SECONDS)}
    return Response(text, 503, headers, "text/plain; charset=utf-8")
