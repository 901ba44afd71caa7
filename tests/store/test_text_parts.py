"""A text is found where it stands, also with letters beyond ASCII, wildcards and quotes, on both databases."""

from __future__ import annotations

import json

from rollbook.store.accounts import audit
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.records import problem_rows, roster_overview, run_changes
from rollbook.store.records.problem_rows import Wanted
from rollbook.store.records.run_changes import Filter

TEXTS = ("Özil", "ÉCOLE", "O'Neill", 'Ann "Nan" Lee', "50%_off!", "a\\b", "straße", "陳", "PLAIN")
# The same letters in another case.
ALSO = {"PLAIN": "plain", "O'Neill": "o'NEILL"}


def test_each_search_finds_the_one_row_that_has_the_text(database: Database) -> None:
    made = [districts.create(database, text) for text in TEXTS]
    with database.write() as transaction:
        for text in TEXTS:
            audit.record(transaction, "tried", by=text)
        run_changes_rows = [
            (made[0].number, 1, "created", "students", f"id{place}", "", text, "", "")
            for place, text in enumerate(TEXTS)
        ]
        transaction.insert("changed_records", run_changes.COLUMNS, run_changes_rows)
        cells = [json.dumps({"Name": text}, ensure_ascii=False) for text in TEXTS]
        rows = [(place, "code", "a.csv", 2, "", "", "", cell) for place, cell in enumerate(cells)]
        problem_rows.write(transaction, made[0].number, 1, rows)
        rows = [(place, "code", "a.csv", 2, "", text, "", "{}") for place, text in enumerate(TEXTS)]
        problem_rows.write(transaction, made[0].number, 2, rows)
    with database.read() as transaction:
        for text in TEXTS:
            for asked in (text, text[:-1] or text, ALSO.get(text, text)):
                own, *others = roster_overview.search(transaction, asked, 10)
                assert (own[0].name, others) == (text, [])
                [entry] = audit.latest(transaction, action="tried", by=asked)
                assert entry.detail["by"] == text
                found = run_changes.page(transaction, made[0].number, 1, Filter(text=asked), first=0, most=9)
                assert [row.name for row in found] == [text]
                for sync in (1, 2):
                    wanted = Wanted(text=asked)
                    [row] = problem_rows.page(transaction, made[0].number, sync, wanted, first=0, most=9)
                    assert text in (row.value, row.cells.get("Name"))
