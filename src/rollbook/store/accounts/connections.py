"""Connections of applications to districts: their district tokens, their views, and what a token resolves
to."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import NamedTuple

from rollbook.contract.clever.tiers import TIER
from rollbook.domain.access import Access
from rollbook.domain.snapshot_names import SnapshotName
from rollbook.errors import Conflict, Unknown
from rollbook.store.accounts import audit, ended_tokens, share_history
from rollbook.store.accounts.applications import Application
from rollbook.store.accounts.share_history import PastShare
from rollbook.store.district import views
from rollbook.store.district.districts import District, now, reserve_ids, timestamp
from rollbook.store.district.views import View
from rollbook.store.engine.database import Database, Transaction
from rollbook.store.engine.keys import Sealer, digest


@dataclass(frozen=True, slots=True)
class Token:
    """A district token as `/oauth/tokens` lists it."""

    id: str
    created: str
    district_id: str
    access_token: str
    scopes: tuple[str, ...]


def connect(
    database: Database,
    sealer: Sealer,
    application: Application,
    district: District,
    view: View,
    *,
    token: str | None = None,
    is_demo: bool = False,
    is_first: bool = False,
) -> str:
    """Connect an application to a district with a view; returns the district token.

    An existing connection keeps its token. Errors: Conflict if there is one, and it should be the first.
    """
    with database.write() as transaction:
        found = transaction.row(
            "SELECT token_sealed FROM connections WHERE application = ? AND district = ?",
            (application.number, district.number),
        )
        if found and is_first:
            raise Conflict(views.CHANGED)
        if found:
            audit.record(
                transaction, "district token shown", district=district.number, application=application.number
            )
            return sealer.open(found[0], _token_of(application.number, district.number))
        token, moment = token or secrets.token_hex(20), timestamp(now(transaction))
        made = transaction.row(
            "INSERT INTO connections (id, application, district, view, token_hash, token_sealed, created, is_demo, since)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT head FROM districts WHERE number = ?)) RETURNING number",
            (
                reserve_ids(transaction).id(0),
                application.number,
                district.number,
                view.number,
                digest(token),
                sealer.seal(token, _token_of(application.number, district.number)),
                moment,
                int(is_demo),
                district.number,
            ),
        )
        share_history.note(
            transaction,
            made[0] if made else 0,
            application,
            district,
            view.spec,
            action=share_history.CONNECTED,
        )
    return token


def _token_of(application: int, district: int) -> str:
    """The purpose for which the token of a connection is sealed."""
    return f"district token of {application} in {district}"


def renew_token(database: Database, sealer: Sealer, application: Application, district: District) -> str:
    """Give a connection a new district token and return it; the old one ends at once.

    Errors: Unknown if not connected.
    """
    number, _ = connection_of(database, application, district)
    token = secrets.token_hex(20)
    sealed = sealer.seal(token, _token_of(application.number, district.number))
    with database.write() as transaction:
        ended_tokens.note(transaction, "connections", "renewed", int(time.time()), "number = ?", (number,))
        transaction.run(
            "UPDATE connections SET token_hash = ?, token_sealed = ?, is_demo = 0 WHERE number = ?",
            (digest(token), sealed, number),
        )
        audit.record(
            transaction, "district token renewed", district=district.number, application=application.number
        )
    return token


def disconnect(database: Database, application: Application, district: District) -> None:
    """End a connection: its district token, its user tokens and codes, teachers' permissions, and the view
    that it alone used.

    Errors: Unknown if the application is not connected and no teacher has allowed it.
    """
    pair = (application.number, district.number)
    tables = ("codes", "user_tokens", "grants", "connections")
    with database.write() as transaction:
        found = [
            transaction.row(f"SELECT 1 FROM {table} WHERE application = ? AND district = ? LIMIT 1", pair)
            for table in tables
        ]
        if not any(found):
            raise Unknown(f"{application.name!r} is not connected to {district.name!r}")
        share_history.forget(transaction, *pair)
        for table in ("user_tokens", "connections"):
            of_pair = ("application = ? AND district = ?", pair)
            ended_tokens.note(transaction, table, "disconnected", int(time.time()), *of_pair)
        for table in tables:
            transaction.run(f"DELETE FROM {table} WHERE application = ? AND district = ?", pair)
        views.drop_unseen(transaction, district.number)
        audit.record(transaction, "disconnected", district=district.number, application=application.number)
    # a second time, for tokens and codes that were being issued meanwhile
    with database.write() as transaction:
        for table in tables[:2]:
            transaction.run(f"DELETE FROM {table} WHERE application = ? AND district = ?", pair)


def connection_of(database: Database, application: Application, district: District) -> tuple[int, int]:
    """The number of an application's connection to a district, and of its view.

    Errors: Unknown if not connected.
    """
    with database.read() as transaction:
        found = transaction.row(
            "SELECT number, view FROM connections WHERE application = ? AND district = ?",
            (application.number, district.number),
        )
    if found is None:
        raise Unknown(f"{application.name!r} is not connected to {district.name!r}")
    return found[0], found[1]


def districts_of(database: Database, application: Application) -> list[int]:
    """The districts (by number) that an application is connected to, oldest connection first."""
    with database.read() as transaction:
        rows = transaction.rows(
            "SELECT district FROM connections WHERE application = ? ORDER BY number", (application.number,)
        )
    return [number for (number,) in rows]


class Watched(NamedTuple):
    """A connection whose events a person may watch; `events_after` as in `Access`."""

    application: str
    client_id: str
    district: str
    district_id: str
    view: int
    events_after: str | None


def watched(transaction: Transaction) -> list[Watched]:
    """All connections, by the names of application and district."""
    rows = transaction.rows(
        "SELECT a.name, a.client_id, d.name, d.id, c.view, c.events_after FROM connections c"
        " JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " ORDER BY a.name, d.name"
    )
    return [Watched(*row) for row in rows]


def past_shares(database: Database, application: Application, district: District) -> list[PastShare]:
    """All shares of a connection since it began, oldest first, today's last.

    Errors: Unknown if not connected.
    """
    number, _ = connection_of(database, application, district)
    with database.read() as transaction:
        return share_history.past_shares(transaction, number)


def see(transaction: Transaction, number: int, view: View) -> None:
    """Give a connection (by number) a view."""
    transaction.run("UPDATE connections SET view = ? WHERE number = ?", (view.number, number))


def views_of(database: Database, district: District) -> dict[str, int]:
    """The view (by number) of each application that is connected to a district."""
    with database.read() as transaction:
        rows = transaction.rows(
            "SELECT a.name, c.view FROM connections c JOIN applications a ON a.number = c.application"
            " WHERE c.district = ? ORDER BY a.name",
            (district.number,),
        )
    return dict(rows)


def resolve(transaction: Transaction, token: str, *, in_demo: bool) -> Access | None:
    """The access of a bearer token; None if it is unknown. Only a demo knows the published test tokens."""
    found = transaction.remembered_row(
        "SELECT d.number, d.id, c.view, c.number, a.client_id, a.scopes, a.tier, v.edited, c.since, c.events_after, v.mark,"
        f" {views.base_of('v')}, d.head, s.mark"
        " FROM connections c JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " JOIN views v ON v.number = c.view LEFT JOIN syncs s ON s.district = d.number AND s.sync = d.head"
        " WHERE c.token_hash = ? AND (c.is_demo = 0 OR ? = 1)",
        (digest(token), int(in_demo)),
    )
    if found is None:
        return None
    (
        district,
        district_id,
        view,
        number,
        client_id,
        scopes,
        tier,
        edited,
        since,
        events_after,
        mark,
        base,
        *head,
    ) = found
    return Access(
        district,
        district_id,
        view,
        number,
        client_id,
        tuple(scopes.split()),
        tier=tier,
        is_whole=TIER[tier].district_paths is None,
        shown_since=edited,
        connected_since=since,
        events_after=events_after,
        view_mark=mark,
        head=SnapshotName(head[0], head[1] or ""),
        base=base,
    )


def list_tokens(
    transaction: Transaction, sealer: Sealer, application: int, district_id: str | None, *, in_demo: bool
) -> list[Token]:
    """The district tokens of an application, for all districts or one, oldest first."""
    found = transaction.rows(
        "SELECT c.id, c.created, d.id, d.number, c.token_sealed, a.scopes FROM connections c"
        " JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " WHERE c.application = ? AND (c.is_demo = 0 OR ? = 1) ORDER BY c.id",
        (application, int(in_demo)),
    )
    return [
        Token(id_, created, owner, sealer.open(sealed, _token_of(application, number)), tuple(scopes.split()))
        for id_, created, owner, number, sealed, scopes in found
        if district_id in (None, owner)
    ]


def counts(transaction: Transaction) -> dict[int, int]:
    """How many applications read each district (by the store's own number)."""
    return dict(transaction.rows("SELECT district, count(*) FROM connections GROUP BY district"))
