"""Runs in the console: a held one is judged record by record, approved, discarded, undone; and by whom."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import closing

import httpx
import pytest

from rollbook.demo.serving import Demo
from rollbook.errors import Conflict, SourceRejected
from rollbook.operations import run_decisions
from rollbook.store.accounts import audit
from rollbook.store.district import districts
from rollbook.store.records import commits, run_changes
from rollbook.store.records.run_changes import Filter
from rollbook.sync import How
from rollbook.web.app import App
from tests import world
from tests.journeys.hub import Hub
from tests.journeys.prepared import on_each_database
from tests.sso import Direct
from tests.web.test_console import HOME, form_of
from tests.world import FILES

CUT = {
    **FILES,
    "students.csv": "".join(
        line for line in FILES["students.csv"].splitlines(keepends=True) if "Turing" not in line
    ),
}
HELD = 2


def sync(hub: Hub, files: Mapping[str, str]) -> int:
    """A sync as it comes at night; returns its number."""
    done = run_decisions.sync_files(
        hub.database, hub.settings, hub.district.id, world.write(hub.folder / "night", files), How()
    )
    assert done.number
    return done.number


def with_a_held_run(hub: Hub) -> None:
    """A student is missing from the files of the second run, so that it waits."""
    hub.connect(name="Reader")
    hub.sync(FILES)
    assert sync(hub, CUT) == HELD


hub = on_each_database(with_a_held_run)


@pytest.fixture
def held(hub: Hub) -> int:
    """The run that waits."""
    return HELD


@pytest.fixture
def visitor(hub: Hub) -> Iterator[httpx.Client]:
    app = App(
        hub.database,
        hub.settings,
        limits=hub.folder / "demo.limits",
        extend=Demo("TEST_TOKEN", "", hub.district.name).extend,
    )
    with closing(app), httpx.Client(transport=Direct(app, "127.0.0.1"), base_url=HOME) as client:
        yield client


def place(hub: Hub, run: int) -> str:
    return f"/console/d/{districts.slug(hub.district)}/runs/{run}"


def test_a_held_run_lists_every_record_with_name_school_and_grade(
    visitor: httpx.Client, hub: Hub, held: int
) -> None:
    page = visitor.get(place(hub, held))
    assert page.status_code == 200
    assert f"Run {held} is held" in page.text
    assert "1 of 3 students (33 %) would be deleted" in page.text
    told = visitor.get(f"{place(hub, held)}.json").json()
    assert "1 of 3 students (33 %) would be deleted; the limit is 10 %" in told["run"]["reasons"]
    assert told["run"]["why"] == "; ".join(told["run"]["reasons"])
    [gone] = told["records"]
    assert (gone["verb"], gone["kind"], gone["name"]) == ("deleted", "students", "Alan Turing")
    assert (gone["school_name"], gone["grade"], gone["sis_id"]) == ("North High", "10", "alan")
    rows = list(
        csv.DictReader(io.StringIO(visitor.get(f"{place(hub, held)}.csv?what=students deleted").text))
    )
    assert [row["name"] for row in rows] == ["Alan Turing"]
    assert told["run"]["counts"]["deleted"] >= 1


def test_records_are_filtered(visitor: httpx.Client, hub: Hub, held: int) -> None:
    def names(**query: str) -> list[str]:
        shown = visitor.get(f"{place(hub, held)}.json", params={"what": "students deleted", **query}).json()
        return [row["name"] for row in shown["records"]]

    assert names(q="TURING") == names(grade="10") == names(q="alan") == ["Alan Turing"]
    assert names(grade="11") == names(q="%") == names(school="none") == []


def test_a_guess_says_that_a_school_is_missing_a_file_cut_off_or_ids_changed(
    visitor: httpx.Client, hub: Hub, held: int
) -> None:
    def guess(run: int) -> str:
        first, *_ = visitor.get(f"{place(hub, run)}.json").json()["guesses"]
        return str(first)

    assert (
        guess(held)
        == "One school may be missing: 1 of the 1 students who would be deleted are at North High."
    )
    lines = FILES["students.csv"].splitlines(keepends=True)
    assert guess(sync(hub, {**FILES, "students.csv": "".join(lines[:2])})) == (
        "students.csv may be cut off: it has 1 of the 3 students of the run before, and nobody new."
    )
    renamed = {
        **FILES,
        "students.csv": FILES["students.csv"].replace("emmy,", "e-1,").replace("alan,", "a-1,"),
    }
    renamed["enrollments.csv"] = FILES["enrollments.csv"].replace("emmy", "e-1").replace("alan", "a-1")
    assert guess(sync(hub, renamed)).startswith(
        "Their ids may have changed: 2 of the 2 students who would be deleted come back"
    )


def test_a_run_is_approved_once_and_undone(visitor: httpx.Client, hub: Hub, held: int) -> None:
    form = form_of(visitor.get(place(hub, held)).text)
    done = visitor.post(place(hub, held), data={"form": form, "act": "approve"})
    assert done.status_code == 303
    result = visitor.get(done.headers["location"]).text
    assert f"Run {held} was approved: 0 created" in result
    # Two people approve at once: the second one learns what happened.
    second = visitor.post(place(hub, held), data={"form": form, "act": "approve"})
    assert second.status_code == 409
    assert f"Run {held} does not wait any more: it was approved" in second.text
    last = districts.find(hub.database, hub.district.id).snapshot
    unsure = visitor.post(place(hub, last), data={"form": form, "act": "undo"})
    assert unsure.status_code == 400
    assert "Nothing was undone" in unsure.text
    undone = visitor.post(place(hub, last), data={"form": form, "act": "undo", "sure": "yes"})
    assert undone.status_code == 303
    assert f"Run {last} was undone: 2 created" in visitor.get(undone.headers["location"]).text
    with hub.database.read() as transaction:
        told = [(row.action, row.detail.get("by")) for row in audit.latest(transaction, 2)]
    assert told[0] == ("sync undone", "Visitor of the demo")


def test_a_run_that_was_replaced_is_not_approved(visitor: httpx.Client, hub: Hub, held: int) -> None:
    form = form_of(visitor.get(place(hub, held)).text)
    other = sync(hub, {**CUT, "staff.csv": CUT["staff.csv"].replace("Head", "Chair")})
    refused = visitor.post(place(hub, held), data={"form": form, "act": "approve"})
    assert refused.status_code == 409
    assert f"run {other} is held now" in refused.text
    with pytest.raises(Conflict, match="does not wait any more: it was replaced"):
        run_decisions.discard(hub.database, hub.district.id, held)
    assert commits.held(hub.database, hub.district).number == other
    discarded = visitor.post(place(hub, other), data={"form": form, "act": "discard"})
    assert discarded.status_code == 303


def test_deleting_nearly_everything_asks_for_the_name(visitor: httpx.Client, hub: Hub) -> None:
    header = FILES["students.csv"].splitlines(keepends=True)[0]
    nobody = "X" + FILES["students.csv"].splitlines(keepends=True)[1][1:].replace("emmy", "eve")
    nobody = nobody.replace("X,", "N,", 1)
    run = sync(
        hub,
        {
            **FILES,
            "students.csv": header + nobody,
            "enrollments.csv": "School_id,Section_id,Student_id\nN,algebra,eve\n",
        },
    )
    page = visitor.get(place(hub, run)).text
    assert "type the district&#39;s name" in page or "type the district's name" in page
    form = form_of(page)
    refused = visitor.post(place(hub, run), data={"form": form, "act": "approve", "name": "Wrong"})
    assert refused.status_code == 400
    assert "repeat the district" in refused.text
    done = visitor.post(place(hub, run), data={"form": form, "act": "approve", "name": hub.district.name})
    assert done.status_code == 303


def test_problems_say_what_to_do_and_applications_what_they_would_lose(
    visitor: httpx.Client, hub: Hub, held: int
) -> None:
    told = visitor.get(f"{place(hub, held)}/problems.json").json()
    assert told["groups"]
    assert all(group["what_to_do"] for group in told["groups"])
    rows = list(csv.DictReader(io.StringIO(visitor.get(f"{place(hub, held)}/problems.csv").text)))
    assert {row["code"] for row in rows} == {group["code"] for group in told["groups"]}
    assert len(rows) == sum(group["count"] for group in told["groups"])
    readers = visitor.get(f"{place(hub, held)}/applications.json").json()["readers"]
    assert [(each["name"], each["deleted"]) for each in readers] == [
        ("Reader", 2)
    ]  # a student, and the section that is then empty
    assert visitor.get(f"{place(hub, held)}/applications").status_code == 200


def test_problems_are_listed_row_by_row_with_the_row(visitor: httpx.Client, hub: Hub, held: int) -> None:
    problems = f"{place(hub, held)}/problems"

    def rows(**query: str) -> list[tuple[str, int]]:
        told = visitor.get(f"{problems}.json", params=query).json()
        assert told["found"] == len(told["rows"])
        return [(row["file"], row["row"]) for row in told["rows"]]

    first, *_ = visitor.get(f"{problems}.json").json()["rows"]
    assert (first["title"], first["what_to_do"]) != ("", "")
    every = rows(what="all")
    assert set(rows()) < set(every)
    assert rows(what="all", q="99999") == rows(what="no-such-code students.csv") == []
    file, number = next((file, number) for file, number in every if number)
    assert (file, number) in rows(what="all", q=str(number))
    cells = next(
        row["cells"] for row in visitor.get(f"{problems}.json?what=all").json()["rows"] if row["row"]
    )
    assert all(cell in visitor.get(f"{problems}?what=all").text for cell in cells)
    told = next(iter(cells.values()))
    assert rows(what="all", q=told.upper())
    assert "No problem fits these filters" in visitor.get(f"{problems}?q=nobody%25").text
    listed = list(csv.DictReader(io.StringIO(visitor.get(f"{problems}.csv?what=all&q={number}").text)))
    assert f"{next(iter(cells))}: {told}" in [row["the row"].split("; ")[0] for row in listed]


def test_a_run_without_kept_rows_shows_the_examples_of_its_report(
    visitor: httpx.Client, hub: Hub, held: int
) -> None:
    with hub.database.write() as transaction:
        transaction.run("UPDATE problem_rows SET code = 'of-another-version' WHERE place = 1")
    [strange] = visitor.get(f"{place(hub, held)}/problems.json?what=of-another-version").json()["rows"]
    assert (strange["title"], strange["what_to_do"]) == ("of-another-version", "")
    with hub.database.write() as transaction:
        transaction.run("DELETE FROM problem_rows")
    told = visitor.get(f"{place(hub, held)}/problems.json?what=all").json()
    assert told["rows"]
    assert all(row["cells"] == {} for row in told["rows"])
    number = next(row["row"] for row in told["rows"] if row["row"])
    found = visitor.get(f"{place(hub, held)}/problems.json?what=all&q={number}").json()["rows"]
    assert {row["row"] for row in found} == {number}
    assert visitor.get(f"{place(hub, held)}/problems.csv").text.count("\n") == len(told["rows"]) + 1


def test_files_that_cannot_be_used_list_each_stop(visitor: httpx.Client, hub: Hub) -> None:
    with pytest.raises(SourceRejected):
        sync(hub, {**FILES, "schools.csv": "", "teachers.csv": ""})
    told = visitor.get(f"{place(hub, HELD + 1)}/problems.json?what=all").json()
    assert {row["file"] for row in told["rows"]} >= {"schools.csv", "teachers.csv"}
    assert all(row["severity"] == "stop" and row["what_to_do"] for row in told["rows"])


def test_runs_are_listed_and_an_unknown_one_is_said(visitor: httpx.Client, hub: Hub, held: int) -> None:
    runs = f"/console/d/{districts.slug(hub.district)}/runs"
    told = visitor.get(f"{runs}.json").json()["runs"]
    assert [(run["number"], run["state"]) for run in told] == [(held, "held"), (1, "committed")]
    assert [row["run"] for row in csv.DictReader(io.StringIO(visitor.get(f"{runs}.csv").text))] == ["2", "1"]
    assert visitor.get(f"{runs}/99").status_code == 404
    assert visitor.get(f"{runs}/x").status_code == 400


def test_a_committed_run_keeps_its_changes_and_forgets_them_with_its_time(synced_hub: Hub) -> None:
    hub = synced_hub
    hub.sync(CUT)
    district = districts.find(hub.database, hub.district.id)
    with hub.database.read() as transaction:
        rows = list(run_changes.each(transaction, district.number, 2, Filter("deleted", "students")))
    assert [row.name for row in rows] == ["Alan Turing"]
    hub.sync(FILES, days_on=hub.settings.history_days + 1)
    hub.sync(CUT, days_on=2 * hub.settings.history_days + 3)
    with hub.database.read() as transaction:
        assert run_changes.groups(transaction, district.number, 2) == []
        assert run_changes.groups(transaction, district.number, 4) != []
