"""Schools, sections and charts of a district: who is where, what is missing, and nothing of another district."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from rollbook.operations import connecting, district_figures, places_browsing
from rollbook.operations.districts_overview import Line
from rollbook.store.accounts import applications
from rollbook.store.district import districts
from rollbook.store.engine.database import open_database
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import request_log
from rollbook.store.records.request_log import RequestLog
from rollbook.web.console import chart_pages, charts
from tests import world
from tests.journeys.hub import Hub
from tests.web.test_console_settings import at, signed_in

STRANGER = "Zebedee"
FILES = world.changed(("students.csv", "Mathison,10", "Mathison,11"))


@pytest.fixture(scope="module")
def town(module_database_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Hub]]:
    """Two synced districts on one database. The homeroom has no term."""
    folder: Path = tmp_path_factory.mktemp("places")
    with closing(open_database(module_database_address)) as database:
        migrate(database)
        with closing(Hub(database, module_database_address, folder)) as hub:
            hub.sync(world.FILES)
            hub.sync(FILES)
            other = hub.beside("Other Unified")
            other.sync(
                {
                    name: text.replace("Algebra", STRANGER).replace("North High", STRANGER)
                    for name, text in world.FILES.items()
                }
            )
            yield hub, other


@pytest.fixture(scope="module")
def desk(town: tuple[Hub, Hub]) -> Iterator[httpx.Client]:
    hub, _ = town
    with signed_in(hub, "help desk", hub.district.number) as client:
        yield client


def link(page: str, title: str) -> str:
    """The address of a link with a title."""
    found = re.search(rf'href="([^"]+)"><bdi>{re.escape(title)}</bdi>', page)
    assert found, title
    return found[1]


def test_schools_have_counts_and_lead_to_their_people_and_sections(
    town: tuple[Hub, Hub], desk: httpx.Client
) -> None:
    hub, _ = town
    page = desk.get(at(hub, "schools")).text
    told = {one["name"]: one for one in desk.get(at(hub, "schools.json")).json()["schools"]}
    assert {name: (one["students"], one["teachers"], one["grades"]) for name, one in told.items()} == {
        "North High": (2, 2, "9 to 12"),
        "South Elementary": (2, 1, "Kindergarten to 5"),
    }
    school = desk.get(link(page, "North High")).text
    people = re.search(r'href="([^"]+role=student[^"]+)">2<', school)
    assert people
    assert "Emmy Noether" in desk.get(people[1].replace("&amp;", "&")).text


def test_a_section_names_its_people_and_leads_to_them(town: tuple[Hub, Hub], desk: httpx.Client) -> None:
    hub, _ = town
    page = desk.get(at(hub, "sections?text=alg")).text
    assert "Room 12" not in page
    section = desk.get(link(page, "Algebra - Lovelace - 2")).text
    assert "Teachers (2)" in section
    assert "Students (2)" in section
    person = desk.get(link(section, "Emmy Noether")).text
    assert link(person, "Algebra - Lovelace - 2") in page
    members = list(csv.reader(io.StringIO(desk.get(f"{link(page, 'Algebra - Lovelace - 2')}.csv").text)))
    assert sorted(row[2] for row in members[1:]) == [
        "Ada Lovelace",
        "Alan Turing",
        "Emmy Noether",
        "Grace Hopper",
    ]


@pytest.mark.parametrize(
    ("lacks", "names"), [("no teacher", set()), ("no students", set()), ("no term", {"Room 12"})]
)
def test_sections_are_listed_by_what_they_lack(
    town: tuple[Hub, Hub], desk: httpx.Client, lacks: str, names: set[str]
) -> None:
    hub, _ = town
    found = desk.get(f"{at(hub, 'sections.json')}?only={lacks.replace(' ', '+')}").json()["sections"]
    assert {one["name"] for one in found} == names


def test_wrong_filters_and_ids_are_said(town: tuple[Hub, Hub], desk: httpx.Client) -> None:
    hub, _ = town
    wrong = desk.get(at(hub, "sections?only=pupils"))
    assert (wrong.status_code, "expected one of no teacher" in wrong.text) == (400, True)
    for path in ("schools/0", "sections/" + "f" * 24):
        assert desk.get(at(hub, path)).status_code == 404


def test_nothing_of_another_district_is_found(town: tuple[Hub, Hub], desk: httpx.Client) -> None:
    hub, other = town
    ids = [f"schools/{one.id}" for one in places_browsing.schools(other.database, other.district.id)]
    ids += [f"sections/{one.id}" for one in places_browsing.sections(other.database, other.district.id)[0]]
    slug = districts.slug(other.district)
    for path in ids:
        assert desk.get(at(hub, path)).status_code == 404
        assert desk.get(f"/console/d/{slug}/{path}").status_code == 404
    for path in ("schools", "sections", f"sections?text={STRANGER}", "schools.csv"):
        assert f">{STRANGER}" not in desk.get(at(hub, path)).text
    assert STRANGER not in desk.get(at(hub, "sections.csv")).text
    assert desk.get(f"/console/d/{slug}/charts").status_code == 404


def test_sections_come_page_by_page(town: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    hub, _ = town
    monkeypatch.setattr("rollbook.store.records.school_lists.PAGE", 1)
    after, names = "", []
    for _ in range(10):
        found, after = places_browsing.sections(hub.database, hub.district.id, after=after)
        names += [one.name for one in found]
        if not after:
            break
    assert sorted(names) == ["Algebra - Lovelace - 2", "Poetry - Hopper", "Room 12"]


# Charts --------------------------------------------------------------------------------------------


def test_charts_answer_their_questions_and_hold_their_numbers(
    town: tuple[Hub, Hub], desk: httpx.Client
) -> None:
    hub, _ = town
    assert desk.get(at(hub, "charts")).status_code == 403
    with signed_in(hub, "district", hub.district.number) as client:
        page = client.get(at(hub, "charts")).text
        told = {each["question"]: each for each in client.get(at(hub, "charts.json")).json()["numbers"]}
        table = client.get(at(hub, "charts.csv")).text
    night = told["Did last night look like other nights?"]
    counts = district_figures.nights(hub.database, hub.district)[-1][1]
    assert night["rows"][0][1:] == [
        counts["updated"],
        counts["created"],
        counts["deleted"],
        sum(counts.values()),
    ]
    assert told["Where do the students go to school?"]["rows"][0][1:] == ["9 to 12", 2]
    assert told["Do applications read without errors?"]["answer"] == "No application reads this district yet."
    assert told["Which grades are the students in?"]["rows"] == [["5", 1], ["11", 2]]
    assert told["Which grades are the students in?"]["answer"] == "Most in grade 11: 2 of 3, 67 %."
    assert told["When do people sign in, and how?"]["rows"] == []
    assert page.count('role="img"') == 3
    assert page.count("<figcaption>") == 6
    assert "style=" not in page
    assert "North High" in table


def test_requests_of_the_last_day_are_counted_by_application_and_hour(
    town: tuple[Hub, Hub], tmp_path: Path
) -> None:
    hub, other = town
    hub.connect(name="Busy reader")
    hub.connect(name="Silent reader")
    settings = replace(
        hub.settings,
        database=str(tmp_path / "logged.db") if hub.database.is_local else hub.settings.database,
    )
    client = applications.find(hub.database, "Busy reader").client_id
    now = request_log.now_ms()

    def kept(hours: float, status: int, district: Hub = hub, of: str = client) -> list[Any]:
        at = int(now - hours * district_figures.HOUR_MS)
        whose = (of, "district", "secure_sync", "", district.district.id)
        return [at, 1, "GET", "/v3.0/users", "", status, 10, "", *whose, {}, {}]

    with closing(RequestLog(hub.database, settings)) as log:
        log.write([kept(30, 200), kept(2.5, 404), kept(2.5, 200)], 0)
        log.write([kept(0, 200, other), kept(0, 200, of="another"), kept(0, 200)], 0)
    busy, silent = district_figures.reads(hub.database, settings, hub.district)
    assert (busy.application, sum(busy.requests), busy.requests[-3], busy.requests[-1]) == (
        "Busy reader",
        3,
        2,
        1,
    )
    assert (sum(busy.errors), busy.errors[-3], busy.last) == (1, 1, now)
    assert (silent.application, sum(silent.requests), silent.last) == ("Silent reader", 0, None)
    for name in ("Busy reader", "Silent reader"):
        connecting.disconnect(hub.database, name, hub.district.name)


def test_a_night_is_compared_with_others() -> None:
    usual = [
        (f"2026-11-{day:02}T06:00:00.000Z", {"updated": 20 + day, "created": 1, "deleted": 0})
        for day in range(1, 20)
    ]
    like, unlike = ({"updated": 30, "created": 0, "deleted": 0}, {"updated": 900, "created": 0, "deleted": 0})
    when = "2026-11-20T06:00:00.000Z"
    assert chart_pages.changes([*usual, (when, like)]).answer.startswith(
        "Yes: 30 records changed; usually it is 2"
    )
    assert chart_pages.changes([*usual, (when, unlike)]).answer.startswith(
        "No: 900 records changed; usually it is"
    )
    assert chart_pages.changes([]).answer == "No run has changed the roster since the first one."


def test_durations_say_whether_syncs_take_longer() -> None:
    jobs = [(1_796_000_000_000 + night * 86_400_000, 5.0) for night in range(9)]
    assert chart_pages.durations([*jobs, (1_797_000_000_000, 5.5)]).answer.startswith(
        "No: the last one took 5.5 s"
    )
    assert chart_pages.durations([*jobs, (1_797_000_000_000, 50.0)]).answer.startswith(
        "Yes: the last one took 50.0 s"
    )


def test_sign_ins_say_when_and_how_most_came() -> None:
    ways = {"password": [0] * 22 + [3, 40], "badge": [0] * 24, "service": [0] * 23 + [2]}
    told = chart_pages.sign_ins(ways, 1_796_000_000.0)
    assert told.answer == "45 in 24 hours, most from 00:00 UTC on (42): 43 by password, 2 by another service."
    assert told.rows == (("23:00", 3, 0, 0, 3), ("00:00", 40, 0, 2, 42))


def test_grades_say_how_many_students_have_none() -> None:
    told = chart_pages.by_grade({"Kindergarten": 5, "1": 4, "": 1})
    assert told.answer == "Most in Kindergarten: 5 of 10, 50 %. 1 have no grade."
    assert chart_pages.by_grade({}).answer == "No run has counted grades yet."


def line(number: int, last_files: str | None, state: str = "running") -> Line:
    return Line(number, "", f"District {number}", "", state, "", last_files, 0, 0, 9, 0, 1)


def test_the_last_runs_of_all_districts_are_drawn_by_hour() -> None:
    lines = [line(number, f"2026-11-30T0{number}:10:00.000Z") for number in range(5)]
    lines += [line(6, "2026-11-30T04:50:00.000Z", "held"), line(7, "2026-10-01T00:00:00.000Z"), line(8, None)]
    told = chart_pages.last_runs(lines)
    assert told
    assert told.answer == "6 of 8 districts in 24 hours, most from 04:00 UTC on (2). 1 were held or failed."
    assert told.rows[-1] == ("04:00", 1, 1, 2)
    assert chart_pages.last_runs(lines[:3]) is None
    assert chart_pages.last_runs([]) is None


def test_a_name_becomes_no_markup_of_a_drawing() -> None:
    assert "<script>" not in charts.by_name("schools", [("<script>x</script>", 3)])
