"""Applications, their connections to districts, and what a token resolves to."""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass

from rollbook.contract.access import SCOPES, SECURE_SYNC, Access
from rollbook.errors import BadSetting, Conflict, Unknown
from rollbook.store.database import Connection, Database
from rollbook.store.districts import District, reserve_ids, timestamp
from rollbook.store.keys import Sealer, digest
from rollbook.store.views import View


@dataclass(frozen=True, slots=True)
class Application:
    """A vendor's program. Its secret is only known to its vendor."""

    number: int
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: tuple[str, ...]
    created: str


@dataclass(frozen=True, slots=True)
class Token:
    """A district token as `/oauth/tokens` lists it."""

    id: str
    created: str
    district_id: str
    access_token: str
    scopes: tuple[str, ...]


_COLUMNS = "number, client_id, name, redirect_uris, scopes, created"


def create(
    database: Database,
    name: str,
    *,
    redirect_uris: tuple[str, ...] = (),
    scopes: tuple[str, ...] = SECURE_SYNC,
    client_id: str | None = None,
    secret: str | None = None,
    is_demo: bool = False,
) -> tuple[Application, str]:
    """Create an application; returns it with its client secret, which is shown this once and kept only as a hash.

    `client_id` and `secret` are drawn at random unless given. Errors: Conflict for a name in use, BadSetting for a scope
    that does not exist.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise BadSetting(f"scopes: {unknown[0]!r} is no scope; expected some of {', '.join(SCOPES)}")
    client_id, secret = client_id or secrets.token_hex(10), secret or secrets.token_hex(20)
    with database.write() as connection:
        if not name.strip() or connection.row("SELECT 1 FROM applications WHERE name = ? OR client_id = ?", (name, client_id)):
            raise Conflict(f"an application named {name!r} exists already" if name.strip() else "an application needs a name")
        connection.run(
            "INSERT INTO applications (client_id, name, secret_hash, redirect_uris, scopes, created, is_demo)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (client_id, name, digest(secret), json.dumps(redirect_uris), " ".join(sorted(scopes)), timestamp(), int(is_demo)),
        )
    return find(database, client_id), secret


def find(database: Database, name_or_client_id: str) -> Application:
    """The application of that client id or name. Errors: Unknown."""
    with database.read() as connection:
        found = connection.row(
            f"SELECT {_COLUMNS} FROM applications WHERE client_id = ? OR name = ?", (name_or_client_id, name_or_client_id)
        )
    if found is None:
        raise Unknown(f"no application has the name or client id {name_or_client_id!r}")
    number, client_id, name, redirect_uris, scopes, created = found
    return Application(number, client_id, name, tuple(json.loads(redirect_uris)), tuple(scopes.split()), created)


def connect(
    database: Database,
    sealer: Sealer,
    application: Application,
    district: District,
    view: View,
    *,
    token: str | None = None,
    is_demo: bool = False,
) -> str:
    """Connect an application to a district, to see the view, and return the district token; a connection keeps its token."""
    with database.write() as connection:
        found = connection.row(
            "SELECT token_sealed FROM connections WHERE application = ? AND district = ?", (application.number, district.number)
        )
        if found:
            return sealer.open(found[0])
        token = token or secrets.token_hex(20)
        connection.run(
            "INSERT INTO connections (id, application, district, view, token_hash, token_sealed, created, is_demo)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                reserve_ids(connection).id(0),
                application.number,
                district.number,
                view.number,
                digest(token),
                sealer.seal(token),
                timestamp(),
                int(is_demo),
            ),
        )
    return token


def resolve(connection: Connection, token: str, *, in_demo: bool) -> Access | None:
    """What a bearer token may see; None when it is not known. Published test tokens are known in a demo only."""
    found = connection.row(
        "SELECT d.number, d.id, c.view, c.number, a.client_id, a.scopes FROM connections c"
        " JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " WHERE c.token_hash = ? AND (c.is_demo = 0 OR ? = 1)",
        (digest(token), int(in_demo)),
    )
    if found is None:
        return None
    district, district_id, view, number, client_id, scopes = found
    return Access(district, district_id, view, number, client_id, tuple(scopes.split()))


def authenticate(connection: Connection, client_id: str, secret: str, *, in_demo: bool) -> int | None:
    """The number of the application with these credentials, compared in constant time; None when they do not fit."""
    found = connection.row(
        "SELECT number, secret_hash FROM applications WHERE client_id = ? AND (is_demo = 0 OR ? = 1)", (client_id, int(in_demo))
    )
    fits = hmac.compare_digest(found[1] if found else digest(""), digest(secret))
    return int(found[0]) if found and fits else None


def list_tokens(
    connection: Connection, sealer: Sealer, application: int, district_id: str | None, *, in_demo: bool
) -> list[Token]:
    """The district tokens of an application, all or one district's, oldest first."""
    found = connection.rows(
        "SELECT c.id, c.created, d.id, c.token_sealed, a.scopes FROM connections c"
        " JOIN applications a ON a.number = c.application JOIN districts d ON d.number = c.district"
        " WHERE c.application = ? AND (c.is_demo = 0 OR ? = 1) ORDER BY c.id",
        (application, int(in_demo)),
    )
    return [
        Token(id_, created, owner, sealer.open(sealed), tuple(scopes.split()))
        for id_, created, owner, sealed, scopes in found
        if district_id in (None, owner)
    ]
