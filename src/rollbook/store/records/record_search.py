"""Search a district's people, schools and sections by the beginnings of words. Each small commit updates the index.

A large commit leaves the index behind. `catch_up` updates it at the next search, or within a minute by the server.

The search sees the whole district: only operators may use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from rollbook.domain import search_words
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.search_tables import COLUMNS, KINDS, place_of, texts

# The index follows a commit of so many records at once; a larger one would make the sync wait for it.
AT_ONCE_MAX = 5_000
BATCH_ROWS = 5_000


def search(transaction: Transaction, district: int, kind: str, text: str, limit: int) -> list[str]:
    """The ids of records of a kind for which each word of the text begins one of the record's words."""
    typed = search_words.words([text])
    if not typed:
        return []
    place = place_of(district, kind)
    if transaction.engine == "sqlite":
        wanted = " AND ".join((f'"{place}"', *(f'"{word}"*' for word in typed)))
        found = transaction.rows(
            "SELECT t.id FROM search_index i JOIN search_texts t ON t.number = i.rowid"
            " WHERE search_index MATCH ? AND t.district = ? AND t.kind = ? LIMIT ?",
            (wanted, district, kind, limit),
        )
    else:
        wanted = " & ".join((f"'{place}'", *(f"'{word}':*" for word in typed)))
        found = transaction.rows(
            "SELECT id FROM search_texts WHERE array_to_tsvector(string_to_array(words, ' ')) @@ CAST(? AS tsquery)"
            " AND district = ? AND kind = ? LIMIT ?",
            (wanted, district, kind, limit),
        )
    return [id_ for (id_,) in found]


def records(transaction: Transaction, view: int, kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The records of a kind with these ids in a view (by number), in the order of the ids."""
    if not ids:
        return []
    marks = ", ".join("?" for _ in ids)
    found = transaction.rows(
        f"SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = ? AND id IN ({marks})",
        (view, kind, *ids),
    )
    bodies: dict[str, str] = dict(found)
    return [orjson.loads(bodies[id_]) for id_ in dict.fromkeys(ids) if id_ in bodies]


def note(transaction: Transaction, district: int, view: int, run: int, *, is_first: bool) -> None:
    """Let the index follow a run that is being committed: at once, or later if it changed much.

    `view` is the district's whole view, whose changes stand in `incoming`; those of a first run are records.
    """
    table = "records" if is_first else "incoming"
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    is_much = transaction.row(
        f"SELECT 1 FROM {table} WHERE view = ? AND form = 0 AND kind IN ({kinds}) LIMIT 1 OFFSET ?",
        (view, AT_ONCE_MAX),
    )
    if is_much:
        transaction.run(
            "INSERT INTO search_behind (district, run) VALUES (?, ?)"
            " ON CONFLICT (district) DO UPDATE SET run = excluded.run",
            (district, run),
        )
        return
    for kind in KINDS:
        transaction.run(
            "DELETE FROM search_texts WHERE district = ? AND kind = ? AND id IN"
            f" (SELECT id FROM {table} WHERE view = ? AND form = 0 AND kind = ?)",
            (district, kind, view, kind),
        )
        rows = transaction.rows(
            f"SELECT id, body FROM {table} WHERE view = ? AND form = 0 AND kind = ? AND body IS NOT NULL",
            (view, kind),
        )
        transaction.insert("search_texts", COLUMNS, texts(district, kind, rows))


def catch_up(database: Database, district: int | None = None) -> None:
    """Index the districts that are behind, or one (by number), in short transactions."""
    which, values = ("", ()) if district is None else (" WHERE district = ?", (district,))
    with database.read() as transaction:
        behind = transaction.rows(f"SELECT district, run FROM search_behind{which}", values)
    for number, run in behind:
        for kind in KINDS:
            after: str | None = ""
            while after is not None:
                with database.write(is_durable=False) as transaction:
                    after = _next_batch(transaction, number, kind, after)
        with database.write() as transaction:
            # A run that changed much meanwhile has set another number.
            transaction.run("DELETE FROM search_behind WHERE district = ? AND run = ?", (number, run))


def _next_batch(transaction: Transaction, district: int, kind: str, after: str) -> str | None:
    """Index the records of a kind after an id; returns the last id, None at the end."""
    rows = transaction.rows(
        "SELECT r.id, r.body FROM records r JOIN views v ON v.number = r.view WHERE v.district = ? AND v.is_whole = 1"
        " AND r.form = 0 AND r.kind = ? AND r.id > ? ORDER BY r.id LIMIT ?",
        (district, kind, after, BATCH_ROWS),
    )
    last = rows[-1][0] if len(rows) == BATCH_ROWS else None
    until, values = (" AND id <= ?", (last,)) if last else ("", ())
    transaction.run(
        f"DELETE FROM search_texts WHERE district = ? AND kind = ? AND id > ?{until}",
        (district, kind, after, *values),
    )
    transaction.insert("search_texts", COLUMNS, texts(district, kind, rows))
    return last
