"""What Rollbook tells people and webhooks: the topics, and when the summary of a night is sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from rollbook.domain.school_days import Schedule
from rollbook.errors import BadSetting

NIGHT, HELD, FAILED, LATE, TEST = "night", "held", "failed", "late", "test"
# The topics that people choose. All but the first are told at once.
TOPICS: Final = {
    NIGHT: "a summary of the night, each day",
    HELD: "a sync is held, at once",
    FAILED: "files could not be used or a sync failed, at once",
    LATE: "a district's files are late, at once",
}
DAY_SECONDS: Final = 86_400


def checked(wanted: Iterable[str]) -> tuple[str, ...]:
    """The topics in order, each once. Errors: BadSetting."""
    given = tuple(wanted)
    if wrong := [topic for topic in given if topic not in TOPICS]:
        raise BadSetting(f"topics: expected some of {' '.join(TOPICS)}, got {wrong[0][:100]!r}")
    return tuple(topic for topic in TOPICS if topic in given)


def due(at: str, zone: str, now: float) -> float:
    """The last moment at which a summary was due, in Unix seconds."""
    clock = Schedule(zone=zone)
    today = clock.today(now)
    moment = clock.moment(today, at)
    return moment if moment <= now else clock.moment(today - timedelta(days=1), at)
