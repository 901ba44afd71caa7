"""People and sections that come back under other SIS ids, as after a new SIS: find the pairs, read a file of them,
and apply the held run so that they keep their ids."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rollbook.errors import BadSetting
from rollbook.operations import run_decisions
from rollbook.roster.problems_csv import plain
from rollbook.roster.views import id_pairs
from rollbook.roster.views.id_pairs import SOURCES, Pair
from rollbook.settings import Settings
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.records import commits
from rollbook.sync import How, Sync
from rollbook.sync.workplace import engine_in, workplace

HEADS = ("source", "old", "new", "strength", "why", "name")
BYTES_MAX = 64 * 1024 * 1024
PAIRS_MAX = 1_000_000


def find(database: Database, settings: Settings, district: str) -> list[Pair]:
    """The pairs between the last committed run of a district (name or id) and the held one, by source and
    strength.

    Errors: Unknown if no run is held, as always in a copied district: its ids come from the other server.
    """
    owner = districts.find(database, district)
    held = commits.held(database, owner)
    names = tuple(f"roster_{source}" for source in SOURCES)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        before = commits.snapshot(database, owner, folder, names)
        after = commits.snapshot(database, owner, folder, names, held.number)
        return id_pairs.find(engine, before.files, after.files) if before.files else []


def keep(
    database: Database,
    settings: Settings,
    district: str,
    pairs: Sequence[Pair],
    *,
    name: str | None = None,
    run: int | None = None,
    how: How | None = None,
) -> Sync:
    """Apply the held run of a district (name or id) with pairs: those records keep their ids and change only
    their SIS ids.

    Errors: BadSetting for a pair that does not fit the two runs; those of `run_decisions.approve`.
    """
    with_pairs = replace(how or How(), pairs=tuple(pairs))
    return run_decisions.approve(database, settings, district, name=name, how=with_pairs, run=run)


def read(path: Path) -> list[Pair]:
    """The pairs of a CSV file with the columns source, old and new; other columns are ignored.

    Errors: BadSetting that names the row.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BadSetting(f"keep-ids: {path} has more than {BYTES_MAX:,} bytes")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"keep-ids: {path} cannot be read: {error}") from None
    return [*_pairs(path, csv.reader(io.StringIO(text)))]


def _pairs(path: Path, rows: Iterator[list[str]]) -> Iterator[Pair]:
    heads = [head.strip().lower() for head in next(rows, [])]
    missing = [head for head in HEADS[:3] if head not in heads]
    if missing:
        raise BadSetting(f"keep-ids: {path} lacks the column {missing[0]}; expected source, old and new")
    places = [heads.index(head) for head in HEADS[:3]]
    for number, row in enumerate(rows, start=2):
        if not any(cell.strip() for cell in row):
            continue
        if number > PAIRS_MAX:
            raise BadSetting(f"keep-ids: {path} has more than {PAIRS_MAX:,} rows")
        cells = [row[place].strip().removeprefix("'") if place < len(row) else "" for place in places]
        if cells[0] not in SOURCES or not all(cells):
            raise BadSetting(
                f"keep-ids: {path} row {number}: expected one of {', '.join(SOURCES)}, an old and a new SIS id;"
                f" got {', '.join(cells)[:200]!r}"
            )
        yield Pair(*cells)


def rows(pairs: Sequence[Pair]) -> Iterator[tuple[str, ...]]:
    """The pairs as rows of the CSV file that `read` reads, the heads first."""
    yield HEADS
    for pair in pairs:
        yield tuple(plain(getattr(pair, head)) for head in HEADS)
