"""Two districts that live the same nights: one makes only what changed, the other always makes everything.

A night is some edits of the SIS, and an act of the office; a seed draws them. The twins get the same files, moments and
ids. After each night all tables of records, events, runs and snapshots are compared.
"""

from __future__ import annotations

import copy
import csv
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from rollbook import settings as setting_rows
from rollbook import sync
from rollbook.contract.clever.view_spec import SENSITIVE_FIELDS
from rollbook.domain import shares
from rollbook.domain.guard import GUARDED, Threshold
from rollbook.domain.reading_rules import Rules
from rollbook.errors import RollbookError
from rollbook.roster.views import roster_changes
from rollbook.roster.views.id_pairs import Pair
from rollbook.roster.views.view_candidates import IN_ROSTER
from rollbook.settings import key_path
from rollbook.store.accounts import applications, connections, credentials
from rollbook.store.accounts.applications import Application, NewApplication
from rollbook.store.district import districts, thresholds
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import Sealer
from rollbook.store.engine.migrations import migrate
from rollbook.store.records import event_feed
from rollbook.sync import How, stages
from tests.journeys.sis import EDITS, beginning, export, keep_somebody
from tests.journeys.test_history_model import DAY, ELL, Broken, Fragile

NAME = "Ash District"
START = 2_500_000_000
SPECS = (
    Spec(ELL, sensitive=tuple(SENSITIVE_FIELDS)),
    Spec(withheld=("student.dob", "contact.phone")),
    Spec(share=shares.parse({"schools": ["ash"]})),
    Spec(ELL, shares.parse({"schools": ["birch"]}), sensitive=tuple(SENSITIVE_FIELDS)),
)
EDITED = (*SPECS, Spec(share=shares.parse({"schools": ["ash", "birch"]}), keeps_ids=True), Spec())
# What a run leaves, without the marks and times that no two runs share.
KEPT = {
    "records": "*",
    "versions": "*",
    "events": "*",
    "credentials": "*",
    "changed_records": "*",
    "problem_rows": "*",
    "search_texts": "*",
    "search_behind": "*",
    "sis_aliases": "*",
    "syncs": "district, sync, cause, state, report, last_event, is_short",
    "views": "number, district, spec, freezes, frozen, is_whole",
    "districts": "id, name, state, error, snapshot, head",
}
Numbers = tuple[int, int, int, int]


class Twin:
    """A district on its own database. `is_whole`: its syncs make every record anew."""

    def __init__(self, database: Database, folder: Path, *, is_whole: bool) -> None:
        migrate(database)
        self.database, self.is_whole, self.engine = database, is_whole, duckdb.connect()
        self.settings = setting_rows.read({}, database="unused", key_file=str(folder / "key"))
        with database.write() as transaction:
            for fact in (("id_seed", "twins"), ("id_second", str(START))):
                transaction.run("INSERT INTO facts (name, value) VALUES (?, ?)", fact)
        self.first = districts.create(database, NAME)
        for kind in GUARDED:
            thresholds.write(database, self.first, kind, Threshold(updated=1, deleted=0))
        self.applications = [self._connect(number, spec) for number, spec in enumerate(SPECS)]

    def _connect(self, number: int, spec: Spec) -> Application:
        view = sync.view_of(self.database, self.first, spec, self.settings)
        application, _ = applications.create(
            self.database, NewApplication(f"Reader {number}", scopes=spec.scopes)
        )
        connections.connect(self.database, Sealer(key_path(self.settings)), application, self.first, view)
        event_feed.switch(self.database, application.number, on=True)
        return application

    def kept(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of all tables, and those inside the files of the last snapshot."""
        with self.database.read() as transaction:
            found = {
                table: sorted(transaction.rows(f"SELECT {columns} FROM {table}"), key=repr)
                for table, columns in KEPT.items()
            }
            last = "SELECT name, data FROM snapshots WHERE sync = (SELECT max(sync) FROM snapshots)"
            files = transaction.rows(last)
        return found | {f"file {name}": self._rows(bytes(data)) for name, data in files}

    def _rows(self, data: bytes) -> list[tuple[Any, ...]]:
        if not data.startswith(b"PAR1"):
            return [(data,)]
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            Path(file.name).write_bytes(data)
            return self.engine.execute("FROM read_parquet(?) ORDER BY ALL", [file.name]).fetchall()


class Twins:
    """Both districts, and the SIS from which both get their files."""

    def __init__(self, databases: list[Database], folder: Path) -> None:
        self.twins = [
            Twin(database, folder, is_whole=bool(place)) for place, database in enumerate(databases)
        ]
        self.folder, self.moment = folder, float(START)
        self.sis, self.rules, self.spoilt = beginning(), 0, 0
        # How many views the first twin made by candidates alone, and how often it put in changed sign-ins alone.
        self.followed = self.put_in = 0

    def act(self, step: Callable[[Twin], object]) -> None:
        """Let both take a step, which ends in the same way, and compare what it leaves."""
        ended = []
        for twin in self.twins:
            with self._made_by(twin):
                try:
                    ended.append(str(step(twin)))
                except (RollbookError, Broken) as error:
                    ended.append(f"{type(error).__name__} {error}")
        assert ended[0] == ended[1]
        one, other = (twin.kept() for twin in self.twins)
        assert one.keys() == other.keys()
        for table, rows in one.items():
            assert rows == other[table], table

    @contextmanager
    def _made_by(self, twin: Twin) -> Iterator[None]:
        real = stages._chosen

        def chosen(engine: duckdb.DuckDBPyConnection, before: Any) -> dict[int, str]:
            found = {} if twin.is_whole else real(engine, before)
            self.followed += IN_ROSTER in found.values()
            return found

        change = credentials.change

        def put_in(*given: Any) -> bool:
            is_done = not twin.is_whole and change(*given)
            self.put_in += is_done
            return is_done

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stages, "_chosen", chosen)
            patch.setattr(credentials, "change", put_in)
            patch.setattr(stages, "SIGN_INS_MIN", 0)
            # The district is so small that most nights touch much of it.
            patch.setattr(roster_changes, "SHARE_MAX", 1.0)
            yield

    # What the office does

    def edit(self, edits: list[Numbers]) -> None:
        for which, *numbers in edits:
            EDITS[which % len(EDITS)](self.sis, (numbers[0], numbers[1], numbers[2]))
        keep_somebody(self.sis)

    def run(self, database: Callable[[Twin], Database] | None = None, **how: Any) -> None:
        self.moment += DAY
        files = export(copy.deepcopy(self.sis), self.folder / "files")
        if self.spoilt:
            spoil(files, Random(self.spoilt))
        rules = Rules(sis_section_names=self.rules % 2 > 0, courses_by_number=self.rules % 3 > 1)
        given = How(moment=self.moment, **how)

        def step(twin: Twin) -> str:
            to = database(twin) if database else twin.database
            return sync.run(to, twin.first, files, twin.settings, rules=rules, how=given).state

        self.act(step)

    def sync(self, number: int) -> None:
        self.run(is_approved=True, name=NAME, is_again=number % 2 > 0)

    def by_other_rules(self, number: int) -> None:
        self.rules = number
        self.sync(number)

    def contact_alone(self, number: int) -> None:
        """The row of a contact changes, and no row of those who are linked with them."""
        name = sorted(self.sis.students)[number % len(self.sis.students)]
        contact = self.sis.contacts.setdefault("k1", {"last": "Guardian", "students": {name: "Parent"}})
        self.sync(number)
        contact["last"] = {"Guardian": "Keeper", "Keeper": "Guardian"}[contact["last"]]
        self.sync(number)

    def spoilt_files(self, number: int) -> None:
        """Any cell may change alone, also to one that a check reports; rows repeat, go, and change places."""
        for self.spoilt in (number + 1, number + 2):
            self.sync(number)
        self.spoilt = 0

    def hold(self, number: int) -> None:
        self.run()
        if number % 3:
            self.approve()
        else:
            self.act(lambda twin: sync.discard(twin.database, twin.first))

    def approve(self, *pairs: Pair) -> None:
        how = How(moment=self.moment + DAY / 2, pairs=pairs)
        self.act(
            lambda twin: sync.approve(twin.database, twin.first, twin.settings, name=NAME, how=how).state
        )

    def new_ids(self, number: int) -> None:
        """A record comes back under another SIS id, and keeps its own."""
        old = sorted(self.sis.students)[number % len(self.sis.students)]
        new = f"n{old}"
        self.sis.students[new] = self.sis.students.pop(old)
        for row in (*self.sis.sections.values(), *self.sis.contacts.values()):
            if old in row["students"]:
                if isinstance(row["students"], dict):
                    row["students"][new] = row["students"].pop(old)
                else:
                    row["students"] ^= {old, new}
        self.run()
        self.approve(Pair("students", old, new))

    def undo(self, number: int) -> None:
        how = How(is_approved=True, name=NAME, moment=self.moment + DAY / 3)
        self.act(lambda twin: sync.undo(twin.database, twin.first, twin.settings, how).state)

    def share(self, number: int) -> None:
        spec, place, freezes = EDITED[number % len(EDITED)], number // 7 % len(SPECS), number % 5 == 0
        how = How(moment=self.moment + DAY / 4, is_approved=number % 2 > 0)

        def step(twin: Twin) -> str:
            application = twin.applications[place]
            return sync.share(
                twin.database, twin.first, application, spec, twin.settings, how, freezes=freezes
            ).state

        self.act(step)

    def crash(self, number: int) -> None:
        """Fail anywhere, for both at the same step; then the same files go in."""
        before = self.followed
        self.run(lambda twin: Fragile(twin.database, number % 60), is_approved=True, name=NAME)
        assert self.followed >= before
        self.sync(number)

    def by_another_program(self, number: int) -> None:
        """The snapshot was made by another program, or by an old one that left no mark."""

        def step(twin: Twin) -> None:
            sql = ("DELETE FROM snapshots", "UPDATE snapshots SET data = CAST('[]' AS %s)")[number % 2]
            type_ = "BLOB" if twin.database.is_local else "BYTEA"
            with twin.database.write() as transaction:
                transaction.run(f"{sql.replace('%s', type_)} WHERE name = 'program'")

        self.act(step)
        self.sync(number)


def spoil(folder: Path, random: Random) -> None:
    """Change cells and rows of the files, whatever they mean."""
    for path in sorted(folder.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        for _ in range(random.randrange(3) if rows else 0):
            row, other = random.choice(rows), random.choice(rows)
            column = random.randrange(len(header))
            row[column] = random.choice((other[column], "", "N/A", "x9", "1.23E+11", "zoë@x.org"))
        if rows and random.randrange(3) == 0:
            rows.append(list(random.choice(rows)))
        if len(rows) > 3 and random.randrange(3) == 0:
            rows.remove(random.choice(rows))
        if random.randrange(3) == 0:
            random.shuffle(rows)
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])


Act = Callable[[Twins, int], None]
ACTS: tuple[Act, ...] = (
    Twins.sync,
    Twins.by_other_rules,
    Twins.spoilt_files,
    Twins.contact_alone,
    Twins.hold,
    Twins.hold,
    Twins.new_ids,
    Twins.undo,
    Twins.share,
    Twins.crash,
    Twins.by_another_program,
)
Night = tuple[Act, int, list[Numbers]]


def nights(acts: Iterable[Act], seed: int) -> list[Night]:
    """Each act once, in random order, after a few random edits."""
    random = Random(seed)
    drawn = random.sample([*acts], len([*acts]))

    def numbers() -> Numbers:
        return (
            random.randrange(1000),
            random.randrange(1000),
            random.randrange(1000),
            random.randrange(1000),
        )

    return [
        (act, random.randrange(1000), [numbers() for _ in range(random.randrange(1, 6))]) for act in drawn
    ]


def live(databases: list[Database], folder: Path, lived: list[Night]) -> None:
    twins = Twins(databases, folder)
    twins.sync(0)
    for act, number, edits in lived:
        twins.edit(edits)
        act(twins, number)
    twins.edit([(2, 1, 1, 1)])
    twins.sync(1)
    # The first twin took the short way each time it could.
    assert twins.followed >= len(lived) / 2
    assert twins.put_in
