"""Why an application sees or does not see a person, or sees them without a field: a chain of links from the
file to the last read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from rollbook.contract.clever.tiers import TIER
from rollbook.domain.kinds import label
from rollbook.errors import Unknown
from rollbook.operations import explanation_links as links
from rollbook.operations.explanation_links import Link, Person, Place
from rollbook.roster.clone import clone_roster
from rollbook.roster.intake.clever import row_problems
from rollbook.roster.views import neighbourhood
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts import credentials as logins
from rollbook.store.accounts.applications import Application
from rollbook.store.district import districts, views
from rollbook.store.district.districts import District
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database
from rollbook.store.engine.keys import sealer
from rollbook.store.records import commits, person_history, request_log, sis_aliases
from rollbook.store.records.commits import Snapshot
from rollbook.store.records.request_log import RequestLog
from rollbook.sync.workplace import engine_in, workplace


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether an application sees a person and, if asked, a field of theirs; and the links of the chain.

    `roles`: the roles that it sees. `person_id` is blank if nobody has the id that was asked for.
    """

    district: str
    application: str
    person: str
    person_id: str
    field: str
    sees: bool
    sees_field: bool | None
    roles: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def stop(self) -> Link | None:
        """The first link that breaks the chain."""
        return next((link for link in self.links if link.state == "no"), None)

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        who = self.person or self.person_id
        if not self.sees:
            return f"{self.application} does not see {who}"
        if self.sees_field is False:
            return f"{self.application} sees {who}, but without {self.field}"
        return f"{self.application} sees {who}" + (f" with {self.field}" if self.field else "")

    def as_json(self) -> dict[str, object]:
        return {
            "district": self.district,
            "application": self.application,
            "person": {"id": self.person_id, "name": self.person},
            "field": self.field or None,
            "sees": self.sees,
            "sees_field": self.sees_field,
            "roles": list(self.roles),
            "answer": self.sentence,
            "stops_at": self.stop.name if self.stop else None,
            "links": [link.as_json() for link in self.links],
        }


def explain(
    database: Database,
    settings: Settings,
    district: str,
    person: str,
    application: str,
    field: str | None = None,
) -> Explanation:
    """Explain whether an application (name or client id) sees a person (id, SIS id, username, number or email)
    of a district (name or id).

    A person whom nobody knows is an answer, too: the first link says so. Errors: Unknown for the district, the
    application, or if several people have that name; BadSetting for a field that the person's roles lack.
    """
    reader, owner = applications.find(database, application), districts.find(database, district)
    with workplace(settings) as folder, engine_in(settings, folder) as engine:
        wanted = (*neighbourhood.FILES, row_problems.TABLE)
        last = commits.snapshot(database, owner, folder, wanted)
        id_, gone = _only(owner, person, _named(database, owner, engine, last, person))
        if id_ and not gone:
            neighbourhood.lay_out(engine, last.files, id_)
        found = Person(
            given=person,
            id=id_,
            gone=gone,
            roles=tuple(neighbourhood.roles(engine, id_)) if id_ and not gone else (),
            **_known(database, owner, id_),
        )
        view = _view(database, reader, owner)
        place = Place(database, reader, owner, last, view, clone_roster.TABLE in last.files)
        chain = [
            links.in_files(found, place, _is_held(database, owner, folder, engine, person)),
            links.of_rows(found, _problems(database, settings, engine, place, found)),
            *_inside(engine, found, place),
        ]
    return _concluded(database, settings, found, place, [link for link in chain if link], field or "")


def _named(
    database: Database, owner: District, engine: DuckDBPyConnection, last: Snapshot, given: str
) -> dict[str, str | None]:
    """The people whom the text names; by a former SIS id, if nobody has it now."""
    if not last.sync:
        return {}
    found = neighbourhood.find(engine, last.files, given)
    if any(gone is None for gone in found.values()):
        return found
    with database.read() as transaction:
        former = sis_aliases.find(transaction, owner.number, given)
    for id_ in former:
        found = neighbourhood.find(engine, last.files, id_) or found
    return found


def _only(owner: District, given: str, found: Mapping[str, str | None]) -> tuple[str, str | None]:
    """The one person, and since when they are gone. Errors: Unknown if there are several."""
    if len(found) > 1:
        ids = ", ".join(sorted(found)[:5])
        raise Unknown(
            f"person: {len(found)} people of {owner.name!r} have the id, SIS id, username, number or email {given!r};"
            f" name one by their id: {ids}"
        )
    return next(iter(found.items()), ("", None))


def _known(database: Database, owner: District, id_: str) -> dict[str, str]:
    """The person's name, from their record or the last version of it."""
    if not id_:
        return {"name": ""}
    with database.read() as transaction:
        whole = views.whole(transaction, owner.number)
        past = person_history.versions(transaction, owner.number, whole.number, id_)
    return {"name": label(past[0].record) if past else ""}


def _view(database: Database, reader: Application, owner: District) -> View | None:
    """What the application sees; None if it is not connected."""
    try:
        _, number = connections.connection_of(database, reader, owner)
    except Unknown:
        return None
    with database.read() as transaction:
        return views.by_number(transaction, number)


def _is_held(
    database: Database, owner: District, folder: Path, engine: DuckDBPyConnection, given: str
) -> int | None:
    """The number of the held run if its files have the person."""
    held = commits.runs(database, owner, ("held",), 1)
    if not held:
        return None
    waiting = commits.snapshot(database, owner, folder, neighbourhood.FILES, held[0].number)
    found = neighbourhood.find(engine, waiting.files, given) if waiting.files else {}
    return held[0].number if any(gone is None for gone in found.values()) else None


def _problems(
    database: Database, settings: Settings, engine: DuckDBPyConnection, place: Place, person: Person
) -> list[Any]:
    """The problems of the person's rows in the last committed run."""
    file = place.last.files.get(row_problems.TABLE)
    if file is None:
        return []
    key, _ = logins.keys(sealer(database, settings), place.owner.id)
    sis_ids = dict.fromkeys([*(role.key for role in person.roles), person.given])
    return [problem for sis_id in sis_ids for problem in row_problems.of(engine, file, key, sis_id)]


def _inside(engine: DuckDBPyConnection, person: Person, place: Place) -> list[Link]:
    """The links from the roster to the share."""
    if not person.roles:
        return []
    found = [links.in_roster(person)]
    found += links.of_connection(place)
    if place.view is None or TIER[place.reader.tier].district_paths is not None:
        return found
    shown = place.view.spec
    picked = neighbourhood.shared(engine, person.id, shown.share)
    rules = [
        (
            rule,
            neighbourhood.shared(engine, person.id, links.only(rule)),
            neighbourhood.tests(engine, person.id, rule),
        )
        for rule in (shown.share.rules if shown.share else ())
    ]
    return [*found, links.of_scopes(person, place), links.of_share(person, place, picked, rules)]


def _concluded(
    database: Database, settings: Settings, person: Person, place: Place, chain: list[Link], field: str
) -> Explanation:
    """Compare the chain with what the application reads now, and add the links that follow from it."""
    record = None
    if person.id and place.view and TIER[place.reader.tier].district_paths is None:
        with database.read() as transaction:
            record = person_history.present(transaction, place.view.number, person.id)
    chain = links.agreeing(chain, sees=record is not None)
    sees_field = None
    if record is not None:
        chain += links.of_roles(person, place, record)
    if field:
        named = links.named_field(person, field)
        if record is not None:
            sees_field, link = links.of_field(place, record, named)
            chain.append(link)
    if place.view is not None:
        chain.append(links.last_read(_last_read(database, settings, place)))
    roles = tuple(record["roles"]) if record else ()
    return Explanation(
        place.owner.name,
        place.reader.name,
        person.name or (person.given if not person.id else ""),
        person.id,
        field,
        record is not None,
        sees_field,
        roles,
        tuple(chain),
    )


def _last_read(database: Database, settings: Settings, place: Place) -> int | None:
    """When the application last read people with its district token, in Unix ms; None: not in the log."""
    if not request_log.is_there(settings):
        return None
    log = RequestLog(database, settings)
    try:
        for batch in log.read():
            for entry in reversed(batch.entries):
                is_theirs = (entry.client_id, entry.district_id) == (place.reader.client_id, place.owner.id)
                if (
                    is_theirs
                    and entry.holder == "district"
                    and entry.status == 200
                    and "/users" in entry.path
                ):
                    return entry.at
    finally:
        log.close()
    return None
