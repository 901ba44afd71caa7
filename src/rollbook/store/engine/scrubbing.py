"""Remove texts that earlier versions stored and should not have. A step of `migrations`, and never edited,
either.

Before this step, the error in a district's own record quoted cells of its files and counted its people, and
every application could read it. Reports of runs quoted cells of files that hold passwords.
"""

from __future__ import annotations

import json
from typing import Any, Final

import orjson

from rollbook.store.engine.database import Transaction

NO_FILES: Final = "No files have been synced yet."
HELD_BEGINS: Final = "Held for approval"
HELD: Final = "Held for approval: the last upload would change unusually much."
UNUSABLE: Final = "The last upload could not be used."
REMOVED: Final = "what stood here was removed"
PEOPLE: Final = ("students.csv", "teachers.csv", "staff.csv", "admins.csv", "administrators.csv")
# Problems that quote text before its column is known, and problems whose column is quoted text itself.
RAW: Final = ("no-header", "cell-too-long", "open-quote", "stray-quote", "inner-quotes")
HEADERS: Final = ("unknown-header", "ignored-header", "duplicate-header", "bad-header")


def errors(transaction: Transaction) -> None:
    """Replace each error text of a district that may quote or count: in its row, its records, their versions
    and events."""
    for number, error, given in transaction.rows("SELECT number, error, given FROM districts"):
        columns = (_error(error), _record(given) if given else None, number)
        transaction.run("UPDATE districts SET error = ?, given = ? WHERE number = ?", columns)
    for (view,) in transaction.rows("SELECT number FROM views"):
        for id_, body in transaction.rows(
            "SELECT id, body FROM records WHERE view = ? AND kind = 'districts'", (view,)
        ):
            values = (_record(body), view, id_)
            transaction.run(
                "UPDATE records SET body = ? WHERE view = ? AND kind = 'districts' AND id = ?", values
            )
        found = transaction.rows(
            "SELECT id, until, body FROM versions WHERE view = ? AND kind = 'districts'", (view,)
        )
        for id_, until, body in found:
            key = (_record(body), view, until, id_)
            transaction.run(
                "UPDATE versions SET body = ? WHERE view = ? AND kind = 'districts' AND until = ? AND id = ?",
                key,
            )
        for id_, body in transaction.rows(
            "SELECT id, body FROM events WHERE view = ? AND kind = 'districts'", (view,)
        ):
            transaction.run("UPDATE events SET body = ? WHERE view = ? AND id = ?", (_event(body), view, id_))


def reports(transaction: Transaction) -> None:
    """Remove texts of files that may hold passwords from the reports of all runs; counts, rows and columns
    stay."""
    for district, sync in transaction.rows("SELECT district, sync FROM syncs"):
        (text,) = transaction.row(
            "SELECT report FROM syncs WHERE district = ? AND sync = ?", (district, sync)
        ) or ("{}",)
        report = json.loads(text)
        scrubbed = _report(report)
        if scrubbed != report:
            values = (json.dumps(scrubbed), district, sync)
            transaction.run("UPDATE syncs SET report = ? WHERE district = ? AND sync = ?", values)


def _error(text: str) -> str:
    if text in ("", NO_FILES):
        return text
    return HELD if text.startswith(HELD_BEGINS) else UNUSABLE


def _record(body: str) -> str:
    """A district's record as JSON; a record with nothing to hide is kept byte for byte."""
    record = orjson.loads(body)
    clean = _clean(record)
    return body if clean == record else orjson.dumps(clean).decode()


def _event(body: str) -> str:
    event = orjson.loads(body)
    data = {part: _clean(held) for part, held in event["data"].items()}
    return body if data == event["data"] else orjson.dumps({**event, "data": data}).decode()


def _clean(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "error": _error(str(record["error"]))} if record.get("error") else record


def _report(report: dict[str, Any]) -> dict[str, Any]:
    problems = _problems(report.get("problems"))
    groups = [
        {**group, "examples": _problems(group.get("examples"))}
        for group in report.get("problem_groups") or ()
    ]
    scrubbed = dict(report)
    if "problems" in report:
        scrubbed["problems"] = problems
    if "problem_groups" in report:
        scrubbed["problem_groups"] = groups
    if report.get("message"):
        scrubbed["message"] = problems[0]["message"] if problems else UNUSABLE
    return scrubbed


def _problems(found: list[Any] | None) -> list[dict[str, Any]]:
    return [_problem(each) for each in found or () if isinstance(each, dict)]


def _problem(told: dict[str, Any]) -> dict[str, Any]:
    file, code = told.get("file"), told.get("code")
    if file not in PEOPLE and code not in (*RAW, *HEADERS):
        return told
    column = None if code in HEADERS else told.get("column")
    place = f"{file}{f' row {row}' if (row := told.get('row')) else ''}{f', {column}' if column else ''}"
    return {
        **told,
        "column": column,
        "value": None,
        "expected": None,
        "message": f"{place}: {code}; {REMOVED}",
    }
