"""A server that drains: after SIGTERM, `/ready` answers 503 for some seconds, and all other requests are answered.

So a balancer that asks `/ready` stops sending requests before the server closes its port. A second signal ends the
server at once.
"""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

_MARK = "draining"


def is_draining(folder: Path | None) -> bool:
    """Whether the server whose processes share this folder is draining."""
    return folder is not None and (folder / _MARK).exists()


class Drain:
    """The drain of one server. `folder` is shared by all its processes."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder, self._seconds, self._is_begun = folder, seconds, False

    def begin(self, end: Any, *arguments: object) -> None:
        """Call `end` after the drain; at once if there is none, or if it has begun already."""
        if self._is_begun or not self._seconds:
            end(*arguments)
            return
        self._is_begun = True
        (self._folder / _MARK).touch()
        timer = threading.Timer(self._seconds, end, arguments)
        timer.daemon = True
        timer.start()


class DrainingServer(uvicorn.Server):
    """A server in one process."""

    def __init__(self, config: uvicorn.Config, drain: Drain) -> None:
        super().__init__(config)
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM:
            self._drain.begin(super().handle_exit, sig, frame)
        else:
            super().handle_exit(sig, frame)


class DrainingWorkers(Multiprocess):
    """A server in several processes. The first one gets the signal."""

    def __init__(self, config: uvicorn.Config, sockets: list[Any], drain: Drain) -> None:
        super().__init__(config, sockets)
        self._drain = drain

    def handle_term(self) -> None:
        self._drain.begin(super().handle_term)
