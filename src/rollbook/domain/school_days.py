"""When a district's files are due: its time zone, its school days, and times that summer time skips or
repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rollbook.errors import BadSetting

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
RULES: Final = {
    "marker": "when the marker file came",
    "quiet": "when the required files are there, and no file changed for some minutes",
    "closed": "when the SFTP session closed",
    "at": "at a time of a school day, once no file changed for some minutes",
}
# The night of a day begins on the evening before.
EVENING: Final = "18:00"
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a district's files come. `at` and `late_after` are times of the day, blank for none; `days` are school days,
    `off` days without school, first to last."""

    zone: str = "UTC"
    folder: str = ""
    rule: str = "marker"
    marker: str = "complete"
    quiet_minutes: int = 30
    at: str = ""
    late_after: str = ""
    days: tuple[str, ...] = DAYS[:5]
    keep_days: int = 14
    off: tuple[tuple[date, date], ...] = ()

    def checked(self) -> Schedule:
        """The schedule. Errors: BadSetting names the option, and what was expected."""
        zone(self.zone)
        if self.rule not in RULES:
            raise BadSetting(f"rule: expected one of {', '.join(RULES)}, got {self.rule!r}")
        for name, value in (("at", self.at), ("late-after", self.late_after)):
            if value and not _TIME.fullmatch(value):
                raise BadSetting(f"{name}: expected a time such as 02:30, got {value!r}")
        if self.rule == "at" and not self.at:
            raise BadSetting("at: expected a time such as 02:30 for the rule `at`")
        if wrong := [day for day in self.days if day not in DAYS]:
            raise BadSetting(f"days: expected some of {' '.join(DAYS)}, got {wrong[0]!r}")
        if not self.marker or "/" in self.marker or self.marker.startswith("."):
            raise BadSetting(
                f"marker: expected the name of a file, without a dot at its beginning, got {self.marker!r}"
            )
        for first, last in self.off:
            if last < first:
                raise BadSetting(f"off: expected the last day on or after the first one, got {first}..{last}")
        return self

    def is_school_day(self, day: date) -> bool:
        return DAYS[day.weekday()] in self.days and not any(first <= day <= last for first, last in self.off)

    def today(self, now: float) -> date:
        """The day that it is in the district at a moment in Unix seconds."""
        return datetime.fromtimestamp(now, zone(self.zone)).date()

    def moment(self, day: date, at: str) -> float:
        """A time of a day as Unix seconds.

        If summer time skips the time, it is later by the jump. If the time comes twice, the first one counts
        (PEP 495).
        """
        local = datetime.combine(day, time.fromisoformat(at), zone(self.zone))
        return local.astimezone(UTC).timestamp()

    def evening_before(self, now: float) -> float:
        """The start of the night that contains a time, or that ended last before it."""
        return self.moment(self.today(now) - timedelta(days=1), EVENING)

    def is_late(self, now: float, came: float | None) -> bool:
        """Whether files are overdue; `came` is the time of the last ones."""
        today = self.today(now)
        if not self.late_after or not self.is_school_day(today) or now < self.moment(today, self.late_after):
            return False
        return came is None or came < self.evening_before(now)


def zone(name: str) -> ZoneInfo:
    """A time zone by its IANA name. Errors: BadSetting."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise BadSetting(f"zone: expected a time zone such as America/Chicago, got {name!r}") from None


def spans(texts: Iterable[str]) -> tuple[tuple[date, date], ...]:
    """Days without school: each one day, or two days with `..` between. Errors: BadSetting."""
    found = []
    for text in texts:
        first, _, last = text.partition("..")
        try:
            found.append((date.fromisoformat(first), date.fromisoformat(last or first)))
        except ValueError:
            raise BadSetting(f"off: expected 2026-12-24 or 2026-12-24..2027-01-03, got {text!r}") from None
    return tuple(found)
