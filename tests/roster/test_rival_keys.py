"""Two SIS keys that remember one id, after an undo of a run that kept ids: one of them gets it back."""

from __future__ import annotations

import duckdb
import pytest

from rollbook.roster.views import identities

LONG_AGO, FORGOTTEN, LATELY = "2025-01-01", "2025-06-01", "2025-12-01"


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ({"old": LATELY, "new": None}, ["new"]),
        ({"old": None, "new": LATELY}, ["old"]),
        ({"old": LATELY, "new": LATELY}, ["new"]),
        ({"old": LATELY, "new": LONG_AGO}, ["new", "old"]),
    ],
    ids=["the new one is there", "the old one is there", "none is there", "the other one is forgotten"],
)
def test_one_of_two_keys_keeps_an_id_that_both_remember(gone: dict[str, str | None], left: list[str]) -> None:
    with duckdb.connect() as engine:
        engine.execute(f"CREATE TABLE identity_before ({identities.COLUMNS})")
        engine.execute("CREATE TABLE seen (source VARCHAR, place INTEGER, key VARCHAR, row BIGINT)")
        for key, moment in gone.items():
            engine.execute(
                "INSERT INTO identity_before VALUES ('students', ?, 'id', NULL, ?, NULL)", [key, moment]
            )
            engine.execute("INSERT INTO seen VALUES ('students', 4, ?, 1)", [key])
        identities.forget_rivals(engine, FORGOTTEN)
        kept = engine.execute("SELECT key FROM identity_before ORDER BY key").fetchall()
    assert [key for (key,) in kept] == left
