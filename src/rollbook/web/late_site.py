"""The site, loaded at its first request or soon after the start. Its modules are most of what a server loads.

Without this, the API's first answer would wait half a second of CPU time for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from anyio import to_thread

if TYPE_CHECKING:  # loading it late is what this module is for
    from rollbook.web.site import Site

# How long after the start the site is loaded anyway. The first requests should not share the interpreter with it.
SOON_SECONDS = 1.0


class LateSite:
    """Makes the site once. `make` may take as long as a start."""

    def __init__(self, make: Callable[[], Site]) -> None:
        self._make = make
        self._made: Site | None = None
        self._making = threading.Lock()

    async def get(self) -> Site:
        """The site. If it is not there yet, a thread makes it, and other requests go on meanwhile."""
        if self._made is None:
            return await to_thread.run_sync(self._get)
        return self._made

    def load_soon(self) -> asyncio.TimerHandle:
        """Make it in a thread in a moment, unless the handle is cancelled before."""
        thread = threading.Thread(target=self._get, name="site", daemon=True)
        return asyncio.get_running_loop().call_later(SOON_SECONDS, thread.start)

    def _get(self) -> Site:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made
