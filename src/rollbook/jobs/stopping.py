"""How a worker stops its processes, and how they tell it from other programs that end them."""

from __future__ import annotations

import signal
from typing import Final

# Only a worker sends SIGHUP to its processes, which have no terminal. A program that watches the memory sends SIGTERM
# or SIGKILL.
STOP: Final = signal.SIGHUP


def is_by_worker(end: BaseException) -> bool:
    """Whether the worker or a person stopped the process. If another program did, the job may be the reason."""
    return not isinstance(end, SystemExit) or end.code in (0, None, 128 + STOP)
