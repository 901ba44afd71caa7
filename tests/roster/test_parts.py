"""Parts: for which ids `within` is true, and that any number of parts gives the result of one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from rollbook import sync
from rollbook.domain import shares
from rollbook.roster import parts
from rollbook.roster.intake.csv import raw_tables
from rollbook.roster.views import diff
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import NewApplication
from rollbook.store.district import districts
from rollbook.store.engine.database import Row, open_database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import event_feed
from rollbook.sync import How
from tests.journeys import town
from tests.journeys.hub import Hub

FIRST_NIGHT = 1_800_000_000
MEMORY = 512_000_000
KEPT = ("records", "versions", "events", "credentials")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(raw_tables.connect(tmp_path, "64MB")) as opened:
        opened.execute(
            "CREATE TEMP TABLE pairs AS SELECT printf('%03d', i // 3) AS id, i AS number FROM range(300) t(i)"
        )
        yield opened


def taken(engine: duckdb.DuckDBPyConnection, table: str = "pairs") -> list[list[int]]:
    """The numbers for which each part is true."""
    found = []
    for _ in parts.each(engine, table, "id"):
        rows = engine.execute(f"SELECT number FROM {table} WHERE within(id) ORDER BY number").fetchall()
        found.append([number for (number,) in rows])
    return found


@pytest.mark.parametrize("rows", [1, 2, 50, 99, 299, 300, 1000])
def test_each_row_is_in_one_part(
    rows: int, engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROW_BYTES", parts.memory_bytes(engine) // rows)
    found = taken(engine)
    assert sorted(number for part in found for number in part) == list(range(300))
    # Rows of one id stay together, so a part may be a little larger than requested.
    assert len(found) <= -(-300 // rows)
    assert max(map(len, found)) <= max(3, 1.5 * rows)


def test_what_needs_little_memory_is_one_part(engine: duckdb.DuckDBPyConnection) -> None:
    assert taken(engine) == [list(range(300))]
    assert parts.ranges(engine, "pairs", "id", parts.memory_bytes(engine) // 300) == [parts.ALL]


def test_an_empty_table_is_one_part(engine: duckdb.DuckDBPyConnection) -> None:
    assert taken(engine, "(FROM pairs WHERE false)") == [[]]


def test_rows_that_name_nobody_make_no_part(engine: duckdb.DuckDBPyConnection) -> None:
    engine.execute("UPDATE pairs SET id = NULL WHERE number < 200")
    assert None not in {low for low, _ in parts.ranges(engine, "pairs", "id", 10**6)}


def test_after_a_part_that_failed_every_id_is_within_again(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "ROW_BYTES", parts.memory_bytes(engine) // 50)
    with contextlib.suppress(ZeroDivisionError):
        for _ in parts.each(engine, "pairs", "id"):
            raise ZeroDivisionError
    assert engine.execute("SELECT count(*) FROM pairs WHERE within(id)").fetchall() == [(300,)]


def test_many_parts_give_the_same_records_and_changes_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    town.write(first)
    town.write(second)
    _change(second)
    wanted = _kept(tmp_path / "one", (first, second))
    for name in (parts, "ROW_BYTES"), (diff, "RECORD_BYTES"):
        monkeypatch.setattr(*name, MEMORY // 60)
    assert _kept(tmp_path / "many", (first, second)) == wanted
    assert all(wanted.values())


def _change(folder: Path) -> None:
    """Rename a student, drop a section's enrollments and a teacher's email, and add a student."""
    students = (folder / "students.csv").read_text(encoding="utf-8")
    renamed = town.read(folder / "students.csv")[5]["Last_name"]
    (folder / "students.csv").write_text(
        students.replace(f",{renamed},", f",{renamed}-Moore,"), encoding="utf-8"
    )
    enrollments = (folder / "enrollments.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "enrollments.csv").write_text("".join(enrollments[:1] + enrollments[12:]), encoding="utf-8")
    school = town.read(folder / "schools.csv")[0]["School_id"]
    town.append(
        folder / "students.csv", School_id=school, Student_id="new", First_name="Nia", Last_name="New"
    )


def _kept(folder: Path, nights: tuple[Path, ...]) -> dict[str, list[Row]]:
    """All that syncs of these files leave in a new database, for a reader of everything and a reader of a
    part."""
    folder.mkdir()
    school = town.read(nights[0] / "schools.csv")[0]["School_id"]
    address = str(folder / "rollbook.db")
    with closing(open_database(address)) as database:
        migrate(database)
        districts.fix_ids(database, "parts", FIRST_NIGHT)
        with closing(Hub(database, address, folder)) as hub:
            hub.settings = replace(hub.settings, key_file=str(folder.parent / "key"))
            for name, share in (("Everything", None), ("One school", {"schools": [school]})):
                application, _ = applications.create(database, NewApplication(name))
                view = sync.view_of(
                    database,
                    hub.district,
                    replace(application.asks, share=shares.parse(share)),
                    hub.settings,
                )
                connections.connect(database, Sealer(key_path(hub.settings)), application, hub.district, view)
                event_feed.switch(database, application.number, on=True)
            for night, files in enumerate(nights):
                how = How(
                    is_approved=True,
                    name=hub.district.name,
                    moment=FIRST_NIGHT + (night + 1) * sync.DAY_SECONDS,
                )
                sync.run(database, hub.district, files, hub.settings, how=how)
        with database.read() as transaction:
            return {table: sorted(transaction.rows(f"SELECT * FROM {table}"), key=repr) for table in KEPT}
