"""Logs as JSON lines, for programs that collect them: no token, no address, no text from a file or a request.

An exception is logged with its type and its place in the code, because its text may quote a student's record.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from rollbook.settings import Settings

FRAMES_MAX = 12


class Lines(logging.Formatter):
    """A record of the log as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "at": moment(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info and record.exc_info[1]:
            told["error"] = type(record.exc_info[1]).__name__
            told["where"] = _places(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False)


def set_up(settings: Settings, level: int = logging.WARNING) -> None:
    """Let this process log as the settings say: to stderr, as text or as JSON lines."""
    if settings.log_format != "json":
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def moment(seconds: float) -> str:
    """A moment in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
