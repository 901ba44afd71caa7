"""Look at a district's schools and sections: lists with counts, one school, and one section with its people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollbook.domain.kinds import label
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import searching
from rollbook.operations.district_figures import grades
from rollbook.store.district import districts, views
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import record_search, school_lists
from rollbook.store.records.school_lists import LACKS, WantedSections

# How many people of a section a page names.
PEOPLE_MAX = 500


@dataclass(frozen=True, slots=True)
class School:
    """One school of a list, with how many people and sections it has."""

    id: str
    name: str
    sis_id: str
    grades: str
    students: int
    teachers: int
    staff: int
    sections: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a list. `lacks` names what is missing, such as a term."""

    id: str
    name: str
    sis_id: str
    school: str
    term: str
    teachers: int
    students: int
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A school or a section: its record, the names of records that it refers to, and the people of a section."""

    id: str
    name: str
    record: Mapping[str, Any]
    counts: Mapping[str, int]
    school: tuple[str, str] = ("", "")
    term: str = ""
    course: str = ""
    teachers: tuple[tuple[str, str, str], ...] = ()
    students: tuple[tuple[str, str, str], ...] = ()


def schools(database: Database, district: str) -> list[School]:
    """All schools of a district (name or id), by name. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        counts = school_lists.counts(transaction, view)
        found = [
            _school(one, counts.get(one["id"], {})) for one in school_lists.every_school(transaction, view)
        ]
    return sorted(found, key=lambda school: (school.name.casefold(), school.id))


def school(database: Database, district: str, id_: str) -> Place:
    """One school. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        record = _one(transaction, view, "schools", id_, owner.name)
        return Place(id_, _named(record), record, school_lists.counts(transaction, view).get(id_, {}))


def sections(
    database: Database, district: str, *, text: str = "", school: str = "", lacks: str = "", after: str = ""
) -> tuple[list[Section], str]:
    """One page of the sections that meet all filters, and where the next page begins; blank filters do not count.

    `lacks`: no teacher, no students or no term. Errors: Unknown, BadSetting.
    """
    if lacks and lacks not in LACKS:
        raise BadSetting(f"only: expected one of {', '.join(LACKS)}; got {lacks[:30]!r}")
    owner = districts.find(database, district)
    record_search.catch_up(database, owner.number)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        wanted = WantedSections(text, school, lacks)
        found, onward = school_lists.sections(transaction, owner.number, view, wanted, after)
        names = {
            kind: _names(transaction, view, kind, name, found)
            for kind, name in (("schools", "school"), ("terms", "term_id"))
        }
    return [_section(one, names["schools"], names["terms"]) for one in found], onward


def section(database: Database, district: str, id_: str) -> Place:
    """One section with its people. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        record = _one(transaction, view, "sections", id_, owner.name)
        named = {
            name: _names(transaction, view, kind, name, [record]).get(str(record.get(name, "")), "")
            for name, kind in (("school", "schools"), ("term_id", "terms"), ("course", "courses"))
        }
        return Place(
            id_,
            _named(record),
            record,
            {name: len(record.get(name) or ()) for name in ("teachers", "students")},
            (str(record.get("school", "")), named["school"]),
            named["term_id"],
            named["course"],
            _people(transaction, view, record.get("teachers") or ()),
            _people(transaction, view, record.get("students") or ()),
        )


def _one(transaction: Transaction, view: int, kind: str, id_: str, owner: str) -> dict[str, Any]:
    found = record_search.records(transaction, view, kind, [id_])
    if not found:
        raise Unknown(f"no {kind[:-1]} in {owner!r} has the id {id_[:40]!r} now")
    return found[0]


def _names(
    transaction: Transaction, view: int, kind: str, name: str, found: list[dict[str, Any]]
) -> dict[str, str]:
    ids = list(dict.fromkeys(str(one[name]) for one in found if one.get(name)))
    return {
        one["id"]: str(one.get("name", "")) for one in record_search.records(transaction, view, kind, ids)
    }


def _people(transaction: Transaction, view: int, ids: Any) -> tuple[tuple[str, str, str], ...]:
    found = record_search.records(transaction, view, "users", list(ids)[:PEOPLE_MAX])
    return tuple((one["id"], label(one) or one["id"], searching.detail(one)) for one in found)


def _named(record: Mapping[str, Any]) -> str:
    return str(record.get("name") or record["id"])


def _school(record: Mapping[str, Any], counts: Mapping[str, int]) -> School:
    numbers = (counts.get(name, 0) for name in ("students", "teachers", "staff", "sections"))
    return School(record["id"], _named(record), str(record.get("sis_id", "")), grades(record), *numbers)


def _section(record: Mapping[str, Any], schools_: Mapping[str, str], terms: Mapping[str, str]) -> Section:
    return Section(
        record["id"],
        _named(record),
        str(record.get("sis_id", "")),
        schools_.get(str(record.get("school", "")), ""),
        terms.get(str(record.get("term_id", "")), ""),
        len(record.get("teachers") or ()),
        len(record.get("students") or ()),
        tuple(name for name, needed in LACKS.items() if not record.get(needed)),
    )
