"""Unusable files and held files: applications learn neither their content nor how much would change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

import pytest

from rollbook import sync
from rollbook.contract.clever.columns import COLUMNS, FILES
from rollbook.contract.clever.endpoints import ENDPOINTS
from rollbook.domain import upload_notices
from rollbook.errors import SourceRejected
from rollbook.store.accounts import logins
from rollbook.store.accounts.logins import Grant
from rollbook.store.records import commits
from rollbook.store.records.own_record import change_record
from rollbook.sync import How, standing
from tests import world
from tests.sharing.desk import KINDS, CopyDesk, Desk, Reader, of_a_clone, of_files

MARK = "qzx"
NAMES = {file.name for file in FILES} | {column.header for column in COLUMNS}


def marked() -> dict[str, str]:
    """The world with a mark in every cell and a password for every person; the roster has none of these
    words."""
    files = {}
    for name, text in world.FILES.items():
        header, *rows = text.splitlines()
        is_people = name in ("students.csv", "teachers.csv", "staff.csv")
        cells = [",".join(f"{MARK}{cell}" if cell else "" for cell in row.split(",")) for row in rows]
        more = [
            f",{MARK}user{number},{MARK}secret{number}" if is_people else "" for number in range(len(rows))
        ]
        lines = [
            f"{header}{',Username,Password' if is_people else ''}",
            *map("".join, zip(cells, more, strict=True)),
        ]
        files[name] = "\n".join(lines) + "\n"
    return files


def _rows(change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    return lambda text: "\n".join(change(text.splitlines())) + "\n"


BROKEN: Mapping[str, Callable[[str], str]] = {
    "no header": _rows(lambda rows: rows[1:]),
    "a header that is a person": _rows(
        lambda rows: [rows[1].replace(f"{MARK}S-1", "State_id").replace(f"{MARK}N", "Grade", 1)]
    ),
    "an open quote": _rows(lambda rows: [rows[0], f'"{rows[1]}', *rows[2:]]),
    "an open quote in the header": _rows(lambda rows: [f'{rows[0]},"ext', *rows[1:]]),
    "a quoted header that swallows rows": _rows(
        lambda rows: [f'{rows[0]},"ext', *rows[1:-1], f'{rows[-1]}"']
    ),
    "stray quotes": _rows(lambda rows: [rows[0], f'"{MARK}"a""b"c,{rows[1]}', *rows[2:]]),
    "a comma too many": _rows(lambda rows: [rows[0], f"{rows[1]},{MARK}", *rows[2:]]),
    "an unknown column": _rows(lambda rows: [f"{rows[0]},{MARK}", *(f"{row},{MARK}" for row in rows[1:])]),
    "a bad column": _rows(
        lambda rows: [f"{rows[0]},ext.{MARK}.{MARK}", *(f"{row},{MARK}" for row in rows[1:])]
    ),
    "a column twice": _rows(lambda rows: [f"{rows[0]},school id", *(f"{row},{MARK}" for row in rows[1:])]),
    "a long cell": lambda text: text + f'"{MARK * 100_000}"\n',
    "a NUL": lambda text: text + f"{MARK}\0\n",
    "nothing": lambda _: "",
    "a header alone": _rows(lambda rows: rows[:1]),
}


def everything_read(desk: Desk, readers: list[Reader], user_token: str) -> str:
    """All that the tokens read: lists, records, events, the difference since the beginning, and a person's
    own record."""
    lists = (
        "/me",
        "/v3.0/me",
        *(f"/v3.0/{kind}" for kind in KINDS),
        "/v3.0/events",
        "/v3.0/events?since_snapshot=1",
    )
    of_district = [row.path for row in ENDPOINTS if row.source == "districts" and "{id}" in row.path]
    told = []
    for reader in (*readers, Reader(desk, readers[0].application, user_token)):
        answers = [reader.ask(uri) for uri in lists]
        found = [json.loads(answer.body).get("data", []) for answer in answers if answer.status == 200]
        uris = [
            element["uri"] for data in found if isinstance(data, list) for element in data if "uri" in element
        ]
        uris += [f"/v3.0{path}".replace("{id}", desk.district.id) for path in of_district]
        told += [answer.body.decode() for answer in (*answers, *map(reader.ask, uris))]
    return "\n".join(told)


def user_token(desk: Desk, reader: Reader) -> str:
    """A student's own token."""
    pupil = reader.pull("/v3.0/users?role=student")[0]["id"]
    with desk.database.write() as transaction:
        grant = Grant(
            reader.application.number, desk.now.number, pupil, "student", "district", "", logins.now()
        )
        return logins.mint(transaction, grant, seconds=3600, by="operator")


def readers_of(desk: Desk) -> tuple[list[Reader], str]:
    whole, blind = desk.connect("Whole"), desk.connect("Blind", ("read:schools",))
    whole.listen()
    blind.listen()
    blind.share({"rules": []})
    return [whole, blind], user_token(desk, whole)


def error_of(reader: Reader) -> str:
    error: str = reader.pull("/v3.0/districts")[0]["error"]
    return error


@of_files
@pytest.mark.parametrize("how", BROKEN)
def test_a_failed_sync_tells_applications_no_cell_and_no_count(desk: Desk, how: str) -> None:
    readers, pupil = readers_of(desk)
    for file in ("schools.csv", "students.csv"):
        files = marked()
        with pytest.raises(SourceRejected):
            desk.sync({**files, file: BROKEN[how](files[file])})
        told = error_of(readers[1])
        assert told.startswith(f"The last upload could not be used: {file}: ")
        named = set(re.findall(r"[A-Za-z0-9_.]*[_.0-9][A-Za-z0-9_.]*[A-Za-z0-9]", told))
        assert named <= NAMES, "a name that the contract does not know, or a number"
        assert error_of(readers[0]) == told
    assert MARK not in everything_read(desk, readers, pupil)
    desk.sync()
    assert error_of(readers[1]) == ""
    assert MARK not in everything_read(desk, readers, pupil)
    told_in_events = [
        event["data"]["object"].get("error")
        for event in readers[1].feed()
        if event["type"] == "districts.updated"
    ]
    assert told_in_events[-2].startswith("The last upload could not be used: students.csv: ")


@of_files
def test_a_failed_sync_tells_no_name_of_a_folder_or_of_an_unknown_file(desk: Desk) -> None:
    readers, _ = readers_of(desk)
    for path in (desk.folder / f"{MARK}-away", world.write(desk.folder / MARK, {f"{MARK}.csv": "x\n"})):
        with pytest.raises(SourceRejected):
            desk.sync(path)
        assert MARK not in everything_read(desk, readers, user_token(desk, readers[0]))
    assert error_of(readers[0]) == "The last upload could not be used: schools.csv: required file missing."


@of_files
def test_a_held_sync_tells_applications_no_cell_no_kind_and_no_count(desk: Desk) -> None:
    readers, pupil = readers_of(desk)
    held = sync.run(
        desk.database, desk.now, world.write(desk.folder / "held", marked()), desk.settings, how=How()
    )
    assert held.state == "held"
    assert [error_of(reader) for reader in readers] == [upload_notices.HELD] * 2
    assert not re.search(r"\d|student|school|teacher|contact", upload_notices.HELD)
    assert MARK not in everything_read(desk, readers, pupil)
    sync.discard(desk.database, desk.now)
    assert [error_of(reader) for reader in readers] == [""] * 2
    assert MARK not in everything_read(desk, readers, pupil)


@of_files
def test_the_operator_still_reads_why(desk: Desk) -> None:
    files = marked()
    with pytest.raises(SourceRejected) as caught:
        desk.sync({**files, "enrollments.csv": BROKEN["an unknown column"](files["enrollments.csv"])})
    (trouble,) = standing.troubles(standing.of(desk.database, desk.now))
    assert trouble == f"sync 2 failed: {caught.value}"
    assert MARK in str(caught.value)
    assert MARK in commits.runs(desk.database, desk.now, ("failed",))[0].report["message"]


@of_a_clone
def test_a_copy_does_not_pass_on_an_error_in_its_sources_own_words(desk: CopyDesk) -> None:
    readers, pupil = readers_of(desk)
    origin = desk.origin
    change_record(
        origin.database,
        origin.now,
        "files",
        {"state": "pending", "error": f"students.csv row 1: found {MARK}"},
    )
    desk.clone()
    assert [error_of(reader) for reader in readers] == [upload_notices.SOURCE_TROUBLE] * 2
    assert MARK not in everything_read(desk, readers, pupil)
