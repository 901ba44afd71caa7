"""Lists of a district's people, page by page: by role, school, grade, recent change, or without a section.

A page reads a bounded number of records. So a page may be short; the next page begins where this one ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollbook.domain.kinds import masks_with
from rollbook.store.engine.database import Transaction
from rollbook.store.records import record_search

PAGE = 50
BATCH_ROWS = 500
# How many records one page reads at most.
READ_MAX = 10_000
# How many people a search or a week of changes offers to the other filters.
CANDIDATES_MAX = 2_000
ID_CHARACTERS = 24


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a list; blank ones do not count.

    `school` is an id. `since` is a run: only people who changed after it, or whose id is at least `newer`.
    """

    text: str = ""
    role: str = ""
    school: str = ""
    grade: str = ""
    since: int | None = None
    newer: str = ""
    in_no_section: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """People of one page, in the order of their ids; `after` begins the next page, blank at the end."""

    people: list[dict[str, Any]]
    after: str


def page(transaction: Transaction, district: int, view: int, wanted: Wanted, after: str = "") -> Listed:
    """The people after an id who meet all filters, in a district's whole view (both by number)."""
    candidates = _candidates(transaction, district, view, wanted)
    found: list[dict[str, Any]] = []
    read = 0
    for batch in _batches(transaction, view, wanted.role, candidates, after):
        fitting = [record for record in batch if _fits(record, wanted)]
        if wanted.in_no_section:
            placed = _with_sections(transaction, view, [record["id"] for record in fitting])
            fitting = [record for record in fitting if record["id"] not in placed]
        for record in fitting:
            found.append(record)
            if len(found) == PAGE:
                return Listed(found, record["id"])
        read += len(batch)
        if read >= READ_MAX:
            return Listed(found, batch[-1]["id"])
    return Listed(found, "")


def sections_of(transaction: Transaction, view: int, id_: str) -> list[dict[str, Any]]:
    """The sections of a person, as students and as teachers."""
    ids: list[str] = []
    for kind in ("students.sections", "teachers.sections"):
        ids += _list(transaction, view, kind, id_)
    return record_search.records(transaction, view, "sections", ids[:CANDIDATES_MAX])


def contacts_of(transaction: Transaction, view: int, id_: str) -> list[dict[str, Any]]:
    """The contacts of a student."""
    return record_search.records(
        transaction, view, "users", _list(transaction, view, "students.contacts", id_)
    )


def _candidates(transaction: Transaction, district: int, view: int, wanted: Wanted) -> list[str] | None:
    """The ids among which the filters look; None: all people."""
    found: set[str] | None = None
    if wanted.text:
        found = {*record_search.search(transaction, district, "users", wanted.text, CANDIDATES_MAX)}
    if wanted.school:
        theirs = {
            id_
            for kind in ("schools.students", "schools.teachers", "schools.staff")
            for id_ in _list(transaction, view, kind, wanted.school)
        }
        found = theirs if found is None else found & theirs
    if wanted.since is not None:
        changed = {*_changed(transaction, view, wanted.since, wanted.newer)}
        found = changed if found is None else found & changed
    return None if found is None else sorted(found)


def _changed(transaction: Transaction, view: int, since: int, newer: str) -> Iterator[str]:
    """People whose version ended after a run, and people with an id from `newer` on."""
    for sql, value in (
        (
            "SELECT DISTINCT id FROM versions WHERE view = ? AND form = 0 AND kind = 'users' AND until > ?",
            since,
        ),
        ("SELECT id FROM records WHERE view = ? AND form = 0 AND kind = 'users' AND id >= ?", newer),
    ):
        yield from (id_ for (id_,) in transaction.rows(f"{sql} LIMIT {CANDIDATES_MAX}", (view, value)))


def _batches(
    transaction: Transaction, view: int, role: str, candidates: Sequence[str] | None, after: str
) -> Iterator[list[dict[str, Any]]]:
    if candidates is not None:
        left = [id_ for id_ in candidates if id_ > after]
        for first in range(0, len(left), BATCH_ROWS):
            yield record_search.records(transaction, view, "users", left[first : first + BATCH_ROWS])
        return
    masks = masks_with(role) if role else ()
    among = f" AND roles IN ({', '.join(map(str, masks))})" if masks else ""
    while rows := transaction.rows(
        f"SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = 'users' AND id > ?{among} ORDER BY id LIMIT ?",
        (view, after, BATCH_ROWS),
    ):
        yield [orjson.loads(body) for _, body in rows]
        after = rows[-1][0]


def _fits(record: dict[str, Any], wanted: Wanted) -> bool:
    roles = record["roles"]
    if wanted.role and wanted.role not in roles:
        return False
    if wanted.in_no_section and "student" not in roles:
        return False
    return not wanted.grade or roles.get("student", {}).get("grade") == wanted.grade


def _with_sections(transaction: Transaction, view: int, ids: Sequence[str]) -> set[str]:
    if not ids:
        return set()
    marks = ", ".join("?" for _ in ids)
    found = transaction.rows(
        f"SELECT id FROM records WHERE view = ? AND form = 0 AND kind = 'students.sections' AND id IN ({marks})",
        (view, *ids),
    )
    return {id_ for (id_,) in found}


def _list(transaction: Transaction, view: int, kind: str, owner: str) -> list[str]:
    """The ids of a stored list."""
    found = transaction.row(
        "SELECT body FROM records WHERE view = ? AND form = 0 AND kind = ? AND id = ?", (view, kind, owner)
    )
    body = found[0] if found else ""
    return [body[first : first + ID_CHARACTERS] for first in range(0, len(body), ID_CHARACTERS)]
