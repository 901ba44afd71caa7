"""Charts of a district: each answers the question that its title asks, and has its numbers as a table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import quantiles

from markupsafe import Markup

from rollbook.operations import district_figures
from rollbook.operations.district_figures import Reads
from rollbook.operations.districts_overview import Line
from rollbook.store.district import districts
from rollbook.web.console import charts
from rollbook.web.console.charts import Chart
from rollbook.web.console.console_frame import Ask, Console, Page, Shown

VERBS = {"updated": "changed", "created": "new", "deleted": "deleted"}
# How many schools the drawing shows; the table has all.
SCHOOLS_MAX = 20
# The ways to sign in, in words.
WAYS = {"password": "password", "badge": "badge", district_figures.SERVICE: "another service"}
# From so many nights on, a chart says what is usual.
USUAL_MIN = 5


def show(console: Console, ask: Ask) -> Shown:
    """The charts of a district that the person may see."""
    database, district = console.database, ask.district
    found = [
        changes(district_figures.nights(database, district)),
        durations(district_figures.durations(database, district)),
        by_school(district_figures.students_by_school(database, district)),
        by_grade(district_figures.students_by_grade(database, district)),
        sign_ins(district_figures.sign_ins(database, district, time.time()), time.time()),
        requests(district_figures.reads(database, console.desk.settings, district)),
    ]
    rows = [(chart.question, *row) for chart in found for row in (chart.heads, *chart.rows)]
    return Shown(
        "charts.html",
        {
            "charts": found,
            "numbers": [
                {"question": each.question, "answer": each.answer, "heads": each.heads, "rows": each.rows}
                for each in found
            ],
            "place": ask.place,
        },
        rows=rows,
        leave_out=("charts", "place"),
    )


def changes(nights: Sequence[tuple[str, dict[str, int]]]) -> Chart:
    """Changes of each night, by verb."""
    labels = [_day(created) for created, _ in nights]
    series = [[counts[verb] for _, counts in nights] for verb in VERBS]
    totals = [sum(counts.values()) for _, counts in nights]
    rows = tuple(
        (created, *(counts[verb] for verb in VERBS), sum(counts.values()))
        for created, counts in reversed(nights)
    )
    return Chart(
        "changes",
        "Did last night look like other nights?",
        _like_others(totals),
        ("Night", *(word.capitalize() for word in VERBS.values()), "All"),
        rows,
        charts.stacked("changes", labels, series) if nights else Markup(""),
        tuple((word, charts.key("changes", place)) for place, word in enumerate(VERBS.values())),
    )


def _like_others(totals: Sequence[int]) -> str:
    if not totals:
        return "No run has changed the roster since the first one."
    told = f"{totals[-1]:,} record{'' if totals[-1] == 1 else 's'} changed"
    if len(totals) < USUAL_MIN:
        return f"{told}. After {USUAL_MIN} runs, this says what is usual."
    tenths = quantiles(totals[:-1], n=10)
    least, most = round(tenths[0]), round(tenths[-1])
    answer = "Yes" if least <= totals[-1] <= most else "No"
    return f"{answer}: {told}; usually it is {least:,} to {most:,}."


def durations(jobs: Sequence[tuple[int, float]]) -> Chart:
    """How long the syncs of workers took."""
    moments = [districts.timestamp(begun / 1000) for begun, _ in jobs]
    seconds = [took for _, took in jobs]
    if not jobs:
        answer = "No worker has synced this district in the last 30 days."
    elif len(jobs) < USUAL_MIN:
        answer = f"The last one took {seconds[-1]:,.1f} s."
    else:
        middle = sorted(seconds[:-1])[len(seconds[:-1]) // 2]
        is_longer = seconds[-1] > 2 * middle
        answer = f"{'Yes' if is_longer else 'No'}: the last one took {seconds[-1]:,.1f} s; usually it is {middle:,.1f} s."
    return Chart(
        "durations",
        "Do syncs take longer than before?",
        answer,
        ("Sync", "Seconds"),
        tuple(
            (moment, round(took, 1)) for moment, took in reversed(list(zip(moments, seconds, strict=True)))
        ),
        charts.steps("durations", [_day(moment) for moment in moments], seconds) if jobs else Markup(""),
    )


def by_school(schools: Sequence[tuple[str, str, int]]) -> Chart:
    """Students of each school; a student of two schools counts in both."""
    if schools and schools[0][2]:
        all_ = sum(count for *_, count in schools)
        answer = (
            f"Most at {schools[0][0]}: {schools[0][2]:,} of {all_:,}, {100 * schools[0][2] / all_:.0f} %."
        )
    else:
        answer = "No school has students yet."
    drawn = [(name, count) for name, _, count in schools[:SCHOOLS_MAX]]
    more = (
        f" The chart shows the {SCHOOLS_MAX} largest of {len(schools):,} schools."
        if len(schools) > SCHOOLS_MAX
        else ""
    )
    return Chart(
        "schools",
        "Where do the students go to school?",
        answer + more,
        ("School", "Grades", "Students"),
        tuple(schools),
        charts.by_name("schools", drawn) if drawn else Markup(""),
    )


def by_grade(grades: Mapping[str, int]) -> Chart:
    """Students of each grade, the youngest first."""
    named = {grade or "no grade": count for grade, count in grades.items()}
    all_ = sum(named.values())
    if all_:
        most = max(named, key=lambda grade: named[grade])
        answer = f"Most in {_in_words(most)}: {named[most]:,} of {all_:,}, {100 * named[most] / all_:.0f} %."
        answer += (
            f" {named['no grade']:,} have no grade." if named.get("no grade") and most != "no grade" else ""
        )
    else:
        answer = "No run has counted grades yet."
    return Chart(
        "grades",
        "Which grades are the students in?",
        answer,
        ("Grade", "Students"),
        tuple(named.items()),
        charts.by_name("grades", [(_in_words(grade).capitalize(), count) for grade, count in named.items()])
        if named
        else Markup(""),
    )


def _in_words(grade: str) -> str:
    return f"grade {grade}" if grade.isdigit() else grade


def sign_ins(ways: Mapping[str, Sequence[int]], now: float) -> Chart:
    """Sign-ins of the last day by hour and way."""
    labels = _hours(now)
    totals = [sum(each) for each in zip(*ways.values(), strict=True)]
    count = sum(totals)
    if count:
        most = max(range(len(totals)), key=lambda hour: totals[hour])
        told = ", ".join(f"{sum(each):,} by {WAYS[way]}" for way, each in ways.items() if any(each))
        answer = f"{count:,} in 24 hours, most from {labels[most]} UTC on ({totals[most]:,}): {told}."
    else:
        answer = "Nobody has signed in during the last 24 hours."
    rows = [
        (label, *each, sum(each)) for label, *each in zip(labels, *ways.values(), strict=True) if sum(each)
    ]
    return Chart(
        "sign-ins",
        "When do people sign in, and how?",
        answer,
        ("Hour (UTC)", *(WAYS[way].capitalize() for way in ways), "All"),
        tuple(rows),
        charts.stacked("sign-ins", labels, list(ways.values())) if count else Markup(""),
        tuple((WAYS[way], charts.key("sign-ins", place)) for place, way in enumerate(ways)) if count else (),
    )


def _hours(now: float) -> list[str]:
    """The hours of the last day, the present one last."""
    return [f"{(now // 3600 - hour) % 24:02.0f}:00" for hour in range(district_figures.HOURS - 1, -1, -1)]


def last_runs(lines: Sequence[Line]) -> Chart | None:
    """When the last runs of all districts came, by hour of the day before the newest one; None for few districts."""
    moments = {
        line.number: datetime.fromisoformat(line.last_files).timestamp() for line in lines if line.last_files
    }
    newest = max(moments.values(), default=0.0)
    labels, first = _hours(newest), int(newest // 3600) - district_figures.HOURS + 1
    well, asking = [0] * len(labels), [0] * len(labels)
    for line in lines:
        place = int(moments.get(line.number, 0) // 3600) - first
        if place >= 0:
            (asking if line.state in ("held", "failed") else well)[place] += 1
    totals = [one + other for one, other in zip(well, asking, strict=True)]
    if sum(totals) < USUAL_MIN:
        return None
    most = max(range(len(totals)), key=lambda hour: totals[hour])
    answer = f"{sum(totals):,} of {len(lines):,} districts in 24 hours, most from {labels[most]} UTC on ({totals[most]:,})."
    answer += f" {sum(asking):,} were held or failed." if any(asking) else ""
    rows = [each for each in zip(labels, well, asking, totals, strict=True) if each[-1]]
    return Chart(
        "runs",
        "When did the last files come?",
        answer,
        ("Hour (UTC)", "Went in", "Held or failed", "All"),
        tuple(rows),
        charts.stacked("runs", labels, [well, [0] * len(well), asking]),
        (("went in", charts.key("runs", 0)), ("held or failed", charts.key("runs", 2))),
    )


def requests(reads: Sequence[Reads]) -> Chart:
    """Requests and errors of the last day by hour, and when each application last asked."""
    labels = _hours(time.time())
    good = [sum(each.requests[at] - each.errors[at] for each in reads) for at in range(len(labels))]
    bad = [sum(each.errors[at] for each in reads) for at in range(len(labels))]
    count, errors = sum(good) + sum(bad), sum(bad)
    silent = [each.application for each in reads if each.last is None]
    if not reads:
        answer = "No application reads this district yet."
    elif not count:
        answer = "No application has asked in the last 24 hours."
    else:
        answer = f"{count:,} requests in 24 hours, {errors:,} of them with an error."
        answer += f" {len(silent)} of {len(reads)} applications did not ask." if silent else ""
    rows = tuple(
        (
            *(each.application, sum(each.requests), sum(each.errors)),
            districts.timestamp(each.last / 1000) if each.last else "not in 24 hours",
        )
        for each in reads
    )
    return Chart(
        "requests",
        "Do applications read without errors?",
        answer,
        ("Application", "Requests", "Errors", "Last asked"),
        rows,
        charts.stacked("requests", labels, [good, [0] * len(bad), bad]) if count else Markup(""),
        (("answered", charts.key("requests", 0)), ("error", charts.key("requests", 2))) if count else (),
    )


def _day(created: str) -> str:
    return f"{datetime.fromisoformat(created):%-d %b}"


PAGES = (Page("charts", "/console/d/{slug}/charts", "see runs", show, title="Charts", group="District"),)
