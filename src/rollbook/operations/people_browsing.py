"""Look at a district's people: lists by role, school, grade and change, and one person from all sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollbook.contract.clever.tiers import TIER
from rollbook.domain.kinds import ROLE, label
from rollbook.errors import BadSetting, Unknown
from rollbook.operations import searching
from rollbook.store.accounts import applications, audit
from rollbook.store.accounts.audit import Entry
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.records import people_lists, people_lookup, person_history, record_search
from rollbook.store.records.people_lists import Listed, Wanted
from rollbook.store.records.person_history import Version

WEEK_SECONDS = 7 * 86_400
SIGN_INS_MAX = 20
# What a list may be narrowed to, beside role, school and grade.
CHANGED, ALONE = "changed this week", "in no section"


@dataclass(frozen=True, slots=True)
class Row:
    """One person of a list."""

    id: str
    name: str
    detail: str
    schools: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Moment:
    """One change of a person: the run, when, and what changed. `verb` is made, changed, gone or now."""

    run: int
    at: str
    verb: str
    changes: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Person:
    """A person from all sides; `record` is None if they have gone.

    `seen_by` has, for each connected application, the record that it reads, or None.
    """

    id: str
    name: str
    detail: str
    record: Mapping[str, Any] | None
    schools: tuple[str, ...]
    sections: tuple[tuple[str, str], ...]
    contacts: tuple[tuple[str, str], ...]
    seen_by: Mapping[str, Mapping[str, Any] | None]
    moments: tuple[Moment, ...]
    sign_ins: tuple[Entry, ...]


def people(
    database: Database, district: str, *, text: str, role: str, school: str, grade: str, only: str, after: str
) -> tuple[list[Row], str]:
    """One page of the people who meet all filters, and where the next page begins; blank filters do not count.

    `only`: `changed this week`, or `in no section`. Errors: Unknown; BadSetting for a role that nobody can have.
    """
    if role and role not in ROLE:
        raise BadSetting(f"role: expected one of {', '.join(ROLE)}; got {role[:20]!r}")
    owner = districts.find(database, district)
    record_search.catch_up(database, owner.number)
    since, newer = _last_week(database, owner) if only == CHANGED else (None, "")
    wanted = Wanted(text, role, school, grade, since, newer, only == ALONE)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        found: Listed = people_lists.page(transaction, owner.number, view, wanted, after)
        schools = _schools(transaction, owner)
    return [_row(record, schools) for record in found.people], found.after


def schools(database: Database, district: str) -> list[tuple[str, str]]:
    """The schools of a district as (id, name), by name. Errors: Unknown."""
    owner = districts.find(database, district)
    with database.read() as transaction:
        return people_lookup.schools(transaction, people_lookup.whole(transaction, owner.number))


def person(database: Database, district: str, id_: str) -> Person:
    """A person by id, also one who has gone. Errors: Unknown."""
    owner = districts.find(database, district)
    tiers = {application.name: application.tier for application, _ in applications.list_all(database)}
    seen = views.by_application(database, owner.number)
    with database.read() as transaction:
        view = views.whole(transaction, owner.number).number
        versions = person_history.versions(transaction, owner.number, view, id_)
        if not versions:
            raise Unknown(f"nobody in {owner.name!r} has the id {id_!r}, now or in the kept history")
        named = _schools(transaction, owner)
        record = versions[0].record
        return Person(
            id_,
            label(record) or id_,
            searching.detail(record),
            record if versions[0].until is None else None,
            _row(record, named).schools,
            tuple(
                (one["id"], str(one.get("name", "")))
                for one in people_lists.sections_of(transaction, view, id_)
            ),
            tuple((one["id"], label(one)) for one in people_lists.contacts_of(transaction, view, id_)),
            {
                name: None
                # An application of a smaller tier reads people only when they sign in.
                if TIER[tiers[name]].district_paths is not None
                else person_history.present(transaction, one.number, id_)
                for name, one in seen.items()
            },
            tuple(_moments(versions, person_history.run_times(transaction, owner.number))),
            tuple(audit.latest(transaction, SIGN_INS_MAX, district=owner.number, user_id=id_)),
        )


def _last_week(database: Database, owner: District) -> tuple[int, str]:
    """The last run that is older than a week, and the first id that a new person of this week may have."""
    with database.read() as transaction:
        then = districts.now(transaction) - WEEK_SECONDS
        times = person_history.run_times(transaction, owner.number)
    moment = districts.timestamp(then)
    older = [number for number, created in times.items() if created < moment]
    return max(older, default=0), f"{int(then):08x}"


def _schools(transaction: Transaction, owner: District) -> dict[str, str]:
    return dict(people_lookup.schools(transaction, people_lookup.whole(transaction, owner.number)))


def _row(record: Mapping[str, Any], named: Mapping[str, str]) -> Row:
    ids = dict.fromkeys(school for held in record["roles"].values() for school in held.get("schools", ()))
    return Row(
        record["id"],
        label(dict(record)) or record["id"],
        searching.detail(dict(record)),
        tuple(named.get(school, school) for school in ids),
    )


def _moments(versions: list[Version], created: Mapping[int, str]) -> Iterator[Moment]:
    """The versions as changes, newest first, each with the run that made it.

    `created` has the times of the runs.
    """
    last = versions[0]
    if last.until is not None:
        yield Moment(last.until, created.get(last.until, ""), "gone", ())
    for place, version in enumerate(versions):
        before = versions[place + 1] if place + 1 < len(versions) else None
        is_back = before is not None and before.until != version.since
        changes = () if before is None else tuple(_changes(before.record, version.record))
        verb = "made" if before is None else "back" if is_back else "changed"
        yield Moment(version.since, created.get(version.since, ""), verb, changes)
        if is_back and before is not None and before.until is not None:
            yield Moment(before.until, created.get(before.until, ""), "gone", ())


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The fields that differ, each with its values before and after."""
    was, now = dict(_flat(before)), dict(_flat(after))
    for name in dict.fromkeys([*was, *now]):
        if was.get(name) != now.get(name) and name not in ("last_modified", "created"):
            yield name, was.get(name, ""), now.get(name, "")


def _flat(value: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, str]]:
    for name, one in value.items():
        path = f"{at}{name}"
        if isinstance(one, dict):
            yield from _flat(one, "" if path == "roles" else f"{path}.")
        else:
            yield path, str(one)
