"""The dates of records: which ones a record keeps when it stays, changes, enters another view or comes back."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import pytest

from rollbook.roster.views import diff, made_records

NOW = "2026-01-30T00:00:00.000Z"
VIEWS, IDS = (1, 2, 3), [f"{number:04x}" for number in range(12)]

# (view, id) -> the record, when it was created, and when it was last changed.
Known = dict[tuple[int, str], tuple[str, str, str]]


def _known(chance: random.Random) -> Known:
    known: Known = {}
    for view in VIEWS:
        for id_ in IDS:
            if chance.random() < 0.5:
                created, modified = sorted(f"2026-01-{chance.randint(1, 28):02}" for _ in range(2))
                known[view, id_] = (str(chance.randint(0, 2)), created, modified)
    return known


def _write(engine: duckdb.DuckDBPyConnection, known: Known, path: Path) -> Path:
    engine.execute(f"CREATE OR REPLACE TEMP TABLE written ({diff.DIGESTS})")
    for (view, id_), (core, *dates) in known.items():
        engine.execute(
            "INSERT INTO written VALUES (?, 'schools', ?, NULL, md5_number(?), ?, ?)",
            [view, id_, core, *dates],
        )
    engine.execute(f"COPY written TO '{path}' (FORMAT parquet)")
    return path


def _expected(view: int, id_: str, core: str, before: Known, home: Known) -> tuple[str, str]:
    """A record's own dates, else those of other views, else those of the older snapshot, else now."""
    if own := before.get((view, id_)):
        return own[1], own[2] if own[0] == core else NOW
    for known in (before, home):
        others = [known[other, id_] for other in VIEWS if (other, id_) in known]
        if others:
            return min(created for _, created, _ in others), max(modified for *_, modified in others)
    return NOW, NOW


@pytest.mark.parametrize("seed", range(6))
def test_a_record_keeps_its_dates_from_its_view_then_other_views_then_an_older_snapshot(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    before, home = _known(chance), _known(chance)
    after = {(view, id_): str(chance.randint(0, 2)) for view in VIEWS for id_ in IDS if chance.random() < 0.6}
    with duckdb.connect() as engine:
        diff.load(
            engine,
            _write(engine, before, tmp_path / "before.parquet"),
            _write(engine, home, tmp_path / "home.parquet"),
        )
        made_records.begin(engine)
        for (view, id_), core in after.items():
            made_records.add(engine, view, f"SELECT 'schools', '{id_}', NULL, '{core}'")
        diff.between(engine, VIEWS, NOW)
        found = engine.execute("SELECT view, id, created, modified FROM digests").fetchall()
    assert {(view, id_): (created, modified) for view, id_, created, modified in found} == {
        (view, id_): _expected(view, id_, core, before, home) for (view, id_), core in after.items()
    }
