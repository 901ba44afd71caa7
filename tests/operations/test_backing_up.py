"""Backups and copies of whole databases: of one moment, checked, refused before anything is touched; on both databases."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from rollbook import settings as setting_rows
from rollbook.errors import BadSetting, Conflict, MachineTrouble, Refused
from rollbook.operations import backing_up, job_control
from rollbook.settings import Settings, key_path
from rollbook.store.engine import backup_files, migrations, table_copies
from rollbook.store.engine.database import Database, Transaction, open_database
from rollbook.store.engine.keys import settle
from rollbook.store.engine.migrations import migrate
from rollbook.store.engine.table_copies import Contents, Table, contents, tables
from tests import world
from tests.conftest import _postgresql_database
from tests.journeys.hub import Hub
from tests.journeys.prepared import PreparedHubs

GRACE = ("students.csv", "Emmy", "Emilia")


def settled(hub: Hub) -> None:
    settle(hub.database, hub.settings)
    hub.sync(world.FILES)


def fill(hub: Hub) -> None:
    """Write rows into most tables."""
    settled(hub)
    hub.connect(name="Reader")
    hub.sync(world.changed(GRACE))
    job_control.queue_pruning(hub.database)


@pytest.fixture(params=["sqlite", "postgresql"])
def used(request: pytest.FixtureRequest, prepared_hubs: PreparedHubs, tmp_path: Path) -> Iterator[Hub]:
    """A database in which most tables have rows, on each database."""
    with prepared_hubs.copy(request.param, fill, tmp_path) as hub:
        yield hub


@pytest.fixture
def saved(used: Hub, tmp_path: Path) -> Path:
    return backing_up.backup(used.database, tmp_path / "backup.db").path


def held(database: Database) -> dict[str, Contents]:
    with database.read() as transaction:
        return contents(transaction, tables())


def first_names(hub: Hub, database: Database) -> list[str]:
    with database.read() as transaction:
        found = transaction.rows(
            "SELECT body FROM records WHERE kind = 'users' AND form = 0 AND view = 1 ORDER BY id"
        )
    return [str(body) for (body,) in found]


def another(hub: Hub, tmp_path: Path) -> Settings:
    """The settings of a new machine with the same key."""
    return replace(hub.settings, database=str(tmp_path / "new" / "rollbook.db"))


def test_a_backup_is_restored_as_it_was_and_goes_on(used: Hub, saved: Path) -> None:
    before, people = held(used.database), first_names(used, used.database)
    used.sync(world.FILES)
    address = used.settings.database
    used.database.close()
    with pytest.raises(Conflict, match=r"add --replace"):
        backing_up.restore(saved, used.settings)
    manifest = backing_up.restore(saved, used.settings, replaces=True)
    with closing(open_database(address)) as database:
        assert held(database) == before == manifest.tables
        assert first_names(used, database) == people
        again = Hub.__new__(Hub)
        again.__dict__.update({**used.__dict__, "database": database})
        assert again.sync(world.FILES).number == 3
        with database.write() as transaction:
            transaction.run(
                "INSERT INTO audit (created, action, user_id, address, detail) VALUES ('', '', '', '', '')"
            )
    assert not list(Path(saved.parent).glob("*.part*"))


def test_a_backup_of_either_database_is_restored_into_sqlite(used: Hub, saved: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    backing_up.restore(saved, another(used, tmp_path))
    with closing(open_database(str(tmp_path / "new" / "rollbook.db"))) as database:
        assert held(database) == held(used.database)


def test_a_restore_replaces_the_file_behind_a_link_and_keeps_the_link(
    used: Hub, saved: Path, tmp_path: Path
) -> None:
    link, behind = tmp_path / "new" / "rollbook.db", tmp_path / "disk" / "real.db"
    for folder in (link.parent, behind.parent):
        folder.mkdir()
    link.symlink_to(behind)
    for _ in range(2):  # the link leads to nothing at first
        backing_up.restore(saved, another(used, tmp_path), replaces=True)
        assert link.is_symlink()
        with closing(open_database(str(behind))) as database:
            assert held(database) == held(used.database)


def test_a_backup_is_of_one_moment_while_others_write(used: Hub, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            with used.database.write() as transaction:
                for name in ("one", "two"):
                    transaction.run("DELETE FROM facts WHERE name = ?", (name,))
                    transaction.insert("facts", "name, value", [(name, str(number))])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            path = backing_up.backup(used.database, tmp_path / f"{number}.db").path
            backup_files.check(path, backup_files.read(path), tables())
            with closing(apsw.Connection(str(path))) as raw:
                found = raw.execute("SELECT value FROM facts WHERE name IN ('one', 'two')").fetchall()
            assert len({value for (value,) in found}) <= 1
    finally:
        ended.set()
        writer.join()


# Refused before anything is touched ------------------------------------------------------------------------


@pytest.fixture
def small(prepared_hubs: PreparedHubs, tmp_path: Path) -> Iterator[Hub]:
    with prepared_hubs.copy("sqlite", settled, tmp_path) as hub:
        yield hub


@pytest.fixture
def small_saved(small: Hub, tmp_path: Path) -> Path:
    return backing_up.backup(small.database, tmp_path / "backup.db").path


def test_a_backup_of_another_version_is_refused(
    small: Hub, small_saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:-1])
    with pytest.raises(Refused, match=r"restore it with that version, and upgrade then"):
        backing_up.restore(small_saved, another(small, tmp_path))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("has_key", "told"), [(True, "is not the key that"), (False, "put the key of the backup")]
)
def test_a_backup_of_another_key_is_refused(
    small: Hub, small_saved: Path, tmp_path: Path, has_key: bool, told: str
) -> None:
    other = replace(another(small, tmp_path), key_file=str(tmp_path / "other.key"))
    if has_key:
        with closing(open_database(str(tmp_path / "other.db"))) as database:
            migrate(database)
            settle(database, replace(other, database=str(tmp_path / "other.db")))
    with pytest.raises(Refused, match=told):
        backing_up.restore(small_saved, other)
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "other.key").exists() == has_key


def test_a_damaged_backup_is_refused(small: Hub, small_saved: Path, tmp_path: Path) -> None:
    with closing(apsw.Connection(str(small_saved))) as raw:
        raw.execute("UPDATE records SET body = replace(body, 'Emmy', 'Anna')")
    with pytest.raises(Refused, match=r"damaged: records has other rows"):
        backing_up.restore(small_saved, another(small, tmp_path))
    whole = small_saved.read_bytes()
    small_saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises((Refused, BadSetting)):
        backing_up.restore(small_saved, another(small, tmp_path))
    for text in (b"", b"no database"):
        small_saved.write_bytes(text)
        with pytest.raises(BadSetting):
            backing_up.restore(small_saved, another(small, tmp_path))
    with pytest.raises(BadSetting, match="is not there; expected a backup"):
        backing_up.restore(tmp_path / "nowhere", another(small, tmp_path))
    assert not (tmp_path / "new").exists()


def test_a_backup_with_a_damaged_index_is_refused(small: Hub, small_saved: Path, tmp_path: Path) -> None:
    with closing(apsw.Connection(str(small_saved))) as raw:
        size = raw.pragma("page_size")
        [(page,)] = raw.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'records_by_role'")
    with small_saved.open("r+b") as file:
        file.seek(page * size - 8)  # the end of a page holds the first row that came
        last = file.read(8)
        file.seek(page * size - 8)
        file.write(bytes(byte ^ 1 for byte in last))
    with pytest.raises(Refused, match="is damaged; use another backup"):
        backing_up.restore(small_saved, another(small, tmp_path))
    assert not (tmp_path / "new").exists()


def test_a_database_in_use_is_not_replaced(small: Hub, small_saved: Path) -> None:
    before = held(small.database)
    with pytest.raises(Refused, match="is in use; stop the server and all workers first"):
        backing_up.restore(small_saved, small.settings, replaces=True)
    assert held(small.database) == before


def test_a_backup_that_fails_leaves_the_one_before(
    small: Hub, small_saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small_saved.read_bytes()

    def full(_: Transaction, __: Path) -> None:
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(backup_files, "_clone", full)
    with pytest.raises(MachineTrouble, match="what was there before stays"):
        backing_up.backup(small.database, small_saved)
    assert small_saved.read_bytes() == before
    assert not list(small_saved.parent.glob("*.part*"))


def test_a_backup_takes_the_place_of_a_backup_only(small: Hub, small_saved: Path) -> None:
    place = Path(small.settings.database)
    key = key_path(small.settings)
    before = place.stat().st_ino, key.read_bytes(), held(small.database)
    for path in (place, key):
        with pytest.raises(BadSetting, match="is there already and is no backup; choose another name"):
            backing_up.backup(small.database, path)
    assert (place.stat().st_ino, key.read_bytes(), held(small.database)) == before
    backing_up.backup(small.database, small_saved)


def test_a_database_that_was_copied_from_a_backup_by_hand_is_backed_up(
    small: Hub, small_saved: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copied.db"
    shutil.copyfile(small_saved, copied)
    with closing(open_database(str(copied))) as database:
        assert backing_up.backup(database, tmp_path / "again.db").manifest.rows
        with pytest.raises(BadSetting, match="is no backup; choose another name"):
            backing_up.backup(database, copied)


# Copies ----------------------------------------------------------------------------------------------------


@contextmanager
def empty(kind: str, folder: Path, server: str) -> Iterator[str]:
    if kind == "sqlite":
        yield str(folder / "copy.db")
        return
    with _postgresql_database(server) as address:
        yield address


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_is_copied_into_another_one_and_gives_new_numbers(
    used: Hub, kind: str, tmp_path: Path, postgresql_address: str
) -> None:
    with empty(kind, tmp_path, postgresql_address) as address:
        copied = backing_up.copy_database(used.settings.database, address)
        assert copied["records"] > 20
        with closing(open_database(address)) as database:
            assert held(database) == held(used.database)
            assert job_control.cancel(database, 1).state == "cancelled"
            assert job_control.queue_pruning(database) == 2
        with pytest.raises(Conflict, match="holds districts already"):
            backing_up.copy_database(used.settings.database, address)


def test_a_copy_that_differs_is_not_kept(small: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = table_copies.copy

    def lossy(source: Transaction, target: Transaction, every: list[Table]) -> dict[str, Contents]:
        found = plain(source, target, every)
        target.run("DELETE FROM records WHERE id = (SELECT max(id) FROM records)")
        return found

    monkeypatch.setattr(table_copies, "copy", lossy)
    with pytest.raises(Refused, match="nothing was copied: records has"):
        backing_up.copy_database(small.settings.database, str(tmp_path / "copy.db"))
    with closing(open_database(str(tmp_path / "copy.db"))) as database, database.read() as transaction:
        assert table_copies.is_empty(transaction)


def test_a_copy_needs_a_source_and_another_target(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="expected another database"):
        backing_up.copy_database("a.db", "a.db")
    with pytest.raises(BadSetting, match="is not there"):
        backing_up.copy_database(str(tmp_path / "a.db"), str(tmp_path / "b.db"))
    apsw.Connection(str(tmp_path / "a.db")).execute("CREATE TABLE facts (name TEXT, value TEXT)")
    with pytest.raises(BadSetting, match="holds nothing of Rollbook"):
        backing_up.copy_database(str(tmp_path / "a.db"), str(tmp_path / "b.db"))
    assert not (tmp_path / "b.db").exists()


def test_an_empty_schema_of_postgresql_is_no_source(tmp_path: Path, postgresql_address: str) -> None:
    with (
        _postgresql_database(postgresql_address) as address,
        pytest.raises(BadSetting, match="from: the database holds nothing of Rollbook"),
    ):
        backing_up.copy_database(address, str(tmp_path / "b.db"))
    assert not (tmp_path / "b.db").exists()


def test_a_database_of_an_earlier_version_is_not_copied(
    small_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ""))
    with pytest.raises(Refused, match="run `rollbook status` once to upgrade it"):
        backing_up.copy_database(str(tmp_path / "rollbook.db"), str(tmp_path / "copy.db"))


def test_a_database_of_a_later_version_is_neither_saved_nor_copied(
    small_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This version would leave out what it does not know."""
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:-1])
    with pytest.raises(Refused, match="make the backup with the version that upgraded it"):
        backing_up.backup(small_database, tmp_path / "backup.db")
    with pytest.raises(Refused, match="copy it with the version that upgraded it"):
        backing_up.copy_database(str(tmp_path / "rollbook.db"), str(tmp_path / "copy.db"))
    assert not [*tmp_path.glob("backup.db*"), *tmp_path.glob("copy.db*")]


def test_a_backup_of_a_database_without_secrets_needs_no_key(
    small_database: Database, tmp_path: Path
) -> None:
    saved = backing_up.backup(small_database, tmp_path / "backup.db").path
    settings = setting_rows.read({}, database=str(tmp_path / "new.db"), key_file=str(tmp_path / "none"))
    assert backing_up.restore(saved, settings).key_mark == ""
    assert not (tmp_path / "none").exists()


def test_a_copy_fills_a_database_that_holds_nothing_yet(small: Hub, tmp_path: Path) -> None:
    with closing(open_database(str(tmp_path / "copy.db"))) as database:
        migrate(database)
    assert backing_up.copy_database(small.settings.database, str(tmp_path / "copy.db"))["records"] > 20
