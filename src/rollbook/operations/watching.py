"""Which requests and events a person of the console may watch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rollbook.domain.actors import DEVELOPER, OPERATOR, Actor
from rollbook.errors import Forbidden, Unknown
from rollbook.operations import registering
from rollbook.store.accounts import connections
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.connections import Watched
from rollbook.store.district import districts
from rollbook.store.engine.database import Database
from rollbook.store.records import event_feed
from rollbook.store.records.event_feed import Told

PERMISSION = "see requests"


@dataclass(frozen=True, slots=True)
class Readable:
    """The requests that a person may read: of these applications (client ids) and this district (id).

    None stands for all. `is_operator`: the person may also know which ids are not shared.
    """

    clients: frozenset[str] | None = None
    district_id: str | None = None
    is_operator: bool = True

    def shows(self, client_id: str, district_id: str) -> bool:
        """Whether a request of this application to this district is shown; blank values are unknown ones."""
        return (self.clients is None or client_id in self.clients) and (
            self.district_id is None or district_id == self.district_id
        )

    def applications(self, known: Iterable[Application]) -> list[Application]:
        """Those of the applications that are shown, by name."""
        shown = (one for one in known if self.clients is None or one.client_id in self.clients)
        return sorted(shown, key=lambda one: one.name)


ALL = Readable()


def readable(actor: Actor, database: Database) -> Readable:
    """What a person may read: an operator everything, a developer the requests of their own applications.

    Errors: Forbidden.
    """
    if not actor.may_somewhere(PERMISSION):
        raise Forbidden(f"Your role is {actor.role}. It has no permission to {PERMISSION}.")
    own = registering.of_developer(database, actor.number) if actor.role == DEVELOPER else None
    district_id = None
    if actor.district is not None:
        with database.read() as transaction:
            district_id = districts.by_number(transaction, actor.district).id
    return Readable(None if own is None else frozenset(own), district_id, actor.role == OPERATOR)


def watchable(allowed: Readable, database: Database) -> list[Watched]:
    """The connections whose events may be watched."""
    with database.read() as transaction:
        found = connections.watched(transaction)
    return [one for one in found if allowed.shows(one.client_id, one.district_id)]


def find(allowed: Readable, database: Database, application: str, district: str) -> Watched:
    """The connection of an application (client id) to a district (id). Errors: Unknown, also if it may not be
    watched."""
    for one in watchable(allowed, database):
        if (one.client_id, one.district_id) == (application, district):
            return one
    raise Unknown("This application is not connected to this district, or it is not yours.")


def events(database: Database, watched: Watched, *, after: str, count: int) -> list[Told]:
    """The newest events of a connection after an id, newest first: ids, types and names of fields.

    Only the API shows the values of a record.
    """
    if watched.events_after is None:
        return []
    with database.read() as transaction:
        return event_feed.newest(transaction, watched.view, max(watched.events_after, after), count)
