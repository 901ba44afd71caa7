"""School days and times of a day, also on the days on which summer time begins and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollbook.domain.school_days import Schedule, spans
from rollbook.errors import BadSetting

CHICAGO = Schedule("America/Chicago", late_after="06:00", off=((date(2026, 12, 24), date(2027, 1, 3)),))


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("day", "at", "moment"),
    [
        (date(2026, 3, 7), "02:30", "2026-03-07T08:30"),
        (date(2026, 3, 8), "02:30", "2026-03-08T08:30"),  # skipped: 03:30 by the clock on the wall
        (date(2026, 3, 8), "03:30", "2026-03-08T08:30"),
        (date(2026, 11, 1), "01:30", "2026-11-01T06:30"),  # comes twice: the first one
        (date(2026, 11, 1), "02:30", "2026-11-01T08:30"),
    ],
)
def test_a_time_of_a_day_is_one_moment(day: date, at: str, moment: str) -> None:
    assert CHICAGO.moment(day, at) == utc(moment)


def test_the_night_begins_on_the_evening_before_in_the_districts_time_zone() -> None:
    assert CHICAGO.evening_before(utc("2026-12-02T12:00")) == utc("2026-12-02T00:00")
    assert CHICAGO.evening_before(utc("2026-12-02T03:00")) == utc("2026-12-01T00:00")


@pytest.mark.parametrize(
    ("now", "came", "is_late"),
    [
        ("2026-12-02T11:59", None, False),  # 05:59
        ("2026-12-02T12:00", None, True),
        ("2026-12-02T12:00", "2026-12-02T00:00", False),  # at 18:00 on the evening before
        ("2026-12-02T12:00", "2026-12-01T23:59", True),
        ("2026-12-05T18:00", None, False),  # a Saturday
        ("2026-12-24T18:00", None, False),  # a holiday
        ("2027-01-04T18:00", None, True),
    ],
)
def test_files_are_late_on_school_days_only(now: str, came: str | None, is_late: bool) -> None:
    assert CHICAGO.is_late(utc(now), utc(came) if came else None) is is_late


# Zones whose summer time begins or ends at midnight, by half an hour, or the other way round; and extreme ones.
ZONES = (
    *(
        "America/Chicago",
        "America/Havana",
        "America/St_Johns",
        "America/Nuuk",
        "Africa/Cairo",
        "Africa/Casablanca",
    ),
    *("Asia/Beirut", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham"),
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"),
)
TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from((0, 1, 15, 30, 59)))


def days_of_jumps(name: str) -> list[date]:
    """The days of 2026 on which, or before which, clocks are changed."""
    noons = [
        datetime(2026, 1, 1, 12, tzinfo=ZoneInfo(name)) + timedelta(days=number) for number in range(365)
    ]
    return [
        day.date()
        for before, day, after in zip(noons, noons[1:], noons[2:], strict=False)
        if len({before.utcoffset(), day.utcoffset(), after.utcoffset()}) > 1
    ]


def by_the_wall(name: str, day: date, at: str) -> float:
    """When a clock on the wall shows a time, found minute by minute. A time that is skipped is later by the jump."""
    wanted = datetime.combine(day, time.fromisoformat(at))
    minute = int(wanted.replace(tzinfo=UTC).timestamp()) - 15 * 3600
    shown = before = datetime.min
    while shown < wanted:
        before, shown = shown, datetime.fromtimestamp(minute, ZoneInfo(name)).replace(tzinfo=None)
        minute += 60
    return minute - 120 + (wanted - before).total_seconds()


@given(data=st.data())
def test_files_are_late_by_the_clocks_of_the_district_in_any_zone_on_any_day(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(ZONES))
    anyday = st.dates(date(2026, 1, 2), date(2026, 12, 30))
    day = data.draw(st.one_of(anyday, *map(st.just, days_of_jumps(name))))
    schedule = Schedule(name, late_after=data.draw(TIMES), days=("mon", "wed", "fri", "sat", "sun"))
    due = by_the_wall(name, day, schedule.late_after)
    evening = by_the_wall(name, day - timedelta(days=1), "18:00")
    now = data.draw(st.one_of(st.integers(-90_000, 90_000), st.sampled_from((-1, 0, 1)))) + due
    after = data.draw(st.one_of(st.none(), st.integers(-90_000, 90_000), st.sampled_from((-1, 0, 1))))
    came = None if after is None else after + evening
    is_late = schedule.is_late(now, came)
    if datetime.fromtimestamp(now, ZoneInfo(name)).date() == day:
        is_due = day.strftime("%a").lower() in schedule.days and now >= due
        assert is_late is (is_due and (came is None or came < evening))
    assert not schedule.is_late(now, now)
    assert not (is_late and not schedule.is_late(now, None))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"zone": "Chicago"}, "zone: expected a time zone such as"),
        ({"zone": "../etc/passwd"}, "zone: expected a time zone such as"),
        ({"rule": "at noon"}, "rule: expected one of"),
        ({"late_after": "25:00"}, "late-after: expected a time such as 02:30"),
        ({"rule": "at"}, "at: expected a time"),
        ({"days": ("monday",)}, "days: expected some of mon"),
        ({"marker": "../complete"}, "marker: expected the name of a file"),
        ({"off": ((date(2026, 2, 2), date(2026, 2, 1)),)}, "off: expected the last day on or after"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        replace(CHICAGO, **wrong).checked()  # type: ignore[arg-type]


def test_a_schedule_with_a_time_for_its_rule_and_days_off_is_right() -> None:
    wanted = replace(CHICAGO, rule="at", at="02:30")
    assert wanted.checked() is wanted


def test_days_without_school_are_read() -> None:
    assert spans(["2026-11-26", "2026-12-24..2027-01-03"]) == (
        (date(2026, 11, 26), date(2026, 11, 26)),
        (date(2026, 12, 24), date(2027, 1, 3)),
    )
    with pytest.raises(BadSetting, match=r"off: expected 2026-12-24"):
        spans(["Christmas"])
