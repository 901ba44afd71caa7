"""Applications: register, change and remove them, and renew their secrets."""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from rollbook import sync
from rollbook.domain.actors import DEVELOPER
from rollbook.errors import BadSetting, Refused, Unknown
from rollbook.settings import Settings
from rollbook.store.accounts import applications, connections
from rollbook.store.accounts.applications import Application, Change, NewApplication
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.operators import application_owners, operator_accounts
from rollbook.store.records import event_feed


def register(
    database: Database, wanted: NewApplication, *, owner: str | None = None
) -> tuple[Application, str]:
    """Register an application; returns it with its client secret, which is shown only this once.

    `owner` is the developer (a person of the console) who owns it. Errors: Conflict if the name is in use, BadSetting for a
    value that cannot be used, Unknown for an owner who does not exist.
    """
    if owner is None:
        return applications.create(database, wanted)

    def own(transaction: Transaction, number: int) -> None:
        application_owners.add(transaction, number, operator_accounts.get(transaction, owner).number)

    return applications.create(database, wanted, also=own)


def give(database: Database, application: str, owner: str) -> None:
    """Make a person of the console an owner of an application (name or client id).

    Errors: Unknown; BadSetting for a person who is no developer: operators see all applications.
    """
    reader = applications.find(database, application)
    with database.write() as transaction:
        person = operator_accounts.get(transaction, owner)
        if person.role != DEVELOPER:
            raise BadSetting(f"owner: {owner!r} has the role {person.role}; expected a {DEVELOPER}")
        application_owners.add(transaction, reader.number, person.number)


def take(database: Database, application: str, owner: str) -> None:
    """End a person's ownership of an application (name or client id). Errors: Unknown."""
    reader = applications.find(database, application)
    with database.write() as transaction:
        person = operator_accounts.get(transaction, owner)
        if not application_owners.drop(transaction, reader.number, person.number):
            raise Unknown(f"owner: {owner!r} is no owner of {reader.name!r}")


def owners(database: Database, application: str) -> list[str]:
    """The owners of an application (name or client id). Errors: Unknown."""
    reader = applications.find(database, application)
    with database.read() as transaction:
        return application_owners.names(transaction, reader.number)


def of_developer(database: Database, number: int) -> set[str]:
    """The client ids of the applications of a developer (by number)."""
    with database.read() as transaction:
        owned = application_owners.owned_by(transaction, number)
    return {one.client_id for one, _ in applications.list_all(database) if one.number in owned}


def change(database: Database, settings: Settings, application: str, **given: Unpack[Change]) -> Application:
    """Change the given fields of an application (name or client id), and keep the others.

    Its views follow its scopes and fields at once, in all its districts, and so do its events. Errors:
    Unknown, BadSetting for a value that cannot be used.
    """
    reader = applications.find(database, application)
    wanted = applications.changed(reader, **given)
    # Narrow first and widen last: if the change is interrupted, the application sees too little, never too
    # much.
    sync.rescope(database, reader, settings, _both(reader.asks, wanted.asks))
    changed = applications.change(database, reader, **given)
    has_events = given.get("has_events")
    if has_events is not None:
        event_feed.switch(database, reader.number, on=has_events)
    sync.rescope(database, changed, settings)
    return changed


def change_own(
    database: Database, settings: Settings, application: str, **given: Unpack[Change]
) -> Application:
    """`change` by a developer, who decides for no district. Errors: those of `change`; Refused for what districts did
    not agree to."""
    reader = applications.find(database, application)
    if refusal := unagreed(database, reader, applications.changed(reader, **given)):
        raise Refused(refusal)
    return change(database, settings, application, **given)


def unagreed(database: Database, reader: Application, wanted: Application) -> str:
    """What a changed application would read and its districts did not agree to when they connected it, as a sentence;
    blank if nothing is."""
    more = [scope for scope in wanted.scopes if scope not in reader.scopes]
    more += [role for role in wanted.user_types if role not in reader.user_types]
    more += [field for field in reader.asks.unasked if field not in wanted.asks.unasked]
    if not more or not connections.districts_of(database, reader):
        return ""
    return (
        f"{reader.name} is connected, and would read more of its districts than they agreed to ({', '.join(more)});"
        " ask an operator to change this"
    )


def remove(database: Database, application: str) -> Application:
    """Remove an application (name or client id). Errors: Unknown, Conflict while a district is connected."""
    reader = applications.find(database, application)
    applications.remove(database, reader)
    return reader


def rotate_secret(database: Database, application: str, *, overlap_seconds: int) -> tuple[Application, str]:
    """Give an application (name or client id) a new client secret; the old one stays valid for the overlap.

    Errors: Unknown.
    """
    reader = applications.find(database, application)
    return reader, applications.rotate_secret(database, reader, overlap_seconds=overlap_seconds)


def _both(before: Spec, after: Spec) -> Spec:
    """The spec that shows only what both specs show."""
    scopes = tuple(scope for scope in before.scopes if scope in after.scopes)
    return replace(after, scopes=scopes, unasked=tuple(dict.fromkeys((*after.unasked, *before.unasked))))
