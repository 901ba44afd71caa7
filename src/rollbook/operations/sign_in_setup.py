"""How people of a district sign in: badges, the district's own sign-in service, and the keys that sign id
tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rollbook.auth import oidc
from rollbook.domain.access import Access
from rollbook.errors import Unknown
from rollbook.settings import Settings, base_url
from rollbook.store.accounts import credentials
from rollbook.store.accounts.credentials import NewProvider
from rollbook.store.district import districts
from rollbook.store.district.districts import District
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import sealer
from rollbook.store.records import people_lookup
from rollbook.store.records.own_record import keep_true
from rollbook.store.records.people_lookup import Person


@dataclass(frozen=True, slots=True)
class BadgeChoice:
    """Who gets a badge.

    `users` lists people by id, SIS id, username or email; if it is empty, all people of `role` get one.
    `school` (SIS id, name or id) limits the role to one school; blank: the whole district.
    """

    role: str = "student"
    school: str = ""
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BadgeSheet:
    """Badges to print.

    `base` is the address in their codes, `schools` the school names by id, `badges` the people with their
    codes.
    """

    district: str
    base: str
    schools: Mapping[str, str]
    badges: list[tuple[Person, str]]


def print_badges(
    database: Database,
    settings: Settings,
    district: str,
    choice: BadgeChoice,
    write: Callable[[BadgeSheet], None],
) -> int:
    """Give people of a district new badges, which replace their old ones; returns how many.

    `write` prints the sheet before the new codes are stored: if it raises, the old badges stay valid. Errors:
    Unknown.
    """
    owner = districts.find(database, district)
    with database.read() as transaction:
        access = people_lookup.whole(transaction, owner.number)
        schools = dict(people_lookup.schools(transaction, access))
        chosen = _chosen(transaction, access, choice)
    if not chosen:
        raise Unknown("nobody of that role and school is there; no file was written")
    given = {person.id: credentials.new_badge() for person in chosen}
    # Write the file first: a stored code that was never printed would replace a badge that works.
    write(
        BadgeSheet(owner.name, base_url(settings), schools, [(person, given[person.id]) for person in chosen])
    )
    with database.write() as transaction:
        credentials.give_badges(transaction, owner.number, given)
    keep_true(database)
    return len(given)


def _chosen(transaction: Transaction, access: Access, choice: BadgeChoice) -> list[Person]:
    if choice.users:
        return [people_lookup.find(transaction, access, user) for user in choice.users]
    known = people_lookup.school_names(transaction, access)
    if choice.school and choice.school not in known:
        raise Unknown(f"no school has the SIS id, name or id {choice.school!r}")
    school = known[choice.school] if choice.school else ""
    return people_lookup.everybody(transaction, access, role=choice.role, school=school)


def revoke_badge(database: Database, district: str, user: str) -> tuple[Person, bool]:
    """Revoke the badge of a person (id, SIS id, username or email). Returns the person, and whether they had
    one.

    Errors: Unknown.
    """
    owner = districts.find(database, district)
    with database.write() as transaction:
        person = people_lookup.find(transaction, people_lookup.whole(transaction, owner.number), user)
        had_one = credentials.take_badge(transaction, owner.number, person.id)
    keep_true(database)
    return person, had_one


def set_provider(database: Database, settings: Settings, district: str, wanted: NewProvider) -> str:
    """Let people of a district sign in with its own service; returns the redirect address to register there.

    Errors: Unknown, BadSetting if the issuer is not an https address.
    """
    owner = districts.find(database, district)
    wanted = replace(wanted, issuer=wanted.issuer.rstrip("/"))
    own = sealer(database, settings)
    with database.write() as transaction:
        credentials.set_provider(transaction, own, owner.number, wanted)
    keep_true(database)
    return f"{base_url(settings)}/oauth/callback"


def remove_provider(database: Database, district: str) -> tuple[District, bool]:
    """Remove a district's own sign-in service.

    Returns the district, and whether it had one. Errors: Unknown.
    """
    owner = districts.find(database, district)
    with database.write() as transaction:
        had_one = credentials.drop_provider(transaction, owner.number)
    keep_true(database)
    return owner, had_one


def rotate_key(database: Database, settings: Settings, *, overlap_seconds: int) -> str:
    """Sign id tokens with a new key from now on; returns its id.

    The old key stays published for the overlap.
    """
    return oidc.rotate(database, sealer(database, settings), overlap_seconds=overlap_seconds)
