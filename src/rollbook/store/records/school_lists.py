"""A district's schools and sections, with the number of people in each, from the stored lists of ids.

The length of a stored list tells how many ids it has, so no list is read as ids to count them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from rollbook.store.engine.database import Transaction
from rollbook.store.records import record_search
from rollbook.store.records.people_lists import ID_CHARACTERS

PAGE = 50
BATCH_ROWS, READ_MAX = 500, 10_000
CANDIDATES_MAX = 2_000
# What a list of sections may be narrowed to: sections that lack something.
LACKS = {"no teacher": "teachers", "no students": "students", "no term": "term_id"}
_COUNTED = ("students", "teachers", "staff", "sections")


@dataclass(frozen=True, slots=True)
class WantedSections:
    """The filters of a list of sections; blank ones do not count. `school` is an id, `lacks` one of LACKS."""

    text: str = ""
    school: str = ""
    lacks: str = ""


def every_school(transaction: Transaction, view: int) -> list[dict[str, Any]]:
    """All schools of a view (by number)."""
    rows = transaction.rows(
        "SELECT body FROM records WHERE view = ? AND form = 0 AND kind = 'schools'", (view,)
    )
    return [orjson.loads(body) for (body,) in rows]


def counts(transaction: Transaction, view: int) -> dict[str, dict[str, int]]:
    """How many students, teachers, staff and sections each school has, by its id."""
    found: dict[str, dict[str, int]] = {}
    for name in _COUNTED:
        rows = transaction.rows(
            "SELECT id, length(body) FROM records WHERE view = ? AND form = 0 AND kind = ?",
            (view, f"schools.{name}"),
        )
        for id_, length in rows:
            found.setdefault(id_, {})[name] = int(length) // ID_CHARACTERS
    return found


def listed(transaction: Transaction, view: int, kind: str, owner: str) -> list[str]:
    """The ids of a stored list, such as `schools.sections` of a school."""
    found = transaction.row(
        "SELECT body FROM records WHERE view = ? AND form = 0 AND kind = ? AND id = ?", (view, kind, owner)
    )
    body = found[0] if found else ""
    return [body[first : first + ID_CHARACTERS] for first in range(0, len(body), ID_CHARACTERS)]


def sections(
    transaction: Transaction, district: int, view: int, wanted: WantedSections, after: str = ""
) -> tuple[list[dict[str, Any]], str]:
    """One page of sections after an id, in the order of their ids, and the id after which the next page begins."""
    found: list[dict[str, Any]] = []
    read = 0
    for batch in _batches(transaction, view, _candidates(transaction, district, view, wanted), after):
        for record in batch:
            if wanted.school in ("", record.get("school")) and (
                not wanted.lacks or not record.get(LACKS[wanted.lacks])
            ):
                found.append(record)
            if len(found) == PAGE:
                return found, record["id"]
        read += len(batch)
        if read >= READ_MAX:
            return found, batch[-1]["id"]
    return found, ""


def _candidates(
    transaction: Transaction, district: int, view: int, wanted: WantedSections
) -> list[str] | None:
    """The ids that a text or a school leaves; None for all."""
    if wanted.text:
        return sorted(record_search.search(transaction, district, "sections", wanted.text, CANDIDATES_MAX))
    return sorted(listed(transaction, view, "schools.sections", wanted.school)) if wanted.school else None


def _batches(
    transaction: Transaction, view: int, candidates: Sequence[str] | None, after: str
) -> Iterator[list[dict[str, Any]]]:
    if candidates is not None:
        left = [id_ for id_ in candidates if id_ > after]
        for first in range(0, len(left), BATCH_ROWS):
            if found := record_search.records(
                transaction, view, "sections", left[first : first + BATCH_ROWS]
            ):
                yield found
        return
    while True:
        rows = transaction.rows(
            "SELECT id, body FROM records WHERE view = ? AND form = 0 AND kind = 'sections' AND id > ? ORDER BY id LIMIT ?",
            (view, after, BATCH_ROWS),
        )
        if not rows:
            return
        yield [orjson.loads(body) for _, body in rows]
        after = rows[-1][0]
