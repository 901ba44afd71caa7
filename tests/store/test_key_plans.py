"""The statements of a real sync and of real reads find the rows of large tables by their keys, as SQLite plans them.

A plan shows by which columns a table is searched: the first one is the view or the district.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rollbook.store.engine.database import Values
from rollbook.store.engine.sqlite import SQLiteTransaction
from rollbook.store.records import commits, event_feed, record_search
from tests.house.test_keys import LARGE
from tests.journeys.hub import Client, Hub
from tests.journeys.test_broken_sync import CHANGED, with_events

_NAMED = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO) ({'|'.join(LARGE)})\b(?: (?:AS )?(\w+))?")
_STEP = re.compile(r"(SCAN|SEARCH) (\w+)(?: USING [\w ]*?(?:INDEX \w+|PRIMARY KEY|KEY) \((\w+))?")

# One line of a plan: the table, the column by which it is searched first (blank: all rows), and the statement.
Line = tuple[str, str, str]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> set[Line]:
    """The lines on large tables in the plans of all statements from now on."""
    found: set[Line] = set()
    for method in ("rows", "row", "texts", "run"):
        monkeypatch.setattr(SQLiteTransaction, method, _planned(getattr(SQLiteTransaction, method), found))
    return found


def _planned(plain: Callable[..., Any], found: set[Line]) -> Callable[..., Any]:
    def ask(self: Any, sql: str, values: Values = ()) -> Any:
        if sql.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            found.update(_lines(self.raw, sql, tuple(values)))
        return plain(self, sql, values)

    return ask


def _lines(raw: Any, sql: str, values: tuple[Any, ...]) -> Iterator[Line]:
    tables = {alias: table for table, alias in _NAMED.findall(sql)} | {table: table for table in LARGE}
    for *_, detail in raw.execute(f"EXPLAIN QUERY PLAN {sql}", values):
        step = _STEP.match(detail)
        if step and step[2] in tables:
            yield tables[step[2]], step[3] or "", sql


def test_a_sync_and_every_read_search_large_tables_by_their_keys(small_hub: Hub, lines: set[Line]) -> None:
    with_events(small_hub)
    reader = small_hub.client(small_hub.connect(), page_cache_bytes=0)
    with small_hub.database.read() as transaction:
        [(newest,)] = transaction.rows("SELECT max(number) FROM applications")
    event_feed.switch(small_hub.database, newest, on=True)
    begun = [
        reader.get(f"/v3.0/users?limit=1{more}") for more in ("", "&role=student", "&ending_before=last")
    ]
    small_hub.sync(CHANGED)
    for page in begun:
        _follow(reader, page.json()["links"])
    reader.everything()
    _follow(reader, reader.read("/v3.0/events?limit=2")["links"])
    reader.read("/v3.0/events?ending_before=last&limit=2")
    reader.read(f"/v3.0/events?since_snapshot={begun[0].headers['x-rollbook-snapshot']}")
    with small_hub.database.read() as transaction:
        assert record_search.search(transaction, small_hub.district.number, "users", "vaughan", 9)
        commits.label(transaction, 1, "users", "0" * 24)
    assert {table for table, *_ in lines} >= LARGE.keys() - {"sis_aliases"}
    # The search's index of words gives numbers of rows.
    wrong = [line for line in lines if line[1] != LARGE[line[0]] and line[:2] != ("search_texts", "rowid")]
    assert wrong == []


def _follow(reader: Client, links: list[dict[str, str]]) -> None:
    """Read the pages after one, or before it."""
    while uri := {link["rel"]: link["uri"] for link in links}.get("next"):
        links = reader.read(uri)["links"]
