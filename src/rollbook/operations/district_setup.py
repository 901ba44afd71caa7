"""Districts: create or clone one, and set its contact, its limits and its reading rules."""

from __future__ import annotations

from collections.abc import Mapping

from rollbook.clone import copy
from rollbook.clone.pull import Progress
from rollbook.domain.guard import Threshold
from rollbook.domain.reading_rules import Rules
from rollbook.settings import Settings
from rollbook.store.district import choices, districts, thresholds
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database
from rollbook.store.records import people_lookup
from rollbook.store.records.own_record import change_record
from rollbook.store.records.people_lookup import Person
from rollbook.sync import Sync, standing
from rollbook.sync.standing import Standing


def create(database: Database, name: str) -> Standing:
    """Create an empty district. Errors: Conflict if the name is taken or blank."""
    return standing.of(database, districts.create(database, name))


def clone(
    database: Database,
    settings: Settings,
    address: str,
    token: str,
    *,
    name: str | None = None,
    is_fresh: bool = False,
    progress: Progress | None = None,
) -> Sync:
    """Clone the district of a token from the server at an address, or bring the clone up to date.

    Errors: RemoteTrouble, Conflict if the name is taken, Refused if the district comes from files here.
    """
    return copy.run(database, address, token, settings, name=name, is_fresh=is_fresh, progress=progress)


def name_contact(database: Database, district: str, user: str | None) -> tuple[District, Person | None]:
    """Name a person (id, SIS id, username or email) as the district's contact for applications; None removes
    the contact.

    Errors: Unknown, Busy if another run was faster.
    """
    owner = districts.find(database, district)
    chosen = None
    if user is not None:
        with database.read() as transaction:
            chosen = people_lookup.find(transaction, people_lookup.whole(transaction, owner.number), user)
    change_record(database, owner, "contact", {"contact": chosen.id if chosen else None})
    return owner, chosen


def set_limits(
    database: Database, district: str, kind: str, *, updated: int | None = None, deleted: int | None = None
) -> dict[str, Threshold]:
    """Set the limits, in percent, above which a sync is held; None keeps a limit. Returns the limits of all
    kinds.

    Errors: Unknown; BadSetting for a kind without limits, or a percentage out of range.
    """
    owner = districts.find(database, district)
    now = thresholds.read(database, owner).get(kind, Threshold())
    wanted = Threshold(
        now.updated if updated is None else updated, now.deleted if deleted is None else deleted
    )
    thresholds.write(database, owner, kind, wanted)
    return thresholds.read(database, owner)


def set_rules(database: Database, district: str, changed: Mapping[str, bool]) -> Rules:
    """Set how a district's files are read, from its next sync on; returns all of its rules.

    Errors: Unknown; BadSetting for an unknown rule; Refused for a clone, which has no files.
    """
    return choices.write(database, districts.find(database, district), changed)
