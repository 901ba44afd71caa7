"""The clock of a soak: libfaketime shows the same invented time to all programs."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

LIBRARIES = ("x86_64-linux-gnu", "aarch64-linux-gnu")
# Until every process has read the clock again.
CLOCK_SECONDS = 2.2


def library() -> Path | None:
    """The library that gives programs another clock; None if it is not installed (`apt install faketime`)."""
    places = (Path("/usr/lib", name, "faketime", "libfaketimeMT.so.1") for name in LIBRARIES)
    return next((place for place in places if place.exists()), None)


class Clock:
    """The clock of all started programs: so many seconds after the real one."""

    def __init__(self, folder: Path) -> None:
        self._file, self.offset = folder / "clock", 0
        # By that library, Python's own sleep fails while other waits go on.
        (folder / "sitecustomize.py").write_text(
            "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds)\n"
        )
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "PYTHONPATH": f"{folder}:{os.environ.get('PYTHONPATH', '')}",
        }
        self.go_to(datetime.now(UTC))

    def go_to(self, moment: datetime) -> None:
        self.offset = int(moment.timestamp() - time.time())
        part = self._file.with_name("clock.part")
        part.write_text(f"+{self.offset}\n")
        part.replace(self._file)

    def now(self) -> float:
        return time.time() + self.offset
