"""Applications: what they ask for, where their logins return to, and their client secrets."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypedDict, Unpack

from rollbook.contract.clever.tiers import TIER
from rollbook.errors import Conflict, Unknown
from rollbook.store.accounts import application_checks, audit
from rollbook.store.accounts.application_checks import REFUSED
from rollbook.store.district.districts import timestamp
from rollbook.store.district.views import Spec
from rollbook.store.engine.database import Database, Row, Transaction
from rollbook.store.engine.keys import digest


@dataclass(frozen=True, slots=True)
class Application:
    """A vendor's program. Only its vendor knows its secret.

    `redirect_uris`: where logins may return to; the first is the default. `user_types`: the roles that may
    sign in to it. `has_oidc`: logins come with an id token. `names_issuer`: they return with `iss` (RFC
    9207). One option switches both, because a client without OpenID Connect refuses either; older
    applications keep their values. `fields`: what it asks for, as `{"required": [...], "optional": [...]}`.
    If it lists no field of a role, it asks for all. `refused` lists the fields that it does not want. `why`: what it needs
    a scope or field for, by name.
    """

    number: int
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    created: str
    tier: str
    user_types: tuple[str, ...]
    has_oidc: bool
    has_events: bool
    is_live: bool
    fields: Mapping[str, list[str]]
    names_issuer: bool
    is_demo: bool
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def asks(self) -> Spec:
        """What it would see of a district that shares everything and opens no sensitive field."""
        asked = [name for need in ("required", "optional") for name in self.fields.get(need, ())]
        return Spec.of(self.scopes, asked, self.fields.get(REFUSED, ()))

    @property
    def requires(self) -> tuple[str, ...]:
        """The fields that a district cannot withhold from it."""
        return tuple(self.fields.get("required", ()))


_COLUMNS = (
    "number, client_id, name, redirect_uris, scopes, created, tier, user_types, has_oidc, has_events, is_live, fields,"
    " names_issuer, is_demo, why"
)
# Stands between the name and the client id of a removed application.
REMOVED = " (removed "


@dataclass(frozen=True, slots=True)
class NewApplication:
    """An application to create. Without scopes or user types, it gets those of its tier.

    `fields`: as in `Application`. Without `client_id` or `secret`, random ones are drawn. `is_demo`: a demo
    publishes them.
    """

    name: str
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tier: str = "secure_sync"
    user_types: tuple[str, ...] = ()
    has_oidc: bool = False
    fields: Mapping[str, list[str]] = field(default_factory=dict)
    client_id: str = ""
    secret: str = ""
    is_demo: bool = False
    why: Mapping[str, str] = field(default_factory=dict)


Note = Callable[[Transaction, int], None]


def create(
    database: Database, wanted: NewApplication, *, also: Note | None = None
) -> tuple[Application, str]:
    """Create an application; returns it with its client secret, which is stored only as a hash.

    `also` gets its number, in the same transaction. Errors: Conflict if the name is in use, BadSetting for a
    value that cannot be used.
    """
    application_checks.check_tier(wanted.tier)
    tier = TIER[wanted.tier]
    scopes, user_types = wanted.scopes or tier.scopes, wanted.user_types or tier.user_types
    application_checks.check(scopes, user_types, wanted.redirect_uris, wanted.tier, is_live=False)
    application_checks.check_fields(wanted.fields)
    application_checks.check_why(wanted.why)
    name, client_id = wanted.name, wanted.client_id or secrets.token_hex(10)
    secret = wanted.secret or secrets.token_hex(20)
    with database.write() as transaction:
        # `find` takes a name or a client id, so neither may be one of another application in any place.
        if not name.strip() or transaction.row(
            "SELECT 1 FROM applications WHERE name IN (?, ?) OR client_id IN (?, ?)",
            (name, client_id, name, client_id),
        ):
            raise Conflict(
                f"an application named {name!r} exists already"
                if name.strip()
                else "an application needs a name"
            )
        made = transaction.row(
            "INSERT INTO applications"
            " (client_id, name, redirect_uris, scopes, created, tier, user_types, has_oidc, names_issuer, fields, is_demo,"
            " why) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number",
            (
                client_id,
                name,
                json.dumps(wanted.redirect_uris),
                " ".join(sorted(scopes)),
                timestamp(),
                wanted.tier,
                " ".join(user_types),
                int(wanted.has_oidc),
                int(wanted.has_oidc),
                json.dumps(dict(wanted.fields)),
                int(wanted.is_demo),
                json.dumps(dict(wanted.why)),
            ),
        )
        number = made[0] if made else 0
        _add_secret(transaction, number, secret)
        audit.record(transaction, "application created", application=number, tier=wanted.tier)
        if also:
            also(transaction, number)
    return find(database, client_id), secret


class Change(TypedDict, total=False):
    """The fields of an application to change; None keeps a field."""

    redirect_uris: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    user_types: tuple[str, ...] | None
    has_oidc: bool | None
    has_events: bool | None
    is_live: bool | None
    fields: Mapping[str, list[str]] | None
    why: Mapping[str, str] | None


def changed(application: Application, **given: Unpack[Change]) -> Application:
    """The changed application; nothing is written. Errors: BadSetting for a value that cannot be
    used."""
    kept = {name: value for name, value in given.items() if value is not None}
    if "has_oidc" in kept:
        kept["names_issuer"] = kept["has_oidc"]
    wanted: Application = replace(application, **kept)  # type: ignore[arg-type]
    application_checks.check(
        wanted.scopes, wanted.user_types, wanted.redirect_uris, wanted.tier, is_live=wanted.is_live
    )
    application_checks.check_fields(wanted.fields)
    application_checks.check_why(wanted.why)
    return replace(wanted, scopes=tuple(sorted(wanted.scopes)))


def change(database: Database, application: Application, **given: Unpack[Change]) -> Application:
    """Change the given fields and keep the others. Errors: BadSetting for a value that cannot be used."""
    wanted = changed(application, **given)
    with database.write() as transaction:
        transaction.run(
            "UPDATE applications SET redirect_uris = ?, scopes = ?, user_types = ?, has_oidc = ?, has_events = ?, is_live = ?,"
            " names_issuer = ?, fields = ?, why = ? WHERE number = ?",
            (
                json.dumps(wanted.redirect_uris),
                " ".join(wanted.scopes),
                " ".join(wanted.user_types),
                int(wanted.has_oidc),
                int(wanted.has_events),
                int(wanted.is_live),
                int(wanted.names_issuer),
                json.dumps(dict(wanted.fields)),
                json.dumps(dict(wanted.why)),
                wanted.number,
            ),
        )
        told = {name: value for name, value in asdict(wanted).items() if value != getattr(application, name)}
        audit.record(transaction, "application changed", application=wanted.number, **told)
    return find(database, wanted.client_id)


def rotate_secret(database: Database, application: Application, *, overlap_seconds: int) -> str:
    """Give an application a new secret; the old ones stay valid for the overlap, so no login fails."""
    secret, moment = secrets.token_hex(20), int(time.time())
    ends = moment + overlap_seconds
    with database.write() as transaction:
        transaction.run(
            "DELETE FROM application_secrets WHERE application = ? AND expires < ?",
            (application.number, moment),
        )
        transaction.run(
            (
                "UPDATE application_secrets SET expires = ? WHERE application = ? AND (expires "
                "IS NULL OR expires > ?)"
            ),
            (ends, application.number, ends),
        )
        _add_secret(transaction, application.number, secret)
        audit.record(
            transaction, "secret rotated", application=application.number, overlap_seconds=overlap_seconds
        )
    return secret


def secrets_of(transaction: Transaction, application: Application) -> list[tuple[str, int | None]]:
    """When each valid secret was made, and when it ends; None: not yet. The newest one first."""
    rows = transaction.rows(
        "SELECT created, expires FROM application_secrets WHERE application = ? AND (expires IS NULL OR expires > ?)"
        " ORDER BY created DESC",
        (application.number, int(time.time())),
    )
    return [(created, expires) for created, expires in rows]


def _add_secret(transaction: Transaction, application: int, secret: str) -> None:
    transaction.run(
        "INSERT INTO application_secrets (application, hash, created) VALUES (?, ?, ?)",
        (application, digest(secret), timestamp()),
    )


def find(database: Database, name_or_client_id: str) -> Application:
    """The application of that client id or name. Errors: Unknown."""
    with database.read() as transaction:
        found = transaction.row(
            f"SELECT {_COLUMNS} FROM applications WHERE client_id = ? OR name = ?",
            (name_or_client_id, name_or_client_id),
        )
    if found is None:
        raise Unknown(f"no application has the name or client id {name_or_client_id!r}")
    return _application(found)


def by_client_id(transaction: Transaction, client_id: str, *, in_demo: bool) -> Application | None:
    """The application of that client id, or None. Only a demo knows a demo's applications."""
    found = transaction.row(
        f"SELECT {_COLUMNS} FROM applications WHERE client_id = ? AND (is_demo = 0 OR ? = 1)",
        (client_id, int(in_demo)),
    )
    return _application(found) if found else None


def by_number(transaction: Transaction, number: int) -> Application:
    """The application of the store's own number. Errors: Unknown."""
    found = transaction.row(f"SELECT {_COLUMNS} FROM applications WHERE number = ?", (number,))
    if found is None:
        raise Unknown("the application is no longer there")
    return _application(found)


def list_offered(transaction: Transaction, district: int, *, in_demo: bool) -> list[Application]:
    """The applications that a district (by number) is connected to, or that one of its teachers allowed, by
    name."""
    rows = transaction.rows(
        f"SELECT {_COLUMNS} FROM applications WHERE (number IN (SELECT application FROM connections WHERE district = ?)"
        " OR number IN (SELECT application FROM grants WHERE district = ?)) AND (is_demo = 0 OR ? = 1) ORDER BY name",
        (district, district, int(in_demo)),
    )
    return [_application(row) for row in rows]


def _application(row: Row) -> Application:
    (
        number,
        client_id,
        name,
        uris,
        scopes,
        created,
        tier,
        types,
        oidc,
        events,
        live,
        fields,
        issuer,
        demo,
        why,
    ) = row
    return Application(
        number,
        client_id,
        name,
        tuple(json.loads(uris)),
        tuple(scopes.split()),
        created,
        tier,
        tuple(types.split()),
        bool(oidc),
        bool(events),
        bool(live),
        json.loads(fields),
        bool(issuer),
        bool(demo),
        json.loads(why),
    )


def remove(database: Database, application: Application) -> None:
    """Remove an application with its secrets. Errors: Conflict while it is connected to a district."""
    with database.write() as transaction:
        tables = ("connections", "grants", "user_tokens", "codes")
        if any(
            transaction.row(f"SELECT 1 FROM {table} WHERE application = ?", (application.number,))
            for table in tables
        ):
            raise Conflict(
                f"{application.name!r} is still in use; `rollbook disconnect` it from its districts first"
            )
        for table in ("application_secrets", "application_owners"):
            transaction.run(f"DELETE FROM {table} WHERE application = ?", (application.number,))
        # The row stays, with a name and an id that nobody uses: the audit trail still names this application
        # and no other.
        transaction.run(
            (
                "UPDATE applications SET name = ?, client_id = ?, redirect_uris = '[]', scopes "
                "= '' WHERE number = ?"
            ),
            (
                f"{application.name}{REMOVED}{application.client_id})",
                f"{REMOVED}{application.client_id}",
                application.number,
            ),
        )
        audit.record(transaction, "application removed", application=application.number)


def list_all(database: Database) -> list[tuple[Application, list[str]]]:
    """Each application with the names of its districts, by name."""
    with database.read() as transaction:
        found = [_application(row) for row in transaction.rows(_LISTED, (f"{REMOVED}%",))]
        pairs = transaction.rows(
            "SELECT c.application, d.name FROM connections c JOIN districts d ON d.number "
            "= c.district ORDER BY d.name"
        )
    return [(one, [name for number, name in pairs if number == one.number]) for one in found]


_LISTED = f"SELECT {_COLUMNS} FROM applications WHERE client_id NOT LIKE ? ORDER BY name"


def authenticated(
    transaction: Transaction, client_id: str, secret: str, *, in_demo: bool
) -> Application | None:
    """The application with these credentials, compared in constant time; None if they do not fit."""
    columns = ", ".join(f"a.{name.strip()}" for name in _COLUMNS.split(","))
    rows = transaction.rows(
        f"SELECT s.hash, {columns} FROM applications a JOIN application_secrets s ON s.application = a.number"
        " WHERE a.client_id = ? AND (a.is_demo = 0 OR ? = 1) AND (s.expires IS NULL OR s.expires > ?)",
        (client_id, int(in_demo), int(time.time())),
    )
    given = digest(secret)
    fitting = [row for stored, *row in rows if hmac.compare_digest(stored, given)]
    return _application(tuple(fitting[0])) if fitting else None
