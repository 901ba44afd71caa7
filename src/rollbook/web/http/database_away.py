"""Answers while the database is away: 503, with at most one log line a second."""

from __future__ import annotations

import logging
import time

from rollbook.errors import Unavailable
from rollbook.web.http import kept_parts
from rollbook.web.http.answers import Answer, failure

EVERY_SECONDS = 1.0
RETRY_AFTER = (b"retry-after", b"2")

_log = logging.getLogger(__name__)


class Away:
    """The answers of one process. Many requests make only few log lines."""

    def __init__(self) -> None:
        self._told_at = float("-inf")
        self._untold = 0

    def answer(self, trouble: Exception, method: str, path: str) -> Answer:
        now = time.monotonic()
        if now - self._told_at < EVERY_SECONDS:
            self._untold += 1
        else:
            more = f" (and {self._untold} more since the last line)" if self._untold else ""
            _log.warning("no answer to %s %s%s: %s", method, kept_parts.path(path), more, trouble)
            self._told_at, self._untold = now, 0
        told = failure(Unavailable("The database is away; try again in a few seconds."), method, path, "json")
        return Answer(told.status, (RETRY_AFTER, *told.headers), told.body)
