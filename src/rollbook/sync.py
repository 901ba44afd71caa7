"""One sync: a district's files in, a snapshot committed, a report out.

Seven stages, of which only the last one writes. Leaves files and rules to `roster`, the transaction to `store.history`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from rollbook.roster import checks, diff, files, identity, normalize, snapshot
from rollbook.roster.problems import Problem, Problems
from rollbook.roster.rules import Rules
from rollbook.settings import Settings
from rollbook.store import districts, history, views
from rollbook.store.database import Database
from rollbook.store.districts import District, timestamp
from rollbook.store.history import Snapshot
from rollbook.store.views import Spec, View

DAY_SECONDS = 86_400

# Files of the last snapshot that a sync compares with; the others serve to make a view anew.
COMPARED = ("identity", "digests")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Counts:
    """What a sync does to one kind: how many records there were, and how many appear, change, vanish or are left out."""

    existing: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Sync:
    """What one run did. `problems` holds the first ones, one by one; `problem_counts` counts all of them by code."""

    district: District
    number: int
    state: str
    created: str
    kinds: dict[str, Counts]
    problem_counts: dict[str, int]
    problems: tuple[Problem, ...]

    def as_json(self) -> dict[str, object]:
        return {
            "district": self.district.id,
            "sync": self.number,
            "state": self.state,
            "created": self.created,
            "kinds": {kind: asdict(counts) for kind, counts in self.kinds.items()},
            "problem_counts": self.problem_counts,
            "problems": [
                {"code": problem.code, "severity": problem.severity, **asdict(problem), "message": str(problem)}
                for problem in self.problems
            ],
        }


def run(
    database: Database,
    district: District,
    source: Path,
    settings: Settings,
    *,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> Sync:
    """Bring one district's roster up to date with its files.

    Errors: SourceRejected when the files cannot be synced at all, Busy when another sync was faster; nothing is written then.
    """
    rules, tell = rules or Rules(), progress or _say_nothing
    with tempfile.TemporaryDirectory(prefix="rollbook-sync-", dir=settings.temporary or None) as name:
        folder = Path(name)
        tell("reading the files")
        with closing(
            files.open_all(source, memory_limit=settings.sync_memory, temporary=folder, lenient=rules.lenient_headers)
        ) as tables:
            tell("checking the rows")
            problems = checks.check(tables, rules)
            tell("normalising the values")
            normalize.roster(tables, rules)
            snapshot.forget_files(tables.connection)
            tell("comparing with the last snapshot")
            before = history.last_snapshot(database, district, folder, COMPARED)
            now = _compare(tables.connection, database, district, before, settings)
            tell("writing the changes")
            return _commit(tables.connection, database, district, before, now, problems, settings, folder)


def _say_nothing(_: str) -> None:
    """Progress when nobody watches."""


def _compare(engine: DuckDBPyConnection, database: Database, district: District, before: Snapshot, settings: Settings) -> float:
    """Give ids, make records, and compare: leaves `identity`, `digests` and `changes` in the engine; returns the moment."""
    now = districts.moment_after(before.created)
    with database.write() as connection:
        ids = districts.reserve_ids(connection)
    identity.load(engine, before.files.get("identity"))
    forget_before = timestamp(now - settings.identity_days * DAY_SECONDS)
    identity.assign(engine, prefix=ids.prefix, now=timestamp(now), forget_before=forget_before)
    diff.load(engine, before.files.get("digests"))
    snapshot.begin(engine)
    for view in before.views:
        snapshot.build(engine, view.number, district.id, view.spec.scopes)
    diff.between(engine, timestamp(now))
    return now


def _commit(
    engine: DuckDBPyConnection,
    database: Database,
    district: District,
    before: Snapshot,
    now: float,
    problems: Problems,
    settings: Settings,
    folder: Path,
) -> Sync:
    kinds, problem_counts = _count(engine, before.views[0].number, problems), problems.by_code()
    number = history.commit(
        database,
        district,
        before,
        now=timestamp(now),
        changes=diff.rows(engine, timestamp(now)),
        files={name: _write_parquet(engine, name, folder / f"{name}.parquet") for name in (*COMPARED, *snapshot.tables())},
        report={"kinds": {kind: asdict(counts) for kind, counts in kinds.items()}, "problem_counts": problem_counts},
        keep_since=timestamp(now - settings.history_days * DAY_SECONDS),
    )
    return Sync(district, number, "committed", timestamp(now), kinds, problem_counts, tuple(problems))


def view_of(database: Database, district: District, spec: Spec, settings: Settings) -> View:
    """The district's view of that spec; a new one is made from the last snapshot, in one transaction."""
    with tempfile.TemporaryDirectory(prefix="rollbook-view-", dir=settings.temporary or None) as name, duckdb.connect() as engine:
        engine.execute(f"SET memory_limit = '{settings.sync_memory}'; SET temp_directory = '{name}'")
        last = history.last_snapshot(database, district, Path(name))
        with database.write() as connection:
            view, is_new = views.ensure(connection, district.number, spec)
            if is_new and last.sync:
                _restore(engine, last)
                digests = Path(name) / "digests.parquet"
                diff.load(engine, None)
                snapshot.begin(engine)
                snapshot.build(engine, view.number, district.id, spec.scopes)
                diff.between(engine, last.created or "")
                diff.keep_others(engine, last.files["digests"])
                _write_parquet(engine, "digests", digests)
                history.fill_view(connection, district, view, last, diff.rows(engine, last.created or ""), digests)
            elif is_new:
                districts.write_record(connection, district, view, 0, None)
    return view


def _restore(engine: DuckDBPyConnection, last: Snapshot) -> None:
    """Lay the last snapshot's tables out in the engine, as if they had just been normalised."""
    for table in snapshot.tables():
        engine.execute(f"CREATE TEMP TABLE {table} AS FROM read_parquet(?)", [str(last.files[table])])
    engine.execute("CREATE TEMP TABLE identity AS FROM read_parquet(?)", [str(last.files["identity"])])
    identity.group(engine)


def _count(engine: DuckDBPyConnection, view: int, problems: Problems) -> dict[str, Counts]:
    """Counts of each kind, users by their first role, in the order in which ids are given."""
    errors = problems.errors_by_kind()
    rows = engine.execute(diff.COUNTS, [view]).fetchall()
    found = {
        source: Counts(existing, created, updated, deleted, errors.get(source, 0))
        for source, existing, created, updated, deleted in rows
    }
    missing = {source: Counts(errors=errors[source]) for source in errors if errors[source] and source not in found}
    return {source: (found | missing)[source] for source in identity.SOURCES if source in found or source in missing}


def _write_parquet(engine: DuckDBPyConnection, name: str, path: Path) -> Path:
    engine.execute(f"COPY {name} TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
    return path
